/* Is this client who it says it is: fast and slow secrets, the memory of verified ones, the store's
 * troubles. */
#include "oauth/oauth_internal.h"
#include "support/failing_crypto.h"
#include "support/held_pool.h"
#include "support/oauth_fixture.h"
#include <stdio.h>

/* Everything here but the store's answer to one read is decided inside. */
#define READ 1u

/* What an unknown client is judged by. */
#define FAST_DECOY S("$sha256$0000000000000000000000000000000000000000000000000000000000000000")

static struct oauth_authentication a;

static uint64_t slow_checks(const struct oauth_fixture *f) {
    return counter_read(&f->metrics.slow_checks);
}

static enum oauth_refusal authenticate(struct oauth_fixture *f, const char *id_and_secret) {
    fixture_authenticate(f, &a, id_and_secret);
    return a.refusal;
}

static void assert_good(struct oauth_fixture *f, const char *id_and_secret, unsigned number) {
    assert_int_equal(authenticate(f, id_and_secret), OAUTH_REFUSED_NONE);
    assert_int_equal(a.secret_number, number);
    assert_int_equal(a.secret_expired_at, 0);
    assert_int_equal(a.trouble, STORE_TROUBLE_NONE);
}

static void assert_refused(struct oauth_fixture *f, const char *id_and_secret,
                           enum oauth_refusal expected) {
    assert_int_equal(authenticate(f, id_and_secret), expected);
}

/* Seconds as the store has them, relative to the fixture's clock. */
static void put_expiry(struct oauth_fixture *f, const char *id, const char *name, int64_t seconds) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)(FIXTURE_START_MS / 1000) + (long long)seconds);
    fixture_put_field(f, id, name, text);
}

/* ---- fast secrets ---- */

static void right_secret_is_right(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
    assert_slice(a.client.scope, S("read write"));
    assert_slice(oauth_credentials_id(&a.credentials), S("svc-a"));
    assert_int_equal(f->store.request_count, 1);
    assert_int_equal(f->store.requests[0].verb, STUB_READ_HASH);
    assert_string_equal(f->store.requests[0].key, "client:svc-a");
    assert_int_equal(slow_checks(f), 0);
}

/* C-10. */
static void other_secrets_are_wrong(void **state) {
    static const char *const pairs[] = {
        "svc-a:s3cret-A_1.x",   "svc-a:s3cret-A_1.x~~", "svc-a:S3CRET-A_1.X~",
        "svc-a:s3cret-A_1.x~ ", "svc-a: s3cret-A_1.x~", "svc-a:x",
    };
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_refused(f, pairs[i], OAUTH_REFUSED_WRONG_SECRET);
        assert_int_equal(a.secret_number, 0);
    }
    assert_int_equal(slow_checks(f), 0);
}

/* The stored text itself opens nothing, whatever it is. */
static void stored_text_is_no_secret(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "odd", "secret:1", "plain");
    fixture_put_field(f, "odd", "secret:2", "$md5$x");
    fixture_put_field(f, "odd", "secret:3",
                      "$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_refused(f, "odd:plain", OAUTH_REFUSED_WRONG_SECRET);
    assert_refused(f, "odd:$md5$x", OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(slow_checks(f), 0);
}

/* C-02 to C-04 and C-06, to the end. */
static void either_reading_may_match(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "svc-b", "secret:1", "p@s+s w%rd:\xc3\xa9");
    assert_good(f, "svc-b:p@s+s w%rd:\xc3\xa9", 1);
    assert_good(f, "svc-b:p%40s%2Bs+w%25rd%3A%C3%A9", 1);
    assert_refused(f, "svc-b:p@s+s w%rd:\xe9", OAUTH_REFUSED_WRONG_SECRET);
    assert_refused(f, "svc-b:p@s s w%rd:\xc3\xa9", OAUTH_REFUSED_WRONG_SECRET);
    fixture_put_fast_secret(f, "colon", "secret:1", "a:b");
    assert_good(f, "colon:a:b", 1);
    fixture_put_fast_secret(f, "plus", "secret:1", "a+b");
    assert_good(f, "plus:a+b", 1);
    assert_good(f, "plus:a%2Bb", 1);
    assert_refused(f, "plus:a b", OAUTH_REFUSED_WRONG_SECRET);
}

static void unknown_client_is_refused(void **state) {
    struct oauth_fixture *f = *state;
    assert_refused(f, "nobody:x", OAUTH_REFUSED_UNKNOWN_CLIENT);
    assert_slice(oauth_credentials_id(&a.credentials), S("nobody"));
    assert_int_equal(slow_checks(f), 0);
}

/* A late write of one field must not make a client. */
static void hash_without_a_secret_is_no_client(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "ghost", "secret:1:used", "1795467600");
    fixture_put_field(f, "ghost", "scope", "read");
    assert_refused(f, "ghost:x", OAUTH_REFUSED_UNKNOWN_CLIENT);
}

static void decoy_matches_nothing(void **state) {
    struct oauth_fixture *f = *state;
    char pair[256];
    snprintf(pair, sizeof pair, "nobody:%.*s", (int)FAST_DECOY.size, FAST_DECOY.data);
    assert_refused(f, pair, OAUTH_REFUSED_UNKNOWN_CLIENT);
}

static void disabled_client_is_refused(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "disabled", "1");
    assert_refused(f, "svc-a:s3cret-A_1.x~", OAUTH_REFUSED_CLIENT_DISABLED);
    assert_refused(f, "svc-a:wrong", OAUTH_REFUSED_WRONG_SECRET);
    fixture_put_field(f, "svc-a", "disabled", "0");
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
}

static void malformed_credentials_ask_nobody(void **state) {
    struct oauth_fixture *f = *state;
    assert_refused(f, "svc-a:", OAUTH_REFUSED_MALFORMED_CREDENTIALS);
    assert_refused(f, "no colon", OAUTH_REFUSED_MALFORMED_CREDENTIALS);
    assert_int_equal(f->store.request_count, 0);
    assert_int_equal(a.secret_number, 0);
    assert_int_equal(a.secret_expired_at, 0);
    assert_int_equal(a.retry_after_s, 0);
    assert_false(oauth_authentication_may_be_wrong(&a));
}

static void unreadable_record_is_our_trouble(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "gen", "seven");
    assert_refused(f, "svc-a:s3cret-A_1.x~", OAUTH_REFUSED_RECORD_UNREADABLE);
    assert_refused(f, "svc-a:wrong", OAUTH_REFUSED_RECORD_UNREADABLE);
}

/* ---- several secrets ---- */

static void each_of_four_secrets_is_good(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "four", "secret:1", "one");
    fixture_put_fast_secret(f, "four", "secret:2", "two");
    fixture_put_fast_secret(f, "four", "secret:3", "three");
    fixture_put_fast_secret(f, "four", "secret:4", "four");
    fixture_put_fast_secret(f, "four", "secret:5", "five");
    assert_good(f, "four:one", 1);
    assert_good(f, "four:two", 2);
    assert_good(f, "four:three", 3);
    assert_good(f, "four:four", 4);
    assert_refused(f, "four:five", OAUTH_REFUSED_WRONG_SECRET);
}

static void expired_secret_is_named(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "two", "secret:1", "new");
    fixture_put_fast_secret(f, "two", "secret:2", "old");
    put_expiry(f, "two", "secret:2:expires", -3600);
    assert_refused(f, "two:old", OAUTH_REFUSED_SECRET_EXPIRED);
    assert_int_equal(a.secret_number, 2);
    assert_int_equal(a.secret_expired_at, FIXTURE_START_MS / 1000 - 3600);
    assert_good(f, "two:new", 1);
    assert_refused(f, "two:neither", OAUTH_REFUSED_WRONG_SECRET);
    assert_int_equal(a.secret_number, 0);
}

static void expired_secret_does_not_hide_a_good_one(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "same", "secret:1", "same");
    put_expiry(f, "same", "secret:1:expires", -1);
    fixture_put_fast_secret(f, "same", "secret:3", "same");
    assert_good(f, "same:same", 3);
    put_expiry(f, "same", "secret:3:expires", 1);
    assert_good(f, "same:same", 3);
    put_expiry(f, "same", "secret:3:expires", -2);
    assert_refused(f, "same:same", OAUTH_REFUSED_SECRET_EXPIRED);
}

static void secret_expires_at_its_second(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "id", "secret:1", "s");
    put_expiry(f, "id", "secret:1:expires", 10);
    uint64_t expires_ms = (FIXTURE_START_MS / 1000 + 10) * 1000;
    fixture_now_ms = expires_ms - 1;
    assert_good(f, "id:s", 1);
    fixture_now_ms = expires_ms;
    assert_refused(f, "id:s", OAUTH_REFUSED_SECRET_EXPIRED);
}

/* An end far away must not wrap around into the past. */
static void far_expiry_is_far(void **state) {
    static const char *const ends[] = {"18446744073709552", "18446744073709600",
                                       "9223372036854775807", "253402300799"};
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "id", "secret:1", "s");
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        fixture_put_field(f, "id", "secret:1:expires", ends[i]);
        assert_good(f, "id:s", 1);
    }
}

static void disabled_and_expired_is_refused(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_fast_secret(f, "id", "secret:1", "s");
    put_expiry(f, "id", "secret:1:expires", -1);
    fixture_put_field(f, "id", "disabled", "1");
    assert_int_equal(oauth_refusal_error(authenticate(f, "id:s")), OAUTH_INVALID_CLIENT);
}

/* ---- slow secrets ---- */

static void slow_secret_is_checked_once(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    assert_good(f, "slow:correct horse", 1);
    assert_int_equal(slow_checks(f), 1);
    for (int again = 0; again < 3; again++) {
        assert_good(f, "slow:correct horse", 1);
    }
    assert_int_equal(slow_checks(f), 1);
    assert_int_equal(counter_read(&f->metrics.remembered_checks), 3);
}

static void memory_is_of_this_process(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    assert_good(f, "slow:correct horse", 1);
    fixture_restart(f);
    assert_good(f, "slow:correct horse", 1);
    assert_int_equal(slow_checks(f), 1);
}

/* The same secret under another salt: bound to what is stored. */
static void changed_stored_secret_is_checked_again(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    assert_good(f, "slow:correct horse", 1);
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'b');
    assert_good(f, "slow:correct horse", 1);
    assert_int_equal(slow_checks(f), 2);
    fixture_put_slow_secret(f, "slow", "secret:1", "battery staple", 'b');
    assert_refused(f, "slow:correct horse", OAUTH_REFUSED_WRONG_SECRET);
}

static void wrong_slow_secret_is_never_remembered(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    for (unsigned n = 1; n <= 3; n++) {
        assert_refused(f, "slow:wrong", OAUTH_REFUSED_WRONG_SECRET);
        assert_int_equal(slow_checks(f), n);
    }
    assert_int_equal(counter_read(&f->metrics.remembered_checks), 0);
}

static void both_readings_of_a_slow_secret_are_checked(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "a+b", 'a');
    assert_good(f, "slow:a+b", 1);
    assert_int_equal(slow_checks(f), 2);
    assert_good(f, "slow:a+b", 1);
    assert_good(f, "slow:a%2Bb", 1);
    fixture_put_slow_secret(f, "slow", "secret:1", "a b", 'a');
    assert_good(f, "slow:a+b", 1);
}

static void slow_and_fast_secrets_live_together(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "both", "secret:1", "slow one", 'a');
    fixture_put_fast_secret(f, "both", "secret:2", "fast one");
    fixture_put_slow_secret(f, "both", "secret:3", "other slow one", 'c');
    assert_good(f, "both:fast one", 2);
    assert_int_equal(slow_checks(f), 0);
    assert_good(f, "both:other slow one", 3);
    assert_int_equal(slow_checks(f), 2);
    assert_good(f, "both:slow one", 1);
    assert_refused(f, "both:no one", OAUTH_REFUSED_WRONG_SECRET);
}

static void expired_slow_secret_is_named(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:2", "correct horse", 'a');
    put_expiry(f, "slow", "secret:2:expires", -5);
    for (int again = 0; again < 2; again++) {
        assert_refused(f, "slow:correct horse", OAUTH_REFUSED_SECRET_EXPIRED);
        assert_int_equal(a.secret_number, 2);
        assert_int_equal(a.secret_expired_at, FIXTURE_START_MS / 1000 - 5);
    }
}

/* A secret that expires while it is remembered is not good any more. */
static void memory_does_not_outlive_the_expiry(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    put_expiry(f, "slow", "secret:1:expires", 10);
    assert_good(f, "slow:correct horse", 1);
    fixture_now_ms += 11000;
    assert_refused(f, "slow:correct horse", OAUTH_REFUSED_SECRET_EXPIRED);
}

static void memory_does_not_outlive_disabling(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    assert_good(f, "slow:correct horse", 1);
    fixture_put_field(f, "slow", "disabled", "1");
    assert_refused(f, "slow:correct horse", OAUTH_REFUSED_CLIENT_DISABLED);
}

static void without_a_digest_nothing_is_remembered(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    failing_crypto.keyed_digest = true;
    assert_good(f, "slow:correct horse", 1);
    assert_good(f, "slow:correct horse", 1);
    assert_int_equal(slow_checks(f), 2);
}

/* A right secret is not called wrong, and no wrong one is counted. */
static void without_a_digest_nobody_can_tell(void **state) {
    static const char *const pairs[] = {"svc-a:s3cret-A_1.x~", "svc-a:wrong", "nobody:x",
                                        "slow:correct horse"};
    struct oauth_fixture *f = *state;
    f->failure_limit = 1;
    fixture_restart(f);
    fixture_add_svc_a(f);
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    failing_crypto.sha256 = true;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        stub_store_rewind(&f->store);
        assert_int_equal(authenticate(f, pairs[i]), OAUTH_REFUSED_BUSY);
        assert_int_equal(f->store.request_count, READ);
    }
    failing_crypto.sha256 = false;
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
}

/* ---- alike in time: what a refusal costs once slow secrets are in use (T-21) ---- */

/* Slow checks that this attempt costs. */
static uint64_t cost_of(struct oauth_fixture *f, const char *id_and_secret) {
    uint64_t before = slow_checks(f);
    assert_int_equal(oauth_refusal_error(authenticate(f, id_and_secret)), OAUTH_INVALID_CLIENT);
    return slow_checks(f) - before;
}

static void see_a_slow_secret(struct oauth_fixture *f) {
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    assert_good(f, "slow:correct horse", 1);
}

static void every_refusal_costs_a_slow_check(void **state) {
    struct oauth_fixture *f = *state;
    see_a_slow_secret(f);
    fixture_add_svc_a(f);
    assert_int_equal(cost_of(f, "slow:wrong"), 1);
    assert_int_equal(cost_of(f, "nobody:wrong"), 1);
    assert_int_equal(cost_of(f, "svc-a:wrong"), 1);
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
}

static void two_readings_cost_alike(void **state) {
    struct oauth_fixture *f = *state;
    see_a_slow_secret(f);
    fixture_add_svc_a(f);
    uint64_t known = cost_of(f, "slow:wrong+one");
    assert_int_equal(cost_of(f, "nobody:wrong+one"), known);
    assert_int_equal(cost_of(f, "svc-a:wrong+one"), known);
}

static void disabled_client_costs_alike(void **state) {
    struct oauth_fixture *f = *state;
    see_a_slow_secret(f);
    fixture_add_svc_a(f);
    fixture_put_field(f, "svc-a", "disabled", "1");
    assert_int_equal(cost_of(f, "svc-a:wrong"), 1);
    assert_int_equal(cost_of(f, "svc-a:s3cret-A_1.x~"), 1);
}

static void expired_secret_costs_alike(void **state) {
    struct oauth_fixture *f = *state;
    see_a_slow_secret(f);
    fixture_put_fast_secret(f, "old", "secret:1", "s");
    put_expiry(f, "old", "secret:1:expires", -1);
    assert_int_equal(cost_of(f, "old:s"), 1);
    put_expiry(f, "slow", "secret:1:expires", -1);
    assert_int_equal(cost_of(f, "slow:correct horse"), 1);
}

/* ---- the pool has no room, or no time ---- */

static void on_ignored(struct password_job *job) {
    (void)job;
}

static void full_pool_is_busy(void **state) {
    struct oauth_fixture *f = *state;
    static struct password_job waiting[16];
    static struct held_pool held;
    see_a_slow_secret(f);
    fixture_add_svc_a(f);

    held_pool_init(&held, f->pool);
    unsigned queued = 0;
    do {
        assert_true(queued < COUNT_OF(waiting));
        waiting[queued].on_done = on_ignored;
    } while (password_pool_submit(f->pool, f->inbox, &waiting[queued++], FAST_DECOY, S("x")));
    uint64_t before = slow_checks(f);
    assert_refused(f, "slow:wrong", OAUTH_REFUSED_BUSY);
    assert_refused(f, "nobody:x", OAUTH_REFUSED_BUSY);
    assert_good(f, "slow:correct horse", 1);
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
    assert_int_equal(slow_checks(f), before);

    held_pool_release(&held);
    for (unsigned done = 0; done + 1 < queued; done++) {
        sem_wait(&f->job_finished);
        password_inbox_drain(f->inbox);
    }
    assert_refused(f, "slow:wrong", OAUTH_REFUSED_WRONG_SECRET);
    held_pool_fini(&held);
}

static void start(struct oauth_fixture *f, struct oauth_authentication *one,
                  const char *id_and_secret) {
    fixture_poison(one, sizeof *one);
    fixture_offer(&one->credentials, id_and_secret);
    one->address = SLICE_ABSENT;
    one->wants_generation = false;
    one->flow.on_done = fixture_on_done;
    assert_int_equal(oauth_authentication_start(f->oauth, one), PROGRESS_PENDING);
}

/* Right, wrong or of nobody: nobody knows, so it is no 401. */
static void checks_given_up_are_busy(void **state) {
    struct oauth_fixture *f = *state;
    static const char *const offers[] = {"slow:correct horse", "slow:wrong", "nobody:x"};
    static struct oauth_authentication waiting[COUNT_OF(offers)];
    static struct held_pool held;
    see_a_slow_secret(f);
    fixture_add_svc_a(f);
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'b');
    held_pool_init(&held, f->pool);
    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        start(f, &waiting[i], offers[i]);
    }
    oauth_give_up_slow_checks(f->oauth);
    password_inbox_drain(f->inbox);
    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        assert_int_equal(fixture_times_done(&waiting[i].flow), 1);
        assert_int_equal(waiting[i].refusal, OAUTH_REFUSED_BUSY);
    }
    assert_refused(f, "slow:wrong", OAUTH_REFUSED_BUSY); /* one that comes late */
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
    held_pool_release(&held);
    held_pool_fini(&held);
}

/* ---- the store ---- */

static void every_trouble_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    for (unsigned trouble = 1; trouble < STORE_TROUBLE_COUNT; trouble++) {
        for (int later = 0; later < 2; later++) {
            stub_store_rewind(&f->store);
            stub_store_fail(&f->store, READ, (enum store_trouble)trouble);
            if (later) {
                stub_store_delay(&f->store, READ);
            }
            assert_refused(f, "svc-a:s3cret-A_1.x~", OAUTH_REFUSED_STORE_UNKNOWN);
            assert_int_equal(a.trouble, trouble);
        }
    }
}

static void answers_may_come_later(void **state) {
    struct oauth_fixture *f = *state;
    fixture_add_svc_a(f);
    fixture_put_slow_secret(f, "slow", "secret:1", "correct horse", 'a');
    stub_store_delay(&f->store, 0);
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
    assert_refused(f, "svc-a:wrong", OAUTH_REFUSED_WRONG_SECRET);
    assert_refused(f, "nobody:x", OAUTH_REFUSED_UNKNOWN_CLIENT);
    assert_good(f, "slow:correct horse", 1);
    assert_good(f, "slow:correct horse", 1);
    assert_refused(f, "slow:wrong", OAUTH_REFUSED_WRONG_SECRET);
}

/* ---- the memory itself ---- */

static void memory_forgets_the_oldest_and_stays_right(void **state) {
    struct oauth_fixture *f = *state;
    static struct digest_memory memory;
    enum { MANY = 5000 };
    char storage[16];
    unsigned remembered = 0;
    memset(&memory, 0, sizeof memory);
    for (int i = 0; i < MANY; i++) {
        int size = snprintf(storage, sizeof storage, "%d", i);
        struct slice text = slice_of(storage, (size_t)size);
        assert_int_equal(digest_memory_find(&memory, f->crypto, S("a"), text, 0), 0);
        digest_memory_put(&memory, f->crypto, S("a"), text, 7);
        assert_int_equal(digest_memory_find(&memory, f->crypto, S("a"), text, 6), 7);
        assert_int_equal(digest_memory_find(&memory, f->crypto, S("a"), text, 7), 0);
        assert_int_equal(digest_memory_find(&memory, f->crypto, S("b"), text, 6), 0);
        assert_int_equal(digest_memory_find(&memory, f->crypto, text, S("a"), 6), 0);
    }
    for (int i = 0; i < MANY; i++) {
        int size = snprintf(storage, sizeof storage, "%d", i);
        struct slice text = slice_of(storage, (size_t)size);
        remembered += digest_memory_find(&memory, f->crypto, S("a"), text, 0) != 0;
    }
    assert_in_range(remembered, DIGEST_MEMORY_SETS, DIGEST_MEMORY_SETS * DIGEST_MEMORY_WAYS);
}

static int tear_down(void **state) {
    failing_crypto = (struct failing_crypto){0};
    return oauth_fixture_tear_down(state);
}

/* ---- what rests on memory ---- */

#define FENCE 2u

static void add_clients_to_refuse(struct oauth_fixture *f) {
    fixture_add_svc_a(f);
    fixture_put_fast_secret(f, "off", "secret:1", "right");
    fixture_put_field(f, "off", "disabled", "1");
    fixture_put_fast_secret(f, "old", "secret:1", "right");
    put_expiry(f, "old", "secret:1:expires", -1);
    fixture_put_field(f, "ghost", "scope", "read");
}

static const struct {
    const char *pair;
    enum oauth_refusal refusal;
} refusals[] = {
    {"nobody:x", OAUTH_REFUSED_UNKNOWN_CLIENT},   {"ghost:x", OAUTH_REFUSED_UNKNOWN_CLIENT},
    {"off:right", OAUTH_REFUSED_CLIENT_DISABLED}, {"off:wrong", OAUTH_REFUSED_WRONG_SECRET},
    {"svc-a:wrong", OAUTH_REFUSED_WRONG_SECRET},  {"old:right", OAUTH_REFUSED_SECRET_EXPIRED},
};

/* One question to the store, whoever it is: none can be told from another by it. */
static void every_refusal_from_memory_takes_one_fence(void **state) {
    struct oauth_fixture *f = *state;
    add_clients_to_refuse(f);
    f->store.answers_from_memory = true;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        stub_store_rewind(&f->store);
        assert_refused(f, refusals[i].pair, refusals[i].refusal);
        assert_int_equal(f->store.request_count, FENCE);
        assert_int_equal(f->store.requests[0].verb, STUB_READ_HASH);
        assert_int_equal(f->store.requests[1].verb, STUB_CONFIRM);
    }
    stub_store_rewind(&f->store);
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
    assert_int_equal(f->store.request_count, READ);
}

/* The same where the store may be another one than was named. */
static void every_refusal_of_a_doubtful_store_takes_one_fence(void **state) {
    struct oauth_fixture *f = *state;
    add_clients_to_refuse(f);
    f->store.is_doubtful = true;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        stub_store_rewind(&f->store);
        assert_refused(f, refusals[i].pair, refusals[i].refusal);
        assert_int_equal(f->store.request_count, FENCE);
        assert_int_equal(f->store.requests[1].verb, STUB_CONFIRM);
        stub_store_rewind(&f->store);
        stub_store_fail(&f->store, FENCE, STORE_TROUBLE_IDENTITY);
        assert_refused(f, refusals[i].pair, OAUTH_REFUSED_STORE_UNKNOWN);
        assert_int_equal(a.trouble, STORE_TROUBLE_IDENTITY);
    }
    stub_store_rewind(&f->store);
    assert_good(f, "svc-a:s3cret-A_1.x~", 1);
    assert_int_equal(f->store.request_count, READ);
}

static void refusal_of_the_store_takes_none(void **state) {
    struct oauth_fixture *f = *state;
    add_clients_to_refuse(f);
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        stub_store_rewind(&f->store);
        assert_refused(f, refusals[i].pair, refusals[i].refusal);
        assert_int_equal(f->store.request_count, READ);
    }
}

/* The same where a slow secret is in use: as many slow checks, too. */
static void slow_refusals_take_one_fence(void **state) {
    struct oauth_fixture *f = *state;
    add_clients_to_refuse(f);
    fixture_put_slow_secret(f, "slow", "secret:1", "right", 'a');
    f->store.answers_from_memory = true;
    assert_good(f, "slow:right", 1);
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        uint64_t before = slow_checks(f);
        stub_store_rewind(&f->store);
        assert_refused(f, refusals[i].pair, refusals[i].refusal);
        assert_int_equal(f->store.requests[1].deadline_ns, 0); /* it has all of its time */
        assert_int_equal(f->store.request_count, FENCE);
        assert_int_equal(slow_checks(f) - before, 1);
    }
}

static void fence_without_an_answer_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    add_clients_to_refuse(f);
    f->store.answers_from_memory = true;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        for (unsigned trouble = 1; trouble < STORE_TROUBLE_COUNT; trouble++) {
            stub_store_rewind(&f->store);
            stub_store_fail(&f->store, FENCE, (enum store_trouble)trouble);
            assert_refused(f, refusals[i].pair, OAUTH_REFUSED_STORE_UNKNOWN);
            assert_int_equal(a.trouble, trouble);
        }
    }
}

static void start_until_fence(struct oauth_fixture *f, const char *id_and_secret) {
    f->store.answers_from_memory = true;
    stub_store_rewind(&f->store);
    stub_store_delay(&f->store, FENCE);
    fixture_poison(&a, sizeof a);
    fixture_offer(&a.credentials, id_and_secret);
    a.address = SLICE_ABSENT;
    a.wants_generation = false;
    a.read.deadline_ns = 0;
    a.flow.on_done = fixture_on_done;
    assert_int_equal(oauth_authentication_start(f->oauth, &a), PROGRESS_PENDING);
    assert_int_equal(f->store.request_count, FENCE);
}

static void finish_fenced(struct oauth_fixture *f, enum oauth_refusal expected) {
    f->store.changes++;
    fixture_finish(f, &a.flow, PROGRESS_PENDING);
    assert_int_equal(a.refusal, expected);
    assert_int_equal(f->store.request_count, FENCE + 1); /* the client again, and no second fence */
}

/* A secret, a client, a right that is a moment old is good. */
static void changed_behind_the_fence_is_judged_again(void **state) {
    struct oauth_fixture *f = *state;
    add_clients_to_refuse(f);
    start_until_fence(f, "svc-a:new");
    fixture_put_fast_secret(f, "svc-a", "secret:2", "new");
    finish_fenced(f, OAUTH_REFUSED_NONE);
    assert_int_equal(a.secret_number, 2);

    start_until_fence(f, "nobody:new");
    fixture_put_fast_secret(f, "nobody", "secret:1", "new");
    finish_fenced(f, OAUTH_REFUSED_NONE);
    assert_int_equal(a.secret_number, 1);

    start_until_fence(f, "off:right");
    fixture_put_field(f, "off", "disabled", "0");
    finish_fenced(f, OAUTH_REFUSED_NONE);

    start_until_fence(f, "old:right");
    put_expiry(f, "old", "secret:1:expires", 60);
    finish_fenced(f, OAUTH_REFUSED_NONE);
    assert_int_equal(a.secret_expired_at, 0);
}

static void still_wrong_behind_the_fence_is_refused(void **state) {
    struct oauth_fixture *f = *state;
    add_clients_to_refuse(f);
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        start_until_fence(f, refusals[i].pair);
        finish_fenced(f, refusals[i].refusal);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, oauth_fixture_set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(right_secret_is_right),
        TEST(other_secrets_are_wrong),
        TEST(stored_text_is_no_secret),
        TEST(either_reading_may_match),
        TEST(unknown_client_is_refused),
        TEST(hash_without_a_secret_is_no_client),
        TEST(decoy_matches_nothing),
        TEST(disabled_client_is_refused),
        TEST(malformed_credentials_ask_nobody),
        TEST(unreadable_record_is_our_trouble),
        TEST(each_of_four_secrets_is_good),
        TEST(expired_secret_is_named),
        TEST(expired_secret_does_not_hide_a_good_one),
        TEST(secret_expires_at_its_second),
        TEST(far_expiry_is_far),
        TEST(disabled_and_expired_is_refused),
        TEST(slow_secret_is_checked_once),
        TEST(memory_is_of_this_process),
        TEST(changed_stored_secret_is_checked_again),
        TEST(wrong_slow_secret_is_never_remembered),
        TEST(both_readings_of_a_slow_secret_are_checked),
        TEST(slow_and_fast_secrets_live_together),
        TEST(expired_slow_secret_is_named),
        TEST(memory_does_not_outlive_the_expiry),
        TEST(memory_does_not_outlive_disabling),
        TEST(without_a_digest_nothing_is_remembered),
        TEST(without_a_digest_nobody_can_tell),
        TEST(every_refusal_costs_a_slow_check),
        TEST(two_readings_cost_alike),
        TEST(disabled_client_costs_alike),
        TEST(expired_secret_costs_alike),
        TEST(full_pool_is_busy),
        TEST(checks_given_up_are_busy),
        TEST(every_trouble_is_unknown),
        TEST(answers_may_come_later),
        TEST(memory_forgets_the_oldest_and_stays_right),
        TEST(every_refusal_from_memory_takes_one_fence),
        TEST(every_refusal_of_a_doubtful_store_takes_one_fence),
        TEST(refusal_of_the_store_takes_none),
        TEST(slow_refusals_take_one_fence),
        TEST(fence_without_an_answer_is_unknown),
        TEST(changed_behind_the_fence_is_judged_again),
        TEST(still_wrong_behind_the_fence_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
