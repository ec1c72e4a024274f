/* The client that --client asks for: hash, make where there is none of that name. */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"
#include "support/failing_crypto.h"
#include "support/oauth_fixture.h"

enum { MAKE_CLIENT = 1, LIST_CLIENT, OPERATIONS = LIST_CLIENT };

#define GENERATED "mts_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg27pc5i"

static struct oauth_client_seed seed;
static struct oauth_client_creation creation;

static bool parse(const char *text, struct buffer *error) {
    fixture_poison(&seed, sizeof seed);
    return oauth_client_seed_parse(slice_of_string(text), &seed, error);
}

static void assert_refused_text(struct slice text) {
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage);
    if (oauth_client_seed_parse(text, &seed, &error)) {
        fail_msg("made a client of: %.*s", (int)text.size, text.data);
    }
    assert_true(error.size != 0 && !error.overflow);
    for (size_t i = 0; i < error.size; i++) {
        assert_true(error.data[i] >= ' ' && error.data[i] <= '~');
    }
    assert_null(memmem(error.data, error.size, "hunter2", 7));
}

/* ---- id:secret[:scope] ---- */

static void generated_secret_is_hashed_the_fast_way(void **state) {
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage);
    (void)state;
    assert_true(parse("svc-a:" GENERATED ":read write", &error));
    assert_string_equal(seed.id, "svc-a");
    assert_string_equal(seed.scope, "read write");
    assert_int_equal(password_kind_of(slice_of_string(seed.stored_secret)), PASSWORD_FAST);
    assert_int_equal(PASSWORD_RIGHT,
                     password_verify(slice_of_string(seed.stored_secret), S(GENERATED)));
    assert_int_equal(error.size, 0);
}

static void chosen_secret_is_hashed_the_slow_way(void **state) {
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage);
    (void)state;
    assert_true(parse("codecademy:codec@demy", &error));
    assert_string_equal(seed.scope, "");
    assert_int_equal(password_kind_of(slice_of_string(seed.stored_secret)), PASSWORD_SLOW);
    assert_int_equal(PASSWORD_RIGHT,
                     password_verify(slice_of_string(seed.stored_secret), S("codec@demy")));
    assert_null(strstr(seed.stored_secret, "codec@demy"));
}

static void scope_may_have_colons_and_may_be_empty(void **state) {
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage);
    (void)state;
    assert_true(parse("a:" GENERATED ":read:all write:x", &error));
    assert_string_equal(seed.scope, "read:all write:x");
    assert_true(parse("a:" GENERATED ":", &error));
    assert_string_equal(seed.scope, "");
}

static bool random_fails;

int __real_RAND_bytes(unsigned char *out, int size);
int __wrap_RAND_bytes(unsigned char *out, int size);
int __wrap_RAND_bytes(unsigned char *out, int size) {
    return random_fails ? 0 : __real_RAND_bytes(out, size);
}

static void without_a_hash_there_is_no_client(void **state) {
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage);
    (void)state;
    random_fails = true;
    assert_false(parse("codecademy:codec@demy", &error));
    random_fails = false;
    assert_non_null(memmem(error.data, error.size, "could not be hashed", 19));
}

static void malformed_seeds_are_refused(void **state) {
    static const char *const texts[] = {"",
                                        ":",
                                        "::",
                                        "a",
                                        "a:",
                                        "a::read",
                                        ":hunter2",
                                        "a b:hunter2",
                                        "caf\xc3\xa9:hunter2",
                                        "a:hunter2: read",
                                        "a:hunter2:read ",
                                        "a:hunter2:a  b",
                                        "a:hunter2:a\"b",
                                        "a:hunter2:a\tb"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_refused_text(slice_of_string(texts[i]));
    }
    assert_refused_text(SLICE_ABSENT);
}

/* A secret that no request can bring makes a client that nobody can be. */
static void secrets_that_cannot_be_sent_are_refused(void **state) {
    (void)state;
    assert_refused_text(S("a:hunter2\n"));
    assert_refused_text(S("a:hunter2\x7f"));
    assert_refused_text(S("a:\x01hunter2"));
    assert_refused_text(S("a:hunter2\0"));
}

static void sizes_have_limits(void **state) {
    static char storage[4096], error_storage[256];
    (void)state;
    struct buffer text = buffer_of(storage, sizeof storage);
    for (size_t i = 0; i < 256; i++) {
        buffer_append_char(&text, 'i');
    }
    buffer_append(&text, S(":" GENERATED ":"));
    struct slice long_id = buffer_slice(&text);
    assert_refused_text(long_id);
    struct buffer error = buffer_of(error_storage, sizeof error_storage);
    assert_true(oauth_client_seed_parse(slice_skip(long_id, 1), &seed, &error));
    assert_int_equal(strlen(seed.id), OAUTH_CLIENT_ID_MAX);

    for (size_t i = 0; i < OAUTH_SCOPE_MAX; i++) {
        buffer_append_char(&text, 's');
    }
    assert_true(oauth_client_seed_parse(slice_skip(buffer_slice(&text), 1), &seed, &error));
    assert_int_equal(strlen(seed.scope), OAUTH_SCOPE_MAX);
    buffer_append_char(&text, 's');
    assert_refused_text(slice_skip(buffer_slice(&text), 1));

    text = buffer_of(storage, sizeof storage);
    buffer_append(&text, S("a:"));
    for (size_t i = 0; i < PASSWORD_SECRET_MAX + 1; i++) {
        buffer_append_char(&text, 's');
    }
    assert_refused_text(buffer_slice(&text));
}

/* ---- making it ---- */

static int set_up(void **state) {
    static char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage);
    oauth_fixture_set_up(state);
    assert_true(parse("svc-a:" GENERATED ":read write", &error));
    return 0;
}

static int tear_down(void **state) {
    failing_crypto = (struct failing_crypto){0};
    return oauth_fixture_tear_down(state);
}

static enum store_answer create(struct oauth_fixture *f) {
    fixture_poison(&creation, sizeof creation);
    creation.flow.on_done = fixture_on_done;
    fixture_finish(f, &creation.flow, oauth_client_creation_start(f->oauth, &creation, &seed));
    return creation.answer;
}

static struct slice field(const struct oauth_fixture *f, const char *name) {
    return stub_store_field(&f->store, "client:svc-a", name);
}

static void absent_client_is_made(void **state) {
    struct oauth_fixture *f = *state;
    unsigned long long generation;
    assert_int_equal(create(f), STORE_FOUND);
    assert_true(creation.made);
    assert_slice(field(f, "secret:1"), slice_of_string(seed.stored_secret));
    assert_slice(field(f, "scope"), S("read write"));
    assert_slice(field(f, "created"), S("1795467600"));
    assert_true(slice_to_number(field(f, "gen"), UINT32_MAX, &generation));
    assert_true(stub_store_has_member(&f->store, "clients", "svc-a"));
    assert_int_equal(f->store.request_count, OPERATIONS);
    assert_int_equal(f->store.requests[0].verb, STUB_CREATE_HASH);
    assert_int_equal(f->store.requests[0].deadline_ns, 0); /* the store sets it */
    assert_int_equal(f->store.requests[1].verb, STUB_ADD_MEMBER);
}

static void made_client_can_authenticate(void **state) {
    struct oauth_fixture *f = *state;
    static struct oauth_authentication a;
    assert_int_equal(create(f), STORE_FOUND);
    fixture_authenticate(f, &a, "svc-a:" GENERATED);
    assert_int_equal(a.refusal, OAUTH_REFUSED_NONE);
    assert_slice(a.client.scope, S("read write"));
}

/* A client removed and made again must not revive its old tokens. */
static void first_generations_differ(void **state) {
    struct oauth_fixture *f = *state;
    enum { TIMES = 20 };
    unsigned long long generations[TIMES];
    for (unsigned i = 0; i < TIMES; i++) {
        stub_store_remove(&f->store, "client:svc-a");
        assert_int_equal(create(f), STORE_FOUND);
        assert_true(slice_to_number(field(f, "gen"), UINT32_MAX, &generations[i]));
        for (unsigned other = 0; other < i; other++) {
            assert_true(generations[other] != generations[i]);
        }
    }
}

static void present_client_is_left_alone(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "svc-a", "secret:1", "$sha256$old");
    fixture_put_field(f, "svc-a", "gen", "5");
    assert_int_equal(create(f), STORE_FOUND);
    assert_false(creation.made);
    assert_slice(field(f, "secret:1"), S("$sha256$old"));
    assert_slice(field(f, "gen"), S("5"));
    assert_true(slice_is_absent(field(f, "scope")));
    assert_true(stub_store_has_member(&f->store, "clients", "svc-a"));
    assert_int_equal(f->store.requests[1].verb, STUB_CONFIRM); /* what is read then is no older */
    assert_int_equal(f->store.requests[1].premise_count, 1);
    assert_string_equal(f->store.requests[1].key, "client:svc-a");
}

static void unreadable_client_is_left_alone(void **state) {
    struct oauth_fixture *f = *state;
    fixture_put_field(f, "svc-a", "gen", "many");
    fixture_put_field(f, "svc-a", "secret:1:used", "1795467600");
    assert_int_equal(create(f), STORE_FOUND);
    assert_false(creation.made);
    assert_slice(field(f, "secret:1:used"), S("1795467600"));
    assert_true(slice_is_absent(field(f, "secret:1")));
}

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
                assert_int_equal(create(f), STORE_UNKNOWN);
                assert_int_equal(creation.trouble, trouble);
                assert_int_equal(f->store.request_count, n);
            }
        }
    }
}

/* Whatever got lost on the way, another attempt makes it whole. */
static void second_attempt_makes_it_whole(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned n = 1; n <= OPERATIONS; n++) {
        for (int lost = 0; lost < 2; lost++) {
            stub_store_remove(&f->store, "client:svc-a");
            stub_store_remove(&f->store, "clients");
            stub_store_rewind(&f->store);
            (lost ? stub_store_lose_answer : stub_store_fail)(&f->store, n, STORE_TROUBLE_TIMEOUT);
            assert_int_equal(create(f), STORE_UNKNOWN);
            assert_int_equal(create(f), STORE_FOUND);
            assert_slice(field(f, "scope"), S("read write"));
            assert_true(stub_store_has_member(&f->store, "clients", "svc-a"));
        }
    }
}

/* ---- what is left of a client that was removed ---- */

/* Make (it is there), fence, read, remove; make, list. */
enum { FENCE = 2, READ, REMOVE, MAKE_AGAIN, LIST_AGAIN, STEPS_WITH_NOTE = LIST_AGAIN };

static void leave_late_note(struct oauth_fixture *f) {
    stub_store_remove(&f->store, "client:svc-a");
    stub_store_remove(&f->store, "clients");
    stub_store_rewind(&f->store);
    fixture_put_field(f, "svc-a", "secret:1:used", "1795467600");
}

static void assert_whole(struct oauth_fixture *f) {
    static struct oauth_authentication a;
    assert_slice(field(f, "secret:1"), slice_of_string(seed.stored_secret));
    assert_slice(field(f, "scope"), S("read write"));
    assert_false(slice_is_absent(field(f, "gen")));
    assert_true(stub_store_has_member(&f->store, "clients", "svc-a"));
    fixture_authenticate(f, &a, "svc-a:" GENERATED);
    assert_int_equal(a.refusal, OAUTH_REFUSED_NONE);
}

static void late_note_is_no_client(void **state) {
    struct oauth_fixture *f = *state;
    leave_late_note(f);
    assert_int_equal(create(f), STORE_FOUND);
    assert_true(creation.made);
    assert_int_equal(f->store.request_count, STEPS_WITH_NOTE);
    assert_true(slice_is_absent(field(f, "secret:1:used")));
    assert_whole(f);
}

static void late_notes_of_all_secrets_are_no_client(void **state) {
    struct oauth_fixture *f = *state;
    leave_late_note(f);
    fixture_put_field(f, "svc-a", "secret:2:used", "1795467600");
    fixture_put_field(f, "svc-a", "secret:3:used", "1795467600");
    fixture_put_field(f, "svc-a", "secret:4:used", "1795467600");
    assert_int_equal(create(f), STORE_FOUND);
    assert_true(creation.made);
    assert_true(slice_is_absent(field(f, "secret:4:used")));
    assert_whole(f);
}

/* Perhaps somebody took the secret away on purpose. */
static void settings_without_a_secret_stay(void **state) {
    struct oauth_fixture *f = *state;
    leave_late_note(f);
    fixture_put_field(f, "svc-a", "scope", "admin");
    fixture_put_field(f, "svc-a", "disabled", "1");
    assert_int_equal(create(f), STORE_ABSENT);
    assert_false(creation.made);
    assert_slice(field(f, "scope"), S("admin"));
    assert_slice(field(f, "disabled"), S("1"));
    assert_true(slice_is_absent(field(f, "secret:1")));
    assert_false(stub_store_has_member(&f->store, "clients", "svc-a"));
}

static void trouble_beside_a_late_note_is_unknown(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned n = 1; n <= STEPS_WITH_NOTE; n++) {
        for (int lost = 0; lost < 2; lost++) {
            leave_late_note(f);
            (lost ? stub_store_lose_answer : stub_store_fail)(&f->store, n, STORE_TROUBLE_TIMEOUT);
            assert_int_equal(create(f), STORE_UNKNOWN);
            assert_int_equal(creation.trouble, STORE_TROUBLE_TIMEOUT);
            assert_int_equal(f->store.request_count, n);
            assert_int_equal(create(f), STORE_FOUND);
            assert_whole(f);
        }
    }
}

static void answers_beside_a_late_note_may_come_later(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned pattern = 0; pattern < 1u << STEPS_WITH_NOTE; pattern++) {
        leave_late_note(f);
        for (unsigned n = 1; n <= STEPS_WITH_NOTE; n++) {
            if ((pattern >> (n - 1) & 1) != 0) {
                stub_store_delay(&f->store, n);
            }
        }
        assert_int_equal(create(f), STORE_FOUND);
        assert_true(creation.made);
    }
}

/* Starts with a late note, and stops where the n-th operation waits for its answer. */
static void start_until(struct oauth_fixture *f, unsigned n) {
    leave_late_note(f);
    stub_store_delay(&f->store, n);
    fixture_poison(&creation, sizeof creation);
    creation.flow.on_done = fixture_on_done;
    assert_int_equal(oauth_client_creation_start(f->oauth, &creation, &seed), PROGRESS_PENDING);
    assert_int_equal(f->store.request_count, n);
}

/* Another instance, or mintctl, makes it at any moment: it stays whole, and is theirs. */
static void client_of_another_stays(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned n = MAKE_CLIENT; n <= MAKE_AGAIN; n++) {
        start_until(f, n);
        fixture_put_fast_secret(f, "svc-a", "secret:1", "another");
        fixture_put_field(f, "svc-a", "scope", "theirs");
        fixture_put_field(f, "svc-a", "gen", "7");
        fixture_finish(f, &creation.flow, PROGRESS_PENDING);
        assert_int_equal(creation.answer, STORE_FOUND);
        assert_false(creation.made);
        assert_int_equal(PASSWORD_RIGHT, password_verify(field(f, "secret:1"), S("another")));
        assert_slice(field(f, "scope"), S("theirs"));
        assert_slice(field(f, "gen"), S("7"));
        assert_true(stub_store_has_member(&f->store, "clients", "svc-a"));
    }
}

/* The instance whose note it was takes it back at any moment. */
static void note_may_be_gone_meanwhile(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned n = MAKE_CLIENT; n <= REMOVE; n++) {
        start_until(f, n);
        stub_store_remove(&f->store, "client:svc-a");
        fixture_finish(f, &creation.flow, PROGRESS_PENDING);
        assert_int_equal(creation.answer, STORE_FOUND);
        assert_true(creation.made);
        assert_whole(f);
    }
}

static void any_answer_may_come_later(void **state) {
    struct oauth_fixture *f = *state;
    for (unsigned pattern = 0; pattern < 1u << OPERATIONS; pattern++) {
        stub_store_remove(&f->store, "client:svc-a");
        stub_store_rewind(&f->store);
        for (unsigned n = 1; n <= OPERATIONS; n++) {
            if ((pattern >> (n - 1) & 1) != 0) {
                stub_store_delay(&f->store, n);
            }
        }
        assert_int_equal(create(f), STORE_FOUND);
        assert_true(creation.made);
    }
}

static void without_randomness_nothing_is_made(void **state) {
    struct oauth_fixture *f = *state;
    failing_crypto.random = true;
    assert_int_equal(create(f), STORE_UNKNOWN);
    assert_in_range(creation.trouble, 0, STORE_TROUBLE_COUNT - 1);
    assert_int_equal(f->store.request_count, 0);
    assert_false(creation.made);
}

/* ---- the one that was there before: N-08, F-06 ---- */

static struct oauth_client_comparison comparison;

static void compare(struct oauth_fixture *f) {
    fixture_poison(&comparison, sizeof comparison);
    comparison.flow.on_done = fixture_on_done;
    fixture_finish(f, &comparison.flow,
                   oauth_client_comparison_start(f->oauth, &comparison, &seed));
    fixture_assert_wiped(&comparison.authentication.credentials);
}

static void assert_differs(struct oauth_fixture *f, bool secret, bool scope) {
    compare(f);
    assert_int_equal(comparison.trouble, OAUTH_REFUSED_NONE);
    assert_int_equal(comparison.secret_differs, secret);
    assert_int_equal(comparison.scope_differs, scope);
}

static void what_was_made_does_not_differ(void **state) {
    struct oauth_fixture *f = *state;
    create(f);
    assert_differs(f, false, false);
    fixture_put_field(f, "svc-a", "scope", "write read");
    assert_differs(f, false, false);
    fixture_put_field(f, "svc-a", "disabled", "1");
    assert_differs(f, false, false);
}

static void what_differs_is_named(void **state) {
    static const char *const scopes[] = {"read", "read write admin", "", "read Write"};
    struct oauth_fixture *f = *state;
    create(f);
    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        fixture_put_field(f, "svc-a", "scope", scopes[i]);
        assert_differs(f, false, true);
    }
    fixture_put_field(f, "svc-a", "scope", "read write");
    fixture_put_fast_secret(f, "svc-a", "secret:1", "another");
    assert_differs(f, true, false);
    fixture_put_slow_secret(f, "svc-a", "secret:1", "another", 'a');
    assert_differs(f, true, false);
    fixture_put_field(f, "svc-a", "scope", "read");
    assert_differs(f, true, true);
    fixture_put_fast_secret(f, "svc-a", "secret:2", GENERATED);
    assert_differs(f, false, true);
    fixture_put_field(f, "svc-a", "secret:2:expires", "1");
    assert_differs(f, true, true);
}

static void slow_secret_is_checked_on_the_pool(void **state) {
    struct oauth_fixture *f = *state;
    create(f);
    fixture_put_slow_secret(f, "svc-a", "secret:1", GENERATED, 'a');
    assert_differs(f, false, false);
    assert_int_equal(counter_read(&f->metrics.slow_checks), 1);
}

/* It is no use of the secret, and changes nothing. */
static void comparison_leaves_no_trace(void **state) {
    struct oauth_fixture *f = *state;
    create(f);
    stub_store_rewind(&f->store);
    compare(f);
    oauth_write_usage(f->oauth);
    assert_int_equal(f->store.request_count, 1);
    assert_int_equal(f->store.requests[0].verb, STUB_READ_HASH);
    assert_int_equal(f->store.requests[0].deadline_ns, 0); /* the store sets it */
}

static void comparison_in_trouble_says_so(void **state) {
    struct oauth_fixture *f = *state;
    create(f);
    stub_store_rewind(&f->store);
    stub_store_fail(&f->store, 1, STORE_TROUBLE_TIMEOUT);
    compare(f);
    assert_int_equal(comparison.trouble, OAUTH_REFUSED_STORE_UNKNOWN);
    assert_false(comparison.secret_differs || comparison.scope_differs);
    fixture_put_field(f, "svc-a", "ttl", "soon");
    compare(f);
    assert_int_equal(comparison.trouble, OAUTH_REFUSED_RECORD_UNREADABLE);
    assert_false(comparison.secret_differs || comparison.scope_differs);
}

static void of_a_client_that_is_gone_nothing_differs(void **state) {
    assert_differs(*state, false, false);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_secret_is_hashed_the_fast_way),
        cmocka_unit_test(chosen_secret_is_hashed_the_slow_way),
        cmocka_unit_test(scope_may_have_colons_and_may_be_empty),
        cmocka_unit_test(without_a_hash_there_is_no_client),
        cmocka_unit_test(malformed_seeds_are_refused),
        cmocka_unit_test(secrets_that_cannot_be_sent_are_refused),
        cmocka_unit_test(sizes_have_limits),
        TEST(absent_client_is_made),
        TEST(made_client_can_authenticate),
        TEST(first_generations_differ),
        TEST(present_client_is_left_alone),
        TEST(unreadable_client_is_left_alone),
        TEST(every_trouble_at_every_step_is_unknown),
        TEST(second_attempt_makes_it_whole),
        TEST(late_note_is_no_client),
        TEST(late_notes_of_all_secrets_are_no_client),
        TEST(settings_without_a_secret_stay),
        TEST(trouble_beside_a_late_note_is_unknown),
        TEST(answers_beside_a_late_note_may_come_later),
        TEST(client_of_another_stays),
        TEST(note_may_be_gone_meanwhile),
        TEST(any_answer_may_come_later),
        TEST(without_randomness_nothing_is_made),
        TEST(what_was_made_does_not_differ),
        TEST(what_differs_is_named),
        TEST(slow_secret_is_checked_on_the_pool),
        TEST(comparison_leaves_no_trace),
        TEST(comparison_in_trouble_says_so),
        TEST(of_a_client_that_is_gone_nothing_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
