/* A client's record as the store has it. */
#include "oauth/oauth_internal.h"
#include "unit/unit.h"
#include <stdlib.h>

#define FAST "$sha256$0000000000000000000000000000000000000000000000000000000000000000"

struct pair {
    const char *name, *value;
};

/* Reads fields whose memory is gone afterwards. */
static bool read_fields(struct oauth_client *client, const struct store_field *fields,
                        size_t count) {
    const struct store_operation answer = {
        .answer = STORE_FOUND, .fields = fields, .field_count = count};
    memset(client, 0xa5, sizeof *client);
    return oauth_client_read(&answer, client);
}

static bool read_pairs(struct oauth_client *client, const struct pair *pairs, size_t count) {
    struct store_field fields[16];
    assert_true(count <= COUNT_OF(fields));
    for (size_t i = 0; i < count; i++) {
        fields[i].name = slice_of_string(pairs[i].name);
        fields[i].value = slice_of(strdup(pairs[i].value), strlen(pairs[i].value));
    }
    bool ok = read_fields(client, fields, count);
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)fields[i].value.data);
    }
    return ok;
}

static bool read_one(struct oauth_client *client, const char *name, const char *value) {
    return read_pairs(client, &(struct pair){name, value}, 1);
}

static void assert_unreadable(const char *name, const char *value) {
    struct oauth_client client;
    if (read_one(&client, name, value)) {
        fail_msg("made sense of: %s %s", name, value);
    }
}

static void every_field_is_read(void **state) {
    static const struct pair pairs[] = {
        {"secret:1", FAST},
        {"secret:4", "$scrypt$x"},
        {"secret:4:expires", "1795467600"},
        {"secret:1:used", "1"},
        {"scope", "read write"},
        {"default_scope", "read"},
        {"aud", "https://rs1/ two"},
        {"ttl", "600"},
        {"max_ttl", "7200"},
        {"gen", "4294967295"},
        {"disabled", "0"},
        {"created", "1795467600"},
        {"name", "Service A"},
        {"permissions", "introspect"},
    };
    struct oauth_client client;
    (void)state;
    assert_true(read_pairs(&client, pairs, COUNT_OF(pairs)));
    assert_slice(client.secrets[0].stored, S(FAST));
    assert_int_equal(client.secrets[0].expires, 0);
    assert_true(slice_is_absent(client.secrets[1].stored));
    assert_true(slice_is_absent(client.secrets[2].stored));
    assert_slice(client.secrets[3].stored, S("$scrypt$x"));
    assert_int_equal(client.secrets[3].expires, 1795467600);
    assert_slice(client.scope, S("read write"));
    assert_slice(client.default_scope, S("read"));
    assert_slice(client.audience, S("https://rs1/ two"));
    assert_int_equal(client.ttl_s, 600);
    assert_int_equal(client.max_ttl_s, 7200);
    assert_int_equal(client.generation, 4294967295u);
    assert_false(client.disabled);
    assert_true(client.may_mint);
}

/* A client made with one HSET alone works. */
static void missing_fields_have_their_defaults(void **state) {
    struct oauth_client client;
    (void)state;
    assert_true(read_one(&client, "secret:1", FAST));
    assert_int_equal(client.scope.size, 0);
    assert_true(slice_is_absent(client.default_scope));
    assert_int_equal(client.audience.size, 0);
    assert_int_equal(client.ttl_s, 0);
    assert_int_equal(client.max_ttl_s, 0);
    assert_int_equal(client.generation, 0);
    assert_false(client.disabled);
    assert_true(client.may_mint);
    assert_true(read_fields(&client, NULL, 0));
    for (unsigned i = 0; i < OAUTH_SECRETS_MAX; i++) {
        assert_true(slice_is_absent(client.secrets[i].stored));
    }
}

/* What is not secret 1 to 4 is nobody's secret, and no reason to refuse the client. */
static void odd_secret_fields_are_passed_over(void **state) {
    static const char *const names[] = {
        "secret:0",
        "secret:5",
        "secret:x",
        "secret:",
        "secret",
        "secret:1:",
        "secret:1:used",
        "secret:1:made",
        "secret:-1",
        "secret:+1",
        "secret: 1",
        "secret:1x",
        "secret:99999999999999999999999",
        "secret:1:expires:x",
        "secret::1",
        "Secret:1",
        "SECRET:1",
        "secret:5:expires",
        "secret:0:expires",
        "secret:1:EXPIRES",
    };
    struct oauth_client client;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_true(read_one(&client, names[i], FAST));
        for (unsigned s = 0; s < OAUTH_SECRETS_MAX; s++) {
            assert_true(slice_is_absent(client.secrets[s].stored));
            assert_int_equal(client.secrets[s].expires, 0);
        }
    }
}

static void disabled_says_no_in_one_way_alone(void **state) {
    static const char *const on[] = {"1", "true", "yes", "00", " ", "false", "no", "-"};
    struct oauth_client client;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(on); i++) {
        assert_true(read_one(&client, "disabled", on[i]));
        assert_true(client.disabled);
    }
    assert_true(read_one(&client, "disabled", "0"));
    assert_false(client.disabled);
    assert_true(read_one(&client, "disabled", ""));
    assert_false(client.disabled);
}

/* T-15. */
static void grants_name_what_is_allowed(void **state) {
    struct oauth_client client;
    (void)state;
    assert_true(read_one(&client, "grants", "client_credentials"));
    assert_true(client.may_mint);
    assert_true(read_one(&client, "grants", "x client_credentials y"));
    assert_true(client.may_mint);
    assert_true(read_one(&client, "grants", ""));
    assert_false(client.may_mint);
    assert_true(read_one(&client, "grants", "client_credential"));
    assert_false(client.may_mint);
}

static void numbers_that_are_none_make_no_sense(void **state) {
    static const char *const names[] = {"ttl", "max_ttl", "gen", "secret:1:expires"};
    static const char *const values[] = {"",
                                         " ",
                                         "x",
                                         "-1",
                                         "+1",
                                         "1.5",
                                         "1e3",
                                         " 1",
                                         "1 ",
                                         "0x1",
                                         "18446744073709551616",
                                         "99999999999999999999999999"};
    (void)state;
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        for (size_t v = 0; v < COUNT_OF(values); v++) {
            assert_unreadable(names[n], values[v]);
        }
    }
}

static void lifetimes_have_a_limit(void **state) {
    struct oauth_client client;
    (void)state;
    assert_true(read_one(&client, "ttl", "31622400"));
    assert_int_equal(client.ttl_s, OAUTH_TTL_MAX);
    assert_true(read_one(&client, "max_ttl", "31622400"));
    assert_int_equal(client.max_ttl_s, OAUTH_TTL_MAX);
    assert_unreadable("ttl", "31622401");
    assert_unreadable("max_ttl", "31622401");
    assert_unreadable("ttl", "4294967297");
}

static void texts_have_a_limit(void **state) {
    static char scope[OAUTH_CLIENT_TEXT_MAX + 1];
    struct oauth_client client;
    (void)state;
    memset(scope, 's', sizeof scope);
    struct store_field fields[] = {
        {S("secret:1"), S(FAST)},
        {S("scope"), slice_of(scope, OAUTH_CLIENT_TEXT_MAX - strlen(FAST))},
        {S("default_scope"), S("")},
        {S("name"), slice_of(scope, sizeof scope)},
    };
    assert_true(read_fields(&client, fields, COUNT_OF(fields)));
    assert_slice(client.scope, fields[1].value);
    assert_slice(client.secrets[0].stored, S(FAST));
    assert_false(slice_is_absent(client.default_scope));
    fields[2].value = S("x");
    assert_false(read_fields(&client, fields, COUNT_OF(fields)));
    fields[2].value = S("");
    fields[1].value.size++;
    assert_false(read_fields(&client, fields, COUNT_OF(fields)));
    fields[1].value = slice_of(scope, sizeof scope);
    assert_false(read_fields(&client, fields + 1, 1));
}

static void empty_texts_are_there(void **state) {
    struct oauth_client client;
    (void)state;
    assert_true(read_one(&client, "default_scope", ""));
    assert_false(slice_is_absent(client.default_scope));
    assert_int_equal(client.default_scope.size, 0);
}

static void texts_of_one_character_are_read(void **state) {
    struct oauth_client client;
    (void)state;
    assert_true(read_one(&client, "scope", "x"));
    assert_slice(client.scope, S("x"));
}

static void use_that_is_no_number_is_none(void **state) {
    struct oauth_client client;
    (void)state;
    assert_true(read_one(&client, "secret:1:used", "x"));
    assert_int_equal(client.secrets[0].used, 0);
    assert_true(read_one(&client, "secret:1:used", "7"));
    assert_int_equal(client.secrets[0].used, 7);
}

/* ---- what a token's verdict needs of it ---- */

static bool reads_standing(const char *name, const char *value,
                           struct oauth_client_standing *standing) {
    const struct store_field field = {slice_of_string(name), slice_of_string(value)};
    memset(standing, 0xa5, sizeof *standing);
    return oauth_client_read_standing(
        &(struct store_operation){.answer = STORE_FOUND, .fields = &field, .field_count = 1},
        standing);
}

static void what_has_a_secret_is_a_client(void **state) {
    static const char *const names[] = {"secret:1", "secret:2", "secret:3", "secret:4"};
    static const char *const others[] = {"secret:0", "secret:5", "secret:/", "secret::",
                                         "secret:",  "secret",   "Secret:1", "secret:1:used",
                                         "secret;1", "scope"};
    struct oauth_client_standing standing;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_true(reads_standing(names[i], FAST, &standing));
        assert_true(standing.is_client);
        assert_false(standing.is_disabled);
        assert_int_equal(standing.generation, 0);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_true(reads_standing(others[i], FAST, &standing));
        assert_false(standing.is_client);
    }
}

static void standing_is_read_as_the_client_is(void **state) {
    struct oauth_client_standing standing;
    (void)state;
    assert_true(reads_standing("disabled", "1", &standing));
    assert_true(standing.is_disabled);
    assert_true(reads_standing("disabled", "0", &standing));
    assert_false(standing.is_disabled);
    assert_true(reads_standing("gen", "9007199254740992", &standing));
    assert_int_equal(standing.generation, UINT64_C(9007199254740992));
    assert_false(reads_standing("gen", "9007199254740993", &standing));
    assert_false(reads_standing("gen", "x", &standing));
}

/* ---- keys and the global generation ---- */

static void keys_are_as_documented(void **state) {
    static char id[OAUTH_CLIENT_ID_MAX];
    char storage[OAUTH_KEY_STORAGE];
    (void)state;
    memset(id, 'i', sizeof id);
    assert_slice(oauth_client_key(S("svc-a"), storage), S("client:svc-a"));
    assert_slice(oauth_token_key("0123456789abcdef0123456789abcdef", storage),
                 S("token:0123456789abcdef0123456789abcdef"));
    assert_int_equal(oauth_client_key(slice_of(id, sizeof id), storage).size, 7 + sizeof id);
}

static bool reads_generation(enum store_answer answer, struct slice value, uint64_t *generation) {
    *generation = 99;
    return oauth_generation_read(&(struct store_operation){.answer = answer, .value = value},
                                 generation);
}

static void generation_is_a_number(void **state) {
    uint64_t generation;
    (void)state;
    assert_true(reads_generation(STORE_ABSENT, SLICE_ABSENT, &generation));
    assert_int_equal(generation, 0);
    assert_true(reads_generation(STORE_FOUND, S("0"), &generation));
    assert_int_equal(generation, 0);
    assert_true(reads_generation(STORE_FOUND, S("42"), &generation));
    assert_int_equal(generation, 42);
    assert_false(reads_generation(STORE_FOUND, S(""), &generation));
    assert_false(reads_generation(STORE_FOUND, S("-1"), &generation));
    assert_false(reads_generation(STORE_FOUND, S("x"), &generation));
    assert_false(reads_generation(STORE_FOUND, S("1\n"), &generation));
    assert_false(reads_generation(STORE_FOUND, S("9223372036854775808"), &generation));
}

/* A generation that a token's record cannot hold would mint tokens that no one accepts. */
static void generations_fit_into_a_record(void **state) {
    struct oauth_client client;
    uint64_t generation;
    (void)state;
    assert_true(read_one(&client, "gen", "9007199254740991"));
    assert_int_equal(client.generation, UINT64_C(9007199254740991));
    assert_unreadable("gen", "9007199254740994");
    assert_unreadable("gen", "9223372036854775807");
    assert_true(reads_generation(STORE_FOUND, S("9007199254740991"), &generation));
    assert_false(reads_generation(STORE_FOUND, S("9007199254740994"), &generation));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(missing_fields_have_their_defaults),
        cmocka_unit_test(odd_secret_fields_are_passed_over),
        cmocka_unit_test(disabled_says_no_in_one_way_alone),
        cmocka_unit_test(grants_name_what_is_allowed),
        cmocka_unit_test(numbers_that_are_none_make_no_sense),
        cmocka_unit_test(lifetimes_have_a_limit),
        cmocka_unit_test(texts_have_a_limit),
        cmocka_unit_test(empty_texts_are_there),
        cmocka_unit_test(texts_of_one_character_are_read),
        cmocka_unit_test(use_that_is_no_number_is_none),
        cmocka_unit_test(what_has_a_secret_is_a_client),
        cmocka_unit_test(standing_is_read_as_the_client_is),
        cmocka_unit_test(keys_are_as_documented),
        cmocka_unit_test(generation_is_a_number),
        cmocka_unit_test(generations_fit_into_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
