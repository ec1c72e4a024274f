/* Is this token good. */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"
#include "support/failing_crypto.h"
#include "support/oauth_fixture.h"
#include <stdio.h>
#include <stdlib.h>

/* What a verification asks of the store, in this order where the record is at hand. Where it has
 * to be fetched the generation is asked for right behind it, and then the client if this token's
 * was fetched before. */
enum { READ_TOKEN = 1, READ_CLIENT, READ_GENERATION, OPERATIONS = READ_GENERATION };

#define EXPIRES_AT (FIXTURE_START_MS / 1000 + 60)

static struct oauth_verification v;

struct token {
    char text[OAUTH_TOKEN_SIZE];
    char jti[OAUTH_JTI_SIZE];
    char key[OAUTH_KEY_STORAGE + 1];
};

static struct token token;

static void make_token(struct oauth_fixture *f) {
    struct slice text = slice_of(token.text, sizeof token.text);
    assert_true(token_text_make(f->crypto, S("mtd_"), token.text));
    assert_true(token_id_of(f->crypto, text, token.jti));
    snprintf(token.key, sizeof token.key, "token:%.*s", (int)OAUTH_JTI_SIZE, token.jti);
}

static void put_record(struct oauth_fixture *f, const struct token_record *record) {
    char storage[8192];
    struct buffer json = buffer_of(storage, sizeof storage);
    token_record_write(record, &json);
    assert_false(json.overflow);
    stub_store_put(&f->store, token.key, buffer_slice(&json));
}

static const struct token_record usual = {
    .client_id = SLICE("svc-a"),
    .scope = SLICE("read write"),
    .audience = SLICE("https://rs1.example/"),
    .issued_at = FIXTURE_START_MS / 1000,
    .expires_at = EXPIRES_AT,
    .generation = 7,
    .global_generation = 3,
};

static int set_up(void **state) {
    oauth_fixture_set_up(state);
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "gen", "7");
    stub_store_put(&f->store, "generation", S("3"));
    make_token(f);
    put_record(f, &usual);
    return 0;
}

static int tear_down(void **state) {
    failing_crypto = (struct failing_crypto){0};
    return oauth_fixture_tear_down(state);
}

/* The text is gone once the start returned. */
static enum progress start(struct oauth_fixture *f, struct slice text) {
    char *exact = malloc(text.size + 1);
    assert_non_null(exact);
    if (text.size != 0) {
        memcpy(exact + 1, text.data, text.size);
    }
    fixture_poison(&v, sizeof v);
    v.flow.on_done = fixture_on_done;
    v.token = slice_of(exact + 1, text.size);
    enum progress progress = oauth_verification_start(f->oauth, &v);
    free(exact);
    return progress;
}

static enum oauth_refusal verify_text(struct oauth_fixture *f, struct slice text) {
    fixture_finish(f, &v.flow, start(f, text));
    return v.refusal;
}

static enum oauth_refusal verify(struct oauth_fixture *f) {
    return verify_text(f, slice_of(token.text, sizeof token.text));
}

static uint64_t validated(const struct oauth_fixture *f) {
    return counter_read(&f->metrics.validated);
}

static void assert_known_id(void) {
    assert_true(v.has_jti);
    assert_memory_equal(v.jti, token.jti, OAUTH_JTI_SIZE);
}

/* ---- good ---- */

static void good_token_is_good(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    assert_slice(v.client_id, usual.client_id);
    assert_slice(v.scope, usual.scope);
    assert_slice(v.audience, usual.audience);
    assert_int_equal(v.issued_at, usual.issued_at);
    assert_int_equal(v.expires_at, usual.expires_at);
    assert_int_equal(v.trouble, STORE_TROUBLE_NONE);
    assert_known_id();
    assert_int_equal(validated(f), 1);

    assert_int_equal(f->store.request_count, OPERATIONS);
    assert_int_equal(f->store.requests[0].verb, STUB_GET);
    assert_string_equal(f->store.requests[0].key, token.key);
    assert_int_equal(f->store.requests[1].verb, STUB_READ_HASH);
    assert_string_equal(f->store.requests[1].key, "client:svc-a");
    assert_int_equal(f->store.requests[2].verb, STUB_GET);
    assert_string_equal(f->store.requests[2].key, "generation");
}

static void good_tokens_are_counted_by_client(void **state) {
    static const struct hash_seed seed = {{1, 2}};
    struct oauth_fixture *f = *state;
    struct token_record record = usual;
    f->oauth->options.client_names = client_names_new(1, &seed);
    assert_non_null(f->oauth->options.client_names);
    record.client_id = S("svc-b");
    fixture_put_field(f, "svc-b", "secret:1", "$sha256$00");
    fixture_put_field(f, "svc-b", "gen", "7");
    for (unsigned i = 1; i <= 2; i++) {
        put_record(f, &usual);
        assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
        put_record(f, &record);
        assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
        assert_int_equal(counter_read(&f->metrics.clients[0].validated), i);
        assert_int_equal(counter_read(&f->metrics.clients[CLIENT_NAMES_MAX].validated), i);
    }
    assert_int_equal(validated(f), 4);
    client_names_free(f->oauth->options.client_names);
    f->oauth->options.client_names = NULL;
}

static void missing_generations_are_zero(void **state) {
    struct oauth_fixture *f = *state;
    struct token_record record = usual;
    stub_store_remove(&f->store, "client:svc-a");
    stub_store_remove(&f->store, "generation");
    fixture_add_svc_a(f);
    record.generation = record.global_generation = 0;
    put_record(f, &record);
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    stub_store_put(&f->store, token.key, S("{\"client\":\"svc-a\",\"exp\":9999999999}"));
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    assert_int_equal(v.scope.size, 0);
}

static void minted_tokens_are_good(void **state) {
    struct oauth_fixture *f = *state;
    static struct oauth_grant grant;
    fixture_poison(&grant, sizeof grant);
    fixture_offer(&grant.authentication.credentials, "svc-a:s3cret-A_1.x~");
    grant.authentication.address = SLICE_ABSENT;
    grant.flow.on_done = fixture_on_done;
    grant.grant_type = S("client_credentials");
    grant.scope = grant.resources = grant.audience = S("");
    grant.ttl = S("5");
    fixture_finish(f, &grant.flow, oauth_grant_start(f->oauth, &grant));
    assert_int_equal(grant.refusal, OAUTH_REFUSED_NONE);

    struct slice text = slice_of(grant.token.text, OAUTH_TOKEN_SIZE);
    fixture_now_ms = grant.expires_at_ms - 1;
    assert_int_equal(verify_text(f, text), OAUTH_REFUSED_NONE);
    fixture_now_ms = grant.expires_at_ms;
    assert_int_equal(verify_text(f, text), OAUTH_REFUSED_NONE);
    fixture_now_ms = grant.expires_at_ms + 1000;
    assert_int_equal(verify_text(f, text), OAUTH_REFUSED_TOKEN_EXPIRED);
}

static void largest_record_is_read(void **state) {
    struct oauth_fixture *f = *state;
    static char id[OAUTH_CLIENT_ID_MAX + 1], scope[OAUTH_SCOPE_MAX], audience[OAUTH_AUDIENCE_MAX];
    memset(id, 'i', sizeof id - 1);
    memset(scope, 's', sizeof scope);
    memset(audience, 'a', sizeof audience);
    struct token_record record = usual;
    record.client_id = slice_of(id, sizeof id - 1);
    record.scope = slice_of(scope, sizeof scope);
    record.audience = slice_of(audience, sizeof audience);
    put_record(f, &record);
    fixture_put_fast_secret(f, id, "secret:1", "s");
    fixture_put_field(f, id, "gen", "7");
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    assert_slice(v.client_id, record.client_id);
    assert_slice(v.scope, record.scope);
    assert_slice(v.audience, record.audience);
}

/* ---- what speaks against it ---- */

static void remove_client(struct oauth_fixture *f) {
    stub_store_remove(&f->store, "client:svc-a");
}
static void leave_no_secret(struct oauth_fixture *f) {
    remove_client(f);
    fixture_put_field(f, "svc-a", "gen", "7");
}
static void disable_client(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "disabled", "1");
}
static void end_generation(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-a", "gen", "8");
}
static void end_global_generation(struct oauth_fixture *f) {
    stub_store_put(&f->store, "generation", S("4"));
}

static const struct objection {
    void (*raise)(struct oauth_fixture *f);
    enum oauth_refusal refusal;
    unsigned fence; /* which operation that is */
} objections[] = {
    {remove_client, OAUTH_REFUSED_TOKEN_WITHOUT_CLIENT, READ_CLIENT + 1},
    {leave_no_secret, OAUTH_REFUSED_TOKEN_WITHOUT_CLIENT, READ_CLIENT + 1},
    {disable_client, OAUTH_REFUSED_TOKEN_OF_DISABLED_CLIENT, READ_CLIENT + 1},
    {end_generation, OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION, READ_CLIENT + 1},
    {end_global_generation, OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION, READ_GENERATION + 1},
};

static void put_all_right(struct oauth_fixture *f) {
    remove_client(f);
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "gen", "7");
    stub_store_put(&f->store, "generation", S("3"));
}

/* ---- now or later ---- */

static void any_answer_may_come_later(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned pattern = 0; pattern < 1u << OPERATIONS; pattern++) {
        stub_store_rewind(&f->store);
        for (unsigned n = 1; n <= OPERATIONS; n++) {
            if ((pattern >> (n - 1) & 1) != 0) {
                stub_store_delay(&f->store, n);
            }
        }
        assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
        assert_slice(v.scope, usual.scope);
        assert_int_equal(validated(f), pattern + 1);
    }
}

/* Both are asked before either is answered; what was asked behind the record is used. */
static void generation_is_asked_beside_the_record(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_delay(&f->store, 0);
    enum progress progress = start(f, slice_of(token.text, sizeof token.text));
    assert_int_equal(progress, PROGRESS_PENDING);
    assert_int_equal(f->store.request_count, 2);
    assert_string_equal(f->store.requests[0].key, token.key);
    assert_string_equal(f->store.requests[1].key, "generation");
    assert_true(stub_store_answer_next(&f->store));
    assert_int_equal(f->store.request_count, 3);
    assert_string_equal(f->store.requests[2].key, "client:svc-a");
    fixture_finish(f, &v.flow, progress);
    assert_int_equal(v.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(f->store.request_count, OPERATIONS);
}

/* The client is known at once: what is still missing is waited for. */
static void generation_is_waited_for(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_delay(&f->store, 1);
    stub_store_delay(&f->store, 2);
    enum progress progress = start(f, slice_of(token.text, sizeof token.text));
    assert_true(stub_store_answer_next(&f->store));
    assert_int_equal(f->store.request_count, OPERATIONS);
    stub_store_put(&f->store, "generation", S("4"));
    fixture_finish(f, &v.flow, progress);
    assert_int_equal(v.refusal, OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION);
}

/* The verdict is there, but the storage is still the store's. */
static void early_end_waits_for_the_generation(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_remove(&f->store, token.key);
    stub_store_delay(&f->store, 0);
    enum progress progress = start(f, slice_of(token.text, sizeof token.text));
    assert_true(stub_store_answer_next(&f->store));
    assert_int_equal(f->store.pending, 1);
    fixture_finish(f, &v.flow, progress); /* done once, with the last answer */
    assert_int_equal(v.refusal, OAUTH_REFUSED_TOKEN_UNKNOWN);
    assert_int_equal(f->store.request_count, 2);
}

/* What the generation beside the record said is out of date behind a fence. */
static void generation_beside_the_record_is_confirmed(void **state) {
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    stub_store_put(&f->store, "generation", S("4"));
    stub_store_delay(&f->store, 1);
    stub_store_delay(&f->store, 4); /* the fence */
    enum progress progress = start(f, slice_of(token.text, sizeof token.text));
    assert_int_equal(f->store.request_count, 2);
    assert_true(stub_store_answer_next(&f->store));
    assert_int_equal(f->store.request_count, 4);
    assert_int_equal(f->store.requests[3].verb, STUB_CONFIRM);
    stub_store_put(&f->store, "generation", S("3"));
    fixture_finish(f, &v.flow, progress);
    assert_int_equal(v.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(f->store.request_count, 6);
}

/* ---- the client that is guessed ---- */

/* Fetches the token, so that its client is known. */
static void learn_client(struct oauth_fixture *f) {
    stub_store_delay(&f->store, 1);
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    stub_store_rewind(&f->store);
}

static void add_svc_b(struct oauth_fixture *f) {
    fixture_put_field(f, "svc-b", "secret:1", "$sha256$00");
    fixture_put_field(f, "svc-b", "gen", "7");
}

/* All three are asked before any is answered. */
static void known_client_is_asked_beside_the_record(void **state) {
    struct oauth_fixture *f = *state;
    learn_client(f);
    stub_store_delay(&f->store, 0);
    enum progress progress = start(f, slice_of(token.text, sizeof token.text));
    assert_int_equal(f->store.request_count, OPERATIONS);
    assert_string_equal(f->store.requests[0].key, token.key);
    assert_string_equal(f->store.requests[1].key, "generation");
    assert_string_equal(f->store.requests[2].key, "client:svc-a");
    fixture_finish(f, &v.flow, progress);
    assert_int_equal(v.refusal, OAUTH_REFUSED_NONE);
    assert_slice(v.client_id, usual.client_id);
    assert_int_equal(f->store.request_count, OPERATIONS);
}

/* What is asked in one go is judged as what is asked in turn. */
static void known_client_is_judged(void **state) {
    struct oauth_fixture *f = *state;
    learn_client(f);
    for (size_t i = 0; i < COUNT_OF(objections); i++) {
        put_all_right(f);
        objections[i].raise(f);
        stub_store_rewind(&f->store);
        stub_store_delay(&f->store, 0);
        assert_int_equal(verify(f), objections[i].refusal);
        assert_int_equal(f->store.request_count, OPERATIONS);
    }
}

/* The client is from memory, the record is not: a no is confirmed. */
static void known_client_from_memory_is_confirmed(void **state) {
    struct oauth_fixture *f = *state;
    learn_client(f);
    f->store.answers_from_memory = true;
    disable_client(f);
    stub_store_delay(&f->store, 1);
    stub_store_delay(&f->store, 4); /* the fence */
    enum progress progress = start(f, slice_of(token.text, sizeof token.text));
    assert_int_equal(f->store.request_count, OPERATIONS);
    assert_true(stub_store_answer_next(&f->store));
    assert_int_equal(f->store.requests[3].verb, STUB_CONFIRM);
    put_all_right(f);
    fixture_finish(f, &v.flow, progress);
    assert_int_equal(v.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(f->store.request_count, OPERATIONS + 1 + 2);
}

/* The record counts; and the next guess is right. */
static void wrong_guess_is_dropped(void **state) {
    struct oauth_fixture *f = *state;
    struct token_record record = usual;
    add_svc_b(f);
    record.client_id = S("svc-b");
    for (unsigned failing = 0; failing < 2; failing++) {
        put_record(f, &usual);
        learn_client(f);
        put_record(f, &record);
        disable_client(f);
        stub_store_delay(&f->store, 0);
        if (failing != 0) {
            stub_store_fail(&f->store, 3, STORE_TROUBLE_TIMEOUT);
        }
        assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
        assert_slice(v.client_id, S("svc-b"));
        assert_string_equal(f->store.requests[2].key, "client:svc-a");
        assert_string_equal(f->store.requests[3].key, "client:svc-b");
        stub_store_rewind(&f->store);
        stub_store_delay(&f->store, 0);
        assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
        assert_string_equal(f->store.requests[2].key, "client:svc-b");
        assert_int_equal(f->store.request_count, OPERATIONS);
        stub_store_rewind(&f->store);
        put_all_right(f);
    }
}

static void wrong_guess_of_one_character_is_dropped(void **state) {
    struct oauth_fixture *f = *state;
    struct token_record record = usual;
    record.client_id = S("a");
    fixture_put_field(f, "a", "secret:1", "$sha256$00");
    fixture_put_field(f, "a", "gen", "7");
    put_record(f, &record);
    learn_client(f);
    put_record(f, &usual);
    fixture_put_field(f, "a", "disabled", "1");
    stub_store_delay(&f->store, 0);
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    assert_string_equal(f->store.requests[2].key, "client:a");
}

static void early_end_waits_for_the_guess(void **state) {
    struct oauth_fixture *f = *state;
    learn_client(f);
    stub_store_remove(&f->store, token.key);
    stub_store_delay(&f->store, 0);
    enum progress progress = start(f, slice_of(token.text, sizeof token.text));
    assert_true(stub_store_answer_next(&f->store));
    assert_int_equal(f->store.pending, 2);
    fixture_finish(f, &v.flow, progress); /* done once, with the last answer */
    assert_int_equal(v.refusal, OAUTH_REFUSED_TOKEN_UNKNOWN);
    assert_int_equal(f->store.request_count, OPERATIONS);
}

/* ---- its storage ---- */

static void on_freed(struct flow *flow) {
    free(container_of(flow, struct oauth_verification, flow));
}

static void verification_may_be_freed_when_done(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned failing = 0; failing <= OPERATIONS; failing++) {
        struct oauth_verification *own = malloc(sizeof *own);
        assert_non_null(own);
        stub_store_rewind(&f->store);
        stub_store_delay(&f->store, 0);
        if (failing != 0) {
            stub_store_fail(&f->store, failing, STORE_TROUBLE_TIMEOUT);
        }
        own->flow.on_done = on_freed;
        own->token = slice_of(token.text, sizeof token.text);
        assert_int_equal(oauth_verification_start(f->oauth, own), PROGRESS_PENDING);
        while (stub_store_answer_next(&f->store)) {
        }
    }
}

/* ---- no answer is not a no ---- */

static void every_trouble_at_every_step_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned n = 1; n <= OPERATIONS; n++) {
        for (unsigned trouble = 1; trouble < STORE_TROUBLE_COUNT; trouble++) {
            for (int later = 0; later < 2; later++) {
                stub_store_rewind(&f->store);
                stub_store_fail(&f->store, n, (enum store_trouble)trouble);
                if (later) {
                    stub_store_delay(&f->store, 0);
                }
                assert_int_equal(verify(f), OAUTH_REFUSED_STORE_UNKNOWN);
                assert_int_equal(v.trouble, trouble);
                unsigned asked = n == READ_TOKEN ? 2 : OPERATIONS;
                assert_int_equal(f->store.request_count, later ? asked : n);
                assert_known_id();
            }
        }
    }
    assert_int_equal(validated(f), 0);
}

static void unreadable_records_are_our_trouble(void **state) {
    static const char *const records[] = {
        "",
        "OK",
        "{}",
        "[]",
        "{\"client\":\"svc-a\"}",
        "{\"client\":7,\"exp\":9999999999}",
        "{\"client\":\"a b\",\"exp\":9999999999}",
        "{\"client\":\"\",\"exp\":9999999999}",
        "{\"client\":\"a\\u0000\",\"exp\":9999999999}",
        "{\"client\":\"svc-a\",\"exp\":-1}",
        "{\"client\":\"svc-a\",\"exp\":1e300}",
        "{\"client\":\"svc-a\",\"exp\":9999999999",
        "{\"client\":\"svc\\na\",\"exp\":9999999999}",
    };
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        stub_store_put(&f->store, token.key, slice_of_string(records[i]));
        assert_int_equal(verify(f), OAUTH_REFUSED_RECORD_UNREADABLE);
        assert_known_id();
    }
    assert_int_equal(validated(f), 0);
}

/* What goes out in headers and JSON must be what a scope and an audience may be. */
static void odd_lists_in_a_record_are_never_told(void **state) {
    static const struct slice odd[] = {SLICE("read\r\nX-Auth-Client-Id: root"), SLICE("a\tb"),
                                       SLICE("caf\xc3\xa9"), SLICE("\x7f"), SLICE("a\nb")};
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        struct token_record record = usual;
        record.scope = odd[i];
        put_record(f, &record);
        assert_int_not_equal(verify(f), OAUTH_REFUSED_NONE);
        record = usual;
        record.audience = odd[i];
        put_record(f, &record);
        assert_int_not_equal(verify(f), OAUTH_REFUSED_NONE);
    }
}

static void record_over_its_room_is_our_trouble(void **state) {
    struct oauth_fixture *f = *state;
    static char scope[4000];
    struct token_record record = usual;
    memset(scope, 's', sizeof scope);
    record.scope = slice_of(scope, sizeof scope);
    put_record(f, &record);
    assert_int_equal(verify(f), OAUTH_REFUSED_RECORD_UNREADABLE);
}

static void unreadable_client_is_our_trouble(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "svc-a", "ttl", "long"); /* says nothing of tokens that are there */
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    fixture_put_field(f, "svc-a", "gen", "five");
    assert_int_equal(verify(f), OAUTH_REFUSED_RECORD_UNREADABLE);
}

static void unreadable_generation_is_our_trouble(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_put(&f->store, "generation", S("three"));
    assert_int_equal(verify(f), OAUTH_REFUSED_RECORD_UNREADABLE);
    stub_store_remove(&f->store, "generation");
    stub_store_put_field(&f->store, "generation", "a", S("hash"));
    assert_int_equal(verify(f), OAUTH_REFUSED_STORE_UNKNOWN);
}

static void without_a_digest_nobody_can_tell(void **state) {
    struct oauth_fixture *f = *state;
    failing_crypto.sha256 = true;
    assert_int_equal(oauth_error_status(oauth_refusal_error(verify(f))), 503);
    assert_false(v.has_jti);
    assert_int_equal(f->store.request_count, 0);
}

/* ---- no good ---- */

/* Garbage costs no question. */
static void malformed_token_asks_nobody(void **state) {
    static const char *const texts[] = {"", "nope", "mtd_", "Bearer", "mtd_0123456789"};
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(verify_text(f, slice_of_string(texts[i])), OAUTH_REFUSED_TOKEN_MALFORMED);
        assert_false(v.has_jti);
        assert_true(slice_is_absent(v.client_id));
    }
    token.text[20] = token.text[20] == 'a' ? 'b' : 'a';
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_MALFORMED);
    assert_int_equal(verify_text(f, SLICE_ABSENT), OAUTH_REFUSED_TOKEN_MALFORMED);
    assert_int_equal(f->store.request_count, 0);
}

static void client_secret_is_no_token(void **state) {
    struct oauth_fixture *f = *state;
    char secret[OAUTH_TOKEN_SIZE];
    assert_true(token_text_make(f->crypto, S("mts_"), secret));
    assert_int_equal(verify_text(f, slice_of(secret, sizeof secret)),
                     OAUTH_REFUSED_TOKEN_MALFORMED);
}

static void unknown_token_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_remove(&f->store, token.key);
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_UNKNOWN);
    assert_known_id();
    assert_true(slice_is_absent(v.client_id));
    assert_int_equal(f->store.request_count, 1);
}

static void token_expires_at_its_millisecond(void **state) {
    struct oauth_fixture *f = *state;
    fixture_now_ms = EXPIRES_AT * 1000 - 1;
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    fixture_now_ms = EXPIRES_AT * 1000;
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_EXPIRED);
    fixture_now_ms = EXPIRES_AT * 1000 + 1;
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_EXPIRED);
    assert_known_id();
}

static void far_expiry_is_far(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_put(&f->store, token.key,
                   S("{\"client\":\"svc-a\",\"exp\":9007199254740992,\"gen\":7,\"ggen\":3}"));
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
}

static void other_generation_of_the_client_is_refused(void **state) {
    static const char *const generations[] = {"6", "8", "0", "4294967303"};
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(generations); i++) {
        fixture_put_field(f, "svc-a", "gen", generations[i]);
        assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION);
        assert_slice(v.client_id, S("svc-a"));
    }
}

static void other_global_generation_is_refused(void **state) {
    static const char *const generations[] = {"2", "4", "0", "4294967299"};
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(generations); i++) {
        stub_store_put(&f->store, "generation", slice_of_string(generations[i]));
        assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION);
    }
    stub_store_remove(&f->store, "generation");
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION);
    assert_int_equal(validated(f), 0);
}

static void disabled_client_has_no_good_token(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "svc-a", "disabled", "1");
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_OF_DISABLED_CLIENT);
    fixture_put_field(f, "svc-a", "disabled", "0");
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
}

static void removed_client_has_no_good_token(void **state) {
    struct oauth_fixture *f = *state;
    stub_store_remove(&f->store, "client:svc-a");
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_WITHOUT_CLIENT);
    fixture_put_field(f, "svc-a", "secret:1:used", "1795467600");
    fixture_put_field(f, "svc-a", "gen", "7");
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_WITHOUT_CLIENT);
}

/* The record says whose the token is; nobody else's is asked. */
static void record_names_the_client(void **state) {
    struct oauth_fixture *f = *state;
    struct token_record record = usual;
    record.client_id = S("svc-b");
    put_record(f, &record);
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_WITHOUT_CLIENT);
    assert_string_equal(f->store.requests[1].key, "client:svc-b");
}

/* ---- what rests on memory ---- */

static unsigned fences(const struct oauth_fixture *f) {
    unsigned count = 0;
    for (unsigned i = 0; i < f->store.request_count; i++) {
        count += f->store.requests[i].verb == STUB_CONFIRM;
    }
    return count;
}

/* Asked again behind one fence; the second no is the last word, from memory or not. */
static void no_from_memory_is_confirmed(void **state) {
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    for (size_t i = 0; i < COUNT_OF(objections); i++) {
        put_all_right(f);
        objections[i].raise(f);
        stub_store_rewind(&f->store);
        assert_int_equal(verify(f), objections[i].refusal);
        assert_int_equal(f->store.requests[objections[i].fence - 1].verb, STUB_CONFIRM);
        assert_int_equal(f->store.requests[objections[i].fence - 1].premise_count, 1);
        assert_string_equal(f->store.requests[objections[i].fence].key, "client:svc-a");
        assert_int_equal(fences(f), 1);
        assert_int_equal(f->store.request_count, 2 * objections[i].fence - 2);
    }
    assert_int_equal(validated(f), 0);
}

static void no_of_the_store_needs_no_fence(void **state) {
    struct oauth_fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(objections); i++) {
        put_all_right(f);
        objections[i].raise(f);
        stub_store_rewind(&f->store);
        assert_int_equal(verify(f), objections[i].refusal);
        assert_int_equal(fences(f), 0);
    }
}

/* What memory says no about has changed a moment ago. */
static void changed_behind_the_fence_is_judged_again(void **state) {
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    for (size_t i = 0; i < COUNT_OF(objections); i++) {
        put_all_right(f);
        objections[i].raise(f);
        stub_store_rewind(&f->store);
        stub_store_delay(&f->store, objections[i].fence);
        enum progress progress = start(f, slice_of(token.text, sizeof token.text));
        assert_int_equal(progress, PROGRESS_PENDING);
        put_all_right(f);
        fixture_finish(f, &v.flow, progress);
        assert_int_equal(v.refusal, OAUTH_REFUSED_NONE);
        assert_slice(v.client_id, usual.client_id);
        assert_slice(v.scope, usual.scope);
        assert_int_equal(validated(f), i + 1);
    }
}

/* Client and generation may lie on two nodes: that one of them is as of now says nothing of the
 * other, of whose change nobody has heard yet. */
static void each_no_is_confirmed_for_itself(void **state) {
    enum { CONFIRM_CLIENT = READ_CLIENT + 1, CONFIRM_GENERATION = CONFIRM_CLIENT + 3 };
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    fixture_put_field(f, "svc-a", "gen", "6");
    stub_store_put(&f->store, "generation", S("2"));
    stub_store_delay(&f->store, CONFIRM_CLIENT);
    stub_store_delay(&f->store, CONFIRM_GENERATION);
    assert_int_equal(start(f, slice_of(token.text, sizeof token.text)), PROGRESS_PENDING);
    fixture_put_field(f, "svc-a", "gen", "7");
    assert_true(stub_store_answer_next(&f->store));
    assert_int_equal(f->store.request_count, CONFIRM_GENERATION);
    assert_string_equal(f->store.requests[CONFIRM_CLIENT - 1].key, "client:svc-a");
    assert_string_equal(f->store.requests[CONFIRM_GENERATION - 1].key, "generation");
    stub_store_put(&f->store, "generation", S("3"));
    fixture_finish(f, &v.flow, PROGRESS_PENDING);
    assert_int_equal(v.refusal, OAUTH_REFUSED_NONE);
    assert_int_equal(fences(f), 2);
}

static void fence_without_an_answer_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    for (size_t i = 0; i < COUNT_OF(objections); i++) {
        put_all_right(f);
        objections[i].raise(f);
        for (unsigned trouble = 1; trouble < STORE_TROUBLE_COUNT; trouble++) {
            stub_store_rewind(&f->store);
            stub_store_fail(&f->store, objections[i].fence, (enum store_trouble)trouble);
            assert_int_equal(verify(f), OAUTH_REFUSED_STORE_UNKNOWN);
            assert_int_equal(v.trouble, trouble);
            assert_int_equal(f->store.request_count, objections[i].fence);
        }
    }
}

static void good_token_from_memory_needs_no_fence(void **state) {
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    assert_int_equal(f->store.request_count, OPERATIONS);
}

/* None comes to life again. */
static void token_gone_from_memory_needs_no_fence(void **state) {
    struct oauth_fixture *f = *state;
    f->store.answers_from_memory = true;
    fixture_now_ms = EXPIRES_AT * 1000;
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_EXPIRED);
    assert_int_equal(f->store.request_count, 1);
    stub_store_remove(&f->store, token.key);
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_UNKNOWN);
    assert_int_equal(f->store.request_count, 2);
}

/* The store may be another one than was named, and would not have told: each no is confirmed. */
static void no_of_a_doubtful_store_is_confirmed(void **state) {
    struct oauth_fixture *f = *state;
    f->store.is_doubtful = true;
    for (size_t i = 0; i < COUNT_OF(objections); i++) {
        put_all_right(f);
        objections[i].raise(f);
        stub_store_rewind(&f->store);
        assert_int_equal(verify(f), objections[i].refusal);
        assert_int_equal(fences(f), 1);
        stub_store_rewind(&f->store);
        stub_store_fail(&f->store, objections[i].fence, STORE_TROUBLE_IDENTITY);
        assert_int_equal(verify(f), OAUTH_REFUSED_STORE_UNKNOWN);
        assert_int_equal(v.trouble, STORE_TROUBLE_IDENTITY);
    }
    put_all_right(f);
    stub_store_rewind(&f->store);
    assert_int_equal(verify(f), OAUTH_REFUSED_NONE);
    assert_int_equal(fences(f), 0);
}

/* So is the absence of a token; also while what was asked beside it is not answered yet. */
static void token_absent_in_a_doubtful_store_is_confirmed(void **state) {
    struct oauth_fixture *f = *state;
    f->store.is_doubtful = true;
    stub_store_remove(&f->store, token.key);
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_UNKNOWN);
    assert_int_equal(f->store.request_count, 2);
    assert_int_equal(f->store.requests[1].verb, STUB_CONFIRM);
    stub_store_rewind(&f->store);
    stub_store_fail(&f->store, 2, STORE_TROUBLE_IDENTITY);
    assert_int_equal(verify(f), OAUTH_REFUSED_STORE_UNKNOWN);
    assert_int_equal(v.trouble, STORE_TROUBLE_IDENTITY);
    stub_store_rewind(&f->store);
    stub_store_delay(&f->store, 0);
    assert_int_equal(verify(f), OAUTH_REFUSED_TOKEN_UNKNOWN);
    assert_int_equal(fences(f), 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(good_token_is_good),
        TEST(good_tokens_are_counted_by_client),
        TEST(missing_generations_are_zero),
        TEST(minted_tokens_are_good),
        TEST(largest_record_is_read),
        TEST(any_answer_may_come_later),
        TEST(generation_is_asked_beside_the_record),
        TEST(generation_is_waited_for),
        TEST(early_end_waits_for_the_generation),
        TEST(generation_beside_the_record_is_confirmed),
        TEST(known_client_is_asked_beside_the_record),
        TEST(known_client_is_judged),
        TEST(known_client_from_memory_is_confirmed),
        TEST(wrong_guess_is_dropped),
        TEST(wrong_guess_of_one_character_is_dropped),
        TEST(early_end_waits_for_the_guess),
        TEST(verification_may_be_freed_when_done),
        TEST(every_trouble_at_every_step_is_unknown),
        TEST(unreadable_records_are_our_trouble),
        TEST(odd_lists_in_a_record_are_never_told),
        TEST(record_over_its_room_is_our_trouble),
        TEST(unreadable_client_is_our_trouble),
        TEST(unreadable_generation_is_our_trouble),
        TEST(without_a_digest_nobody_can_tell),
        TEST(malformed_token_asks_nobody),
        TEST(client_secret_is_no_token),
        TEST(unknown_token_is_unknown),
        TEST(token_expires_at_its_millisecond),
        TEST(far_expiry_is_far),
        TEST(other_generation_of_the_client_is_refused),
        TEST(other_global_generation_is_refused),
        TEST(disabled_client_has_no_good_token),
        TEST(removed_client_has_no_good_token),
        TEST(record_names_the_client),
        TEST(no_from_memory_is_confirmed),
        TEST(no_of_the_store_needs_no_fence),
        TEST(changed_behind_the_fence_is_judged_again),
        TEST(each_no_is_confirmed_for_itself),
        TEST(fence_without_an_answer_is_unknown),
        TEST(good_token_from_memory_needs_no_fence),
        TEST(token_gone_from_memory_needs_no_fence),
        TEST(no_of_a_doubtful_store_is_confirmed),
        TEST(token_absent_in_a_doubtful_store_is_confirmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
