/* Scopes (RFC 6749 3.3) and audiences (RFC 8707): well-formed, allowed, granted. */
#include "oauth/oauth_internal.h"
#include "unit/unit.h"

#define ONE "https://rs1.example/"
#define TWO "https://rs2.example/"

static const struct oauth_client svc_a = {
    .scope = SLICE("read write"),
    .default_scope = SLICE("read"),
    .audience = SLICE(ONE " " TWO " orders"),
};

/* ---- scopes ---- */

static void scope_tokens_have_their_alphabet(void **state) {
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char scope[] = {'a', (char)c, 'b'};
        bool belongs = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        assert_int_equal(oauth_scope_is_valid(slice_of(scope, 3)), belongs);
        assert_int_equal(oauth_scope_is_valid(slice_of(scope + 1, 1)), belongs && c != ' ');
    }
}

static void one_space_parts_scopes(void **state) {
    static const char *const good[] = {"", "a", "a b", "a b c", "a a", "!", "read:all x/y"};
    static const char *const bad[] = {" ",    "  ",   " a",   "a ",   "a  b",  "a   b",
                                      " a b", "a b ", "a\tb", "a\nb", "a b  c"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(oauth_scope_is_valid(slice_of_string(good[i])));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(oauth_scope_is_valid(slice_of_string(bad[i])));
    }
    assert_true(oauth_scope_is_valid(SLICE_ABSENT));
}

static void assert_scope(const struct oauth_client *client, struct slice requested,
                         const char *expected) {
    char storage[OAUTH_SCOPE_MAX];
    struct buffer granted = buffer_of(storage, sizeof storage);
    assert_int_equal(oauth_scope_grant(client, requested, &granted), OAUTH_REFUSED_NONE);
    assert_slice(buffer_slice(&granted), slice_of_string(expected));
}

static void assert_no_scope(const struct oauth_client *client, struct slice requested,
                            enum oauth_refusal expected) {
    char storage[OAUTH_SCOPE_MAX];
    struct buffer granted = buffer_of(storage, sizeof storage);
    assert_int_equal(oauth_scope_grant(client, requested, &granted), expected);
}

/* T-29. */
static void subset_is_granted_once_each(void **state) {
    (void)state;
    assert_scope(&svc_a, S("write"), "write");
    assert_scope(&svc_a, S("write read"), "write read");
    assert_scope(&svc_a, S("write read read"), "write read");
    assert_scope(&svc_a, S("read read read"), "read");
}

/* T-11, B-06, and decision 10. */
static void nothing_requested_means_the_default(void **state) {
    const struct oauth_client without_default = {.scope = SLICE("read write read")};
    const struct oauth_client empty_default = {.scope = SLICE("read"), .default_scope = SLICE("")};
    const struct oauth_client none = {.scope = SLICE_ABSENT};
    (void)state;
    assert_scope(&svc_a, S(""), "read");
    assert_scope(&svc_a, SLICE_ABSENT, "read");
    assert_scope(&without_default, S(""), "read write");
    assert_scope(&empty_default, S(""), "");
    assert_scope(&none, S(""), "");
}

static void default_beyond_the_scope_is_not_granted(void **state) {
    const struct oauth_client client = {.scope = SLICE("read"),
                                        .default_scope = SLICE("read admin")};
    (void)state;
    assert_no_scope(&client, S(""), OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
    assert_scope(&client, S("read"), "read");
}

/* T-30. */
static void other_scopes_are_refused(void **state) {
    static const char *const requested[] = {
        "admin",      "READ", "read admin", "admin read", "rea",  "readwrite", "reads",
        "read,write", "*",    "\xc3\xa9",   "a\"b",       "a\\b", "a\177b"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(requested); i++) {
        char storage[OAUTH_SCOPE_MAX];
        struct buffer granted = buffer_of(storage, sizeof storage);
        enum oauth_refusal refusal =
            oauth_scope_grant(&svc_a, slice_of_string(requested[i]), &granted);
        assert_int_equal(oauth_refusal_error(refusal), OAUTH_INVALID_SCOPE);
    }
    assert_no_scope(&svc_a, S("admin"), OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
    assert_no_scope(&(struct oauth_client){.scope = SLICE_ABSENT}, S("read"),
                    OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
}

static void malformed_scopes_are_refused(void **state) {
    static const struct slice requested[] = {SLICE("read  write"), SLICE(" read"),  SLICE("read "),
                                             SLICE("read\twrite"), SLICE("read\0"), SLICE(" "),
                                             SLICE("read\nwrite")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(requested); i++) {
        assert_no_scope(&svc_a, requested[i], OAUTH_REFUSED_SCOPE_MALFORMED);
    }
}

/* A client record may hold anything; what goes out in headers may not. */
static void odd_scopes_of_a_client_are_never_granted(void **state) {
    static const struct slice odd[] = {SLICE("read\r\nX-Evil: 1"), SLICE("read\twrite"),
                                       SLICE("caf\xc3\xa9"), SLICE("a\"b"), SLICE("a\0b")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        const struct oauth_client client = {.scope = odd[i]};
        const struct oauth_client by_default = {.scope = odd[i], .default_scope = odd[i]};
        char storage[OAUTH_SCOPE_MAX];
        struct buffer granted = buffer_of(storage, sizeof storage);
        assert_int_not_equal(oauth_scope_grant(&client, S(""), &granted), OAUTH_REFUSED_NONE);
        granted = buffer_of(storage, sizeof storage);
        assert_int_not_equal(oauth_scope_grant(&by_default, S(""), &granted), OAUTH_REFUSED_NONE);
    }
}

/* Lists that people typed: more spaces than one do no harm. */
static void spaces_in_a_record_are_forgiven(void **state) {
    const struct oauth_client client = {.scope = SLICE("  read   write "),
                                        .default_scope = SLICE(" write ")};
    (void)state;
    assert_scope(&client, S(""), "write");
    assert_scope(&client, S("read write"), "read write");
}

static void scope_over_its_room_is_refused(void **state) {
    static char list[OAUTH_SCOPE_MAX + 64];
    (void)state;
    memset(list, 's', sizeof list);
    struct oauth_client client = {.scope = slice_of(list, OAUTH_SCOPE_MAX)};
    char storage[OAUTH_SCOPE_MAX];
    struct buffer granted = buffer_of(storage, sizeof storage);
    assert_int_equal(oauth_scope_grant(&client, S(""), &granted), OAUTH_REFUSED_NONE);
    assert_int_equal(granted.size, OAUTH_SCOPE_MAX);
    client.scope.size++;
    assert_no_scope(&client, S(""), OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
    /* A small one behind the large one must not be granted alone. */
    memcpy(list + OAUTH_SCOPE_MAX + 1, " read", 5);
    client.scope.size = OAUTH_SCOPE_MAX + 6;
    assert_no_scope(&client, S(""), OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
}

/* ---- audiences ---- */

static const struct slice own = SLICE("https://id.example/secret");

static void assert_audience(const struct oauth_client *client, struct slice resources,
                            struct slice audience, const char *expected) {
    char storage[OAUTH_AUDIENCE_MAX];
    struct buffer granted = buffer_of(storage, sizeof storage);
    assert_int_equal(oauth_audience_grant(client, own, resources, audience, &granted),
                     OAUTH_REFUSED_NONE);
    assert_slice(buffer_slice(&granted), slice_of_string(expected));
}

static void assert_no_audience(const struct oauth_client *client, struct slice resources,
                               struct slice audience, enum oauth_refusal expected) {
    char storage[OAUTH_AUDIENCE_MAX];
    struct buffer granted = buffer_of(storage, sizeof storage);
    assert_int_equal(oauth_audience_grant(client, own, resources, audience, &granted), expected);
}

/* X-01. */
static void resource_is_an_absolute_uri(void **state) {
    static const struct slice bad[] = {
        SLICE("foo"),
        SLICE("/x"),
        SLICE("//x"),
        SLICE(ONE "#f"),
        SLICE(ONE "#"),
        SLICE(" "),
        SLICE("https://"),
        SLICE("https:"),
        SLICE(":x"),
        SLICE("1a:x"),
        SLICE("a b:x"),
        SLICE("https://a b/"),
        SLICE("https://a\tb/"),
        SLICE("https://\xc3\xa9/"),
        SLICE("https://a\x7f/"),
        SLICE("https://a\0/"),
        SLICE("-a:x"),
        SLICE("h_t:x"),
        SLICE("orders"),
        SLICE("?a:b"),
        SLICE("rs1.example"),
        SLICE("@a:x"),
        SLICE("[a:x"),
        SLICE("`a:x"),
        SLICE("{a:x"),
        SLICE("a/:x"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_no_audience(&svc_a, bad[i], S(""), OAUTH_REFUSED_TARGET_MALFORMED);
        const struct oauth_client has_it = {.audience = bad[i]};
        assert_no_audience(&has_it, bad[i], S(""), OAUTH_REFUSED_TARGET_MALFORMED);
    }
}

static void many_uris_are_absolute(void **state) {
    static const struct slice good[] = {SLICE("urn:example:orders"),
                                        SLICE("a:b"),
                                        SLICE("https://rs1.example"),
                                        SLICE("spiffe+x-1.2://d/p"),
                                        SLICE("https://[2001:db8::1]:8443/a?b=c%20d"),
                                        SLICE("HTTPS://RS1.EXAMPLE/"),
                                        SLICE("az:x"),
                                        SLICE("AZ:x"),
                                        SLICE("a09:x")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const struct oauth_client has_it = {.audience = good[i]};
        assert_audience(&has_it, good[i], S(""), good[i].data);
    }
}

/* X-02: exactly, in each byte. */
static void other_targets_are_refused(void **state) {
    static const struct slice others[] = {
        SLICE("https://other.example/"), SLICE("https://rs1.example"), SLICE(ONE "x"),
        SLICE("https://RS1.example/"), SLICE("HTTPS://rs1.example/")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_no_audience(&svc_a, others[i], S(""), OAUTH_REFUSED_TARGET_NOT_ALLOWED);
        assert_no_audience(&svc_a, S(""), others[i], OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    }
    assert_no_audience(&(struct oauth_client){.audience = SLICE_ABSENT}, S(ONE), S(""),
                       OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    assert_no_audience(&svc_a, S(""), S(ONE " " TWO), OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    assert_no_audience(&svc_a, S(""), S(" "), OAUTH_REFUSED_TARGET_NOT_ALLOWED);
}

/* X-03, X-04. */
static void allowed_targets_are_granted_once_each(void **state) {
    (void)state;
    assert_audience(&svc_a, S(ONE), S(""), ONE);
    assert_audience(&svc_a, S(TWO "\n" ONE), S(""), TWO " " ONE);
    assert_audience(&svc_a, S(ONE "\n" ONE), S(""), ONE);
    assert_audience(&svc_a, S(ONE), S(ONE), ONE);
    assert_audience(&svc_a, S(ONE), S("orders"), ONE " orders");
    assert_audience(&svc_a, S(""), S("orders"), "orders");
    assert_no_audience(&svc_a, S(ONE "\nhttps://other.example/"), S(""),
                       OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    assert_no_audience(&svc_a, S("https://other.example/\n" ONE), S(""),
                       OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    assert_no_audience(&svc_a, S(ONE), S("other"), OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    assert_no_audience(&svc_a, S(ONE "\n"), S(""), OAUTH_REFUSED_TARGET_MALFORMED);
    assert_no_audience(&svc_a, S("\n" ONE), S(""), OAUTH_REFUSED_TARGET_MALFORMED);
}

/* X-06. */
static void only_audience_goes_without_saying(void **state) {
    const struct oauth_client one = {.audience = SLICE(" " ONE " ")};
    const struct oauth_client none = {.audience = SLICE("  ")};
    (void)state;
    assert_audience(&one, S(""), S(""), ONE);
    assert_audience(&svc_a, S(""), S(""), "");
    assert_audience(&none, S(""), S(""), "");
    assert_audience(&(struct oauth_client){.audience = SLICE_ABSENT}, SLICE_ABSENT, SLICE_ABSENT,
                    "");
}

/* Every client may ask for it; none gets it without asking. */
static void own_resource_may_be_asked_for_by_all(void **state) {
    const struct oauth_client none = {.audience = SLICE_ABSENT};
    const struct oauth_client one = {.audience = SLICE(ONE)};
    (void)state;
    assert_audience(&none, own, S(""), own.data);
    assert_audience(&none, S(""), own, own.data);
    assert_audience(&none, S(""), S(""), "");
    assert_audience(&one, own, S(""), own.data);
    assert_audience(&one, own, S(ONE), "https://id.example/secret " ONE);
    assert_audience(&one, S(""), S(""), ONE);
    assert_no_audience(&none, S("https://id.example/secret/"), S(""),
                       OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    assert_no_audience(&none, S("https://id.example/secre"), S(""),
                       OAUTH_REFUSED_TARGET_NOT_ALLOWED);
}

static void without_an_own_resource_nothing_is_added(void **state) {
    const struct oauth_client none = {.audience = SLICE_ABSENT};
    char storage[OAUTH_AUDIENCE_MAX];
    struct buffer granted = buffer_of(storage, sizeof storage);
    (void)state;
    assert_int_equal(oauth_audience_grant(&none, SLICE_ABSENT, own, S(""), &granted),
                     OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    assert_int_equal(oauth_audience_grant(&none, SLICE_ABSENT, S(""), S(""), &granted),
                     OAUTH_REFUSED_NONE);
    assert_int_equal(granted.size, 0);
}

/* It is in no client's list, so it is looked at as they are. */
static void own_resource_is_one_visible_word(void **state) {
    const struct oauth_client none = {.audience = SLICE_ABSENT};
    char storage[OAUTH_AUDIENCE_MAX];
    struct buffer granted = buffer_of(storage, sizeof storage);
    (void)state;
    assert_int_equal(oauth_audience_grant(&none, S("x"), S(""), S("x"), &granted),
                     OAUTH_REFUSED_NONE);
    assert_slice(buffer_slice(&granted), S("x"));
    granted = buffer_of(storage, sizeof storage);
    assert_int_equal(oauth_audience_grant(&none, S("a b"), S(""), S("a b"), &granted),
                     OAUTH_REFUSED_TARGET_NOT_ALLOWED);
}

static void odd_audiences_of_a_client_are_never_granted(void **state) {
    static const struct slice odd[] = {SLICE("a\r\nX-Evil:1"), SLICE("caf\xc3\xa9"), SLICE("a\0b"),
                                       SLICE("a\tb"), SLICE("\x7f")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        const struct oauth_client client = {.audience = odd[i]};
        char storage[OAUTH_AUDIENCE_MAX];
        struct buffer granted = buffer_of(storage, sizeof storage);
        assert_int_not_equal(oauth_audience_grant(&client, own, S(""), S(""), &granted),
                             OAUTH_REFUSED_NONE);
        granted = buffer_of(storage, sizeof storage);
        assert_int_not_equal(oauth_audience_grant(&client, own, S(""), odd[i], &granted),
                             OAUTH_REFUSED_NONE);
    }
}

static void audience_over_its_room_is_refused(void **state) {
    static char list[OAUTH_AUDIENCE_MAX + 1];
    (void)state;
    memset(list, 'a', sizeof list);
    const struct oauth_client client = {.audience = slice_of(list, sizeof list)};
    assert_no_audience(&client, S(""), S(""), OAUTH_REFUSED_TARGET_NOT_ALLOWED);
    assert_no_audience(&client, S(""), client.audience, OAUTH_REFUSED_TARGET_NOT_ALLOWED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scope_tokens_have_their_alphabet),
        cmocka_unit_test(one_space_parts_scopes),
        cmocka_unit_test(subset_is_granted_once_each),
        cmocka_unit_test(nothing_requested_means_the_default),
        cmocka_unit_test(default_beyond_the_scope_is_not_granted),
        cmocka_unit_test(other_scopes_are_refused),
        cmocka_unit_test(malformed_scopes_are_refused),
        cmocka_unit_test(odd_scopes_of_a_client_are_never_granted),
        cmocka_unit_test(spaces_in_a_record_are_forgiven),
        cmocka_unit_test(scope_over_its_room_is_refused),
        cmocka_unit_test(resource_is_an_absolute_uri),
        cmocka_unit_test(many_uris_are_absolute),
        cmocka_unit_test(other_targets_are_refused),
        cmocka_unit_test(allowed_targets_are_granted_once_each),
        cmocka_unit_test(only_audience_goes_without_saying),
        cmocka_unit_test(own_resource_may_be_asked_for_by_all),
        cmocka_unit_test(without_an_own_resource_nothing_is_added),
        cmocka_unit_test(own_resource_is_one_visible_word),
        cmocka_unit_test(odd_audiences_of_a_client_are_never_granted),
        cmocka_unit_test(audience_over_its_room_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
