/* Before they are started: made whole or not at all, and what is said while nobody has answered. */
#include "store/redis/sentinel.h"
#include "support/fault.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void on_told(void *context) {
    (void)context;
    fail();
}

static struct sentinels *make(uv_loop_t *loop, struct store_metrics *metrics) {
    struct redis_url url;
    char words[200];
    struct buffer error = buffer_of(words, sizeof words);
    assert_true(redis_url_parse(S("redis+sentinel://h1,h2,h3/m"), &url, &error));
    return sentinels_new(loop, &(struct sentinels_options){.url = &url,
                                                           .user = S("user"),
                                                           .password = S("password"),
                                                           .name = S("test"),
                                                           .metrics = metrics,
                                                           .on_told = on_told});
}

static void test_memory_is_short(void **state) {
    static struct store_metrics metrics;
    uv_loop_t loop;
    struct sentinels *sentinels = NULL;
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    for (unsigned n = 1; sentinels == NULL; n++) {
        fault_fail_at(n);
        sentinels = make(&loop, &metrics);
        assert_int_equal(sentinels == NULL, fault_count() >= n);
        fault_disarm();
    }
    sentinels_free(sentinels);
    assert_int_equal(uv_loop_close(&loop), 0); /* none has left a handle in it */
}

static void test_nobody_has_answered(void **state) {
    static struct store_metrics metrics;
    uv_loop_t loop;
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct sentinels *sentinels = make(&loop, &metrics);
    assert_non_null(sentinels);
    sentinels_seek(sentinels);
    assert_null(sentinels_master(sentinels));
    assert_true(sentinels_agree(sentinels)); /* nobody names another one */
    assert_false(sentinels_deny(sentinels));
    assert_string_equal(sentinels_reason(sentinels), "no Sentinel answers");
    sentinels_free(sentinels);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_short),
        cmocka_unit_test(test_nobody_has_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
