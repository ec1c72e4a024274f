/* The error codes of the RFCs, and the words that go with each refusal. */
#include "mintd/oauth.h"
#include "support/fault.h"
#include "unit/unit.h"

static void errors_are_named_as_in_the_rfcs(void **state) {
    static const struct {
        enum oauth_error error;
        const char *name;
        unsigned status;
    } expected[] = {
        {OAUTH_INVALID_REQUEST, "invalid_request", 400},
        {OAUTH_INVALID_CLIENT, "invalid_client", 401},
        {OAUTH_UNAUTHORIZED_CLIENT, "unauthorized_client", 400},
        {OAUTH_UNSUPPORTED_GRANT_TYPE, "unsupported_grant_type", 400},
        {OAUTH_INVALID_SCOPE, "invalid_scope", 400},
        {OAUTH_INVALID_TARGET, "invalid_target", 400},
        {OAUTH_INVALID_TOKEN, "invalid_token", 401},
        {OAUTH_TEMPORARILY_UNAVAILABLE, "temporarily_unavailable", 503},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_string_equal(oauth_error_name(expected[i].error), expected[i].name);
        assert_int_equal(oauth_error_status(expected[i].error), expected[i].status);
    }
}

/* RFC 6749 5.2: %x20-21, %x23-5B, %x5D-7E (T-31). */
static void assert_may_be_told(const char *text) {
    for (const char *c = text; *c != '\0'; c++) {
        assert_true(*c >= ' ' && *c <= '~' && *c != '"' && *c != '\\');
    }
}

/* A label of a metric, that alerts name. */
static void assert_is_word(const char *text) {
    assert_in_range(strlen(text), 1, 24);
    assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz_"), strlen(text));
}

static void every_refusal_has_words_and_a_code(void **state) {
    (void)state;
    for (unsigned i = 1; i < OAUTH_REFUSAL_COUNT; i++) {
        const char *label = oauth_refusal_label((enum oauth_refusal)i);
        const char *description = oauth_refusal_description((enum oauth_refusal)i);
        enum oauth_error error = oauth_refusal_error((enum oauth_refusal)i);
        assert_is_word(oauth_refusal_word((enum oauth_refusal)i));
        assert_true(label[0] != '\0' && description[0] != '\0');
        assert_may_be_told(label);
        assert_may_be_told(description);
        assert_int_not_equal(error, OAUTH_NONE);
        assert_in_range(oauth_error_status(error), 400, 503);
        for (unsigned other = 0; other < i; other++) {
            assert_string_not_equal(oauth_refusal_word((enum oauth_refusal)i),
                                    oauth_refusal_word((enum oauth_refusal)other));
            assert_string_not_equal(label, oauth_refusal_label((enum oauth_refusal)other));
        }
    }
    assert_int_equal(oauth_refusal_error(OAUTH_REFUSED_NONE), OAUTH_NONE);
}

static void assert_told_alike(enum oauth_refusal a, enum oauth_refusal b) {
    assert_int_equal(oauth_refusal_error(a), oauth_refusal_error(b));
    assert_string_equal(oauth_refusal_description(a), oauth_refusal_description(b));
}

/* T-21: who guesses learns nothing from the words. R-05: nor of a token. */
static void what_must_not_be_told_apart_is_not(void **state) {
    static const enum oauth_refusal clients[] = {
        OAUTH_REFUSED_UNKNOWN_CLIENT,        OAUTH_REFUSED_WRONG_SECRET,
        OAUTH_REFUSED_SECRET_EXPIRED,        OAUTH_REFUSED_CLIENT_DISABLED,
        OAUTH_REFUSED_MALFORMED_CREDENTIALS, OAUTH_REFUSED_CLIENT_ID_CHARACTER};
    static const enum oauth_refusal tokens[] = {OAUTH_REFUSED_TOKEN_UNKNOWN,
                                                OAUTH_REFUSED_TOKEN_MALFORMED,
                                                OAUTH_REFUSED_TOKEN_EXPIRED,
                                                OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION,
                                                OAUTH_REFUSED_TOKEN_OF_DISABLED_CLIENT,
                                                OAUTH_REFUSED_TOKEN_WITHOUT_CLIENT};
    (void)state;
    for (size_t i = 1; i < COUNT_OF(clients); i++) {
        assert_told_alike(clients[0], clients[i]);
    }
    for (size_t i = 1; i < COUNT_OF(tokens); i++) {
        assert_told_alike(tokens[0], tokens[i]);
    }
    assert_int_equal(oauth_refusal_error(clients[0]), OAUTH_INVALID_CLIENT);
    assert_int_equal(oauth_refusal_error(tokens[0]), OAUTH_INVALID_TOKEN);
}

/* No answer is not a no: 503, never 401. */
static void trouble_of_ours_is_503(void **state) {
    static const enum oauth_refusal ours[] = {OAUTH_REFUSED_STORE_UNKNOWN,
                                              OAUTH_REFUSED_RECORD_UNREADABLE, OAUTH_REFUSED_BUSY,
                                              OAUTH_REFUSED_NO_RANDOMNESS};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        assert_int_equal(oauth_error_status(oauth_refusal_error(ours[i])), 503);
    }
}

static void refusals_are_counted_and_none_is_not(void **state) {
    static struct oauth_metrics metrics;
    struct oauth *oauth = oauth_new(&(struct oauth_options){.metrics = &metrics});
    (void)state;
    assert_non_null(oauth);
    oauth_count_refusal(oauth, OAUTH_REFUSED_NONE);
    oauth_count_refusal(oauth, OAUTH_REFUSED_WRONG_SECRET);
    oauth_count_refusal(oauth, OAUTH_REFUSED_WRONG_SECRET);
    oauth_count_refusal(oauth, (enum oauth_refusal)(OAUTH_REFUSAL_COUNT - 1));
    for (unsigned i = 0; i < OAUTH_REFUSAL_COUNT; i++) {
        unsigned expected = i == OAUTH_REFUSED_WRONG_SECRET ? 2 : i + 1 == OAUTH_REFUSAL_COUNT;
        assert_int_equal(counter_read(&metrics.refusals[i]), expected);
    }
    oauth_free(oauth);
    oauth_free(NULL);
}

static void introspections_are_counted_by_what_they_say(void **state) {
    static struct oauth_metrics metrics;
    struct oauth *oauth = oauth_new(&(struct oauth_options){.metrics = &metrics});
    (void)state;
    assert_non_null(oauth);
    oauth_count_introspection(oauth, true);
    oauth_count_introspection(oauth, true);
    oauth_count_introspection(oauth, false);
    assert_int_equal(counter_read(&metrics.introspections[true]), 2);
    assert_int_equal(counter_read(&metrics.introspections[false]), 1);
    oauth_free(oauth);
}

static void without_memory_there_is_none(void **state) {
    static struct oauth_metrics metrics;
    (void)state;
    fault_fail_at(1);
    assert_null(oauth_new(&(struct oauth_options){.metrics = &metrics}));
    fault_disarm();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_named_as_in_the_rfcs),
        cmocka_unit_test(every_refusal_has_words_and_a_code),
        cmocka_unit_test(what_must_not_be_told_apart_is_not),
        cmocka_unit_test(trouble_of_ours_is_503),
        cmocka_unit_test(refusals_are_counted_and_none_is_not),
        cmocka_unit_test(introspections_are_counted_by_what_they_say),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
