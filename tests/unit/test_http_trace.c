/* traceparent: version 00 to the letter; all else is as good as none. */
#include "http/trace.h"
#include "unit/unit.h"

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void a_good_one_gives_both_ids(void **state) {
    struct trace trace;
    (void)state;
    trace_read(S("00-" ID "-" SPAN "-01"), &trace);
    assert_true(trace.is_there);
    assert_slice(slice_of(trace.id, TRACE_ID_SIZE), S(ID));
    assert_slice(slice_of(trace.span_id, TRACE_SPAN_ID_SIZE), S(SPAN));
    trace_read(S("00-" ID "-" SPAN "-ff"), &trace); /* flags that nobody has named yet */
    assert_true(trace.is_there);
}

static void a_bad_one_is_none(void **state) {
    static const char *const bad[] = {
        "",
        "00",
        "00-" ID "-" SPAN,
        "00-" ID "-" SPAN "-",
        "00-" ID "-" SPAN "-1",
        "00-" ID "-" SPAN "-011",
        "00-" ID "-" SPAN "-01-x",
        "00-" ID "-" SPAN "-01 ",
        "00-" ID "-" SPAN "-0G",
        "01-" ID "-" SPAN "-01",
        "ff-" ID "-" SPAN "-01",
        "0 -" ID "-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" ID "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-" SPAN "-01",
        "00-" ID "-00F067AA0BA902B7-01",
        "00_" ID "-" SPAN "-01",
        "00-" ID "_" SPAN "-01",
        "00-" ID "-" SPAN "_01",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct trace trace = {.is_there = true};
        trace_read(slice_of_string(bad[i]), &trace);
        if (trace.is_there) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    struct trace trace = {.is_there = true};
    trace_read(SLICE_ABSENT, &trace);
    assert_false(trace.is_there);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_gives_both_ids),
        cmocka_unit_test(a_bad_one_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
