/* A whole process's life in this one: that it ends, and with what, when the start of a thread
 * fails, a signal comes at once, or the kernel allows no sandbox. Threads start behind a wrapper,
 * and the sandbox is one. */
#include "instance/sandbox.h"
#include "mintd/instance.h"
#include "mintd/thread.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 3u
#define TOO_LONG_S 60u /* then SIGALRM ends the test: the instance hangs */

static enum instance_sandbox sandbox;
static int sandbox_status; /* what entering it comes to */
static unsigned sandboxes_entered;
static bool sandbox_may_unlink;
static unsigned threads_asked, thread_to_fail, signals_after;

int __real_thread_start(pthread_t *thread, size_t stack_size, void *(*run)(void *argument),
                        void *argument);
int __wrap_thread_start(pthread_t *thread, size_t stack_size, void *(*run)(void *argument),
                        void *argument);

/* The signals are pending from here on, and held until somebody takes them. */
int __wrap_thread_start(pthread_t *thread, size_t stack_size, void *(*run)(void *argument),
                        void *argument) {
    threads_asked++;
    if (threads_asked == thread_to_fail) {
        return EAGAIN;
    }
    if (threads_asked == signals_after) {
        kill(getpid(), SIGTERM);
        kill(getpid(), SIGINT);
        kill(getpid(), SIGHUP);
    }
    return __real_thread_start(thread, stack_size, run, argument);
}

int __wrap_sandbox_enter(bool unlinks, bool listens);

int __wrap_sandbox_enter(bool unlinks, bool listens) {
    (void)listens;
    sandboxes_entered++;
    sandbox_may_unlink = unlinks;
    return sandbox_status;
}

static char directory[] = "/tmp/mintd-instance-XXXXXX";
static char main_path[64], metrics_path[64];

static int run_instance(unsigned fail_thread, unsigned signal_thread) {
    char main_address[80], metrics_address[80];
    snprintf(main_address, sizeof main_address, "unix:%s", main_path);
    snprintf(metrics_address, sizeof metrics_address, "unix:%s", metrics_path);
    struct instance_options options = {
        .listen = {slice_of_string(main_address), S("127.0.0.1:0")},
        .listen_count = 2,
        .metrics_listen = slice_of_string(metrics_address),
        .store_in_memory = true,
        .redis_prefix = S("mintd:"),
        .workers = WORKERS,
        .max_connections = 10,
        .token_ttl_s = 60,
        .name = S("test"),
        .sandbox = sandbox,
    };
    threads_asked = 0;
    sandboxes_entered = 0;
    thread_to_fail = fail_thread;
    signals_after = signal_thread;
    alarm(TOO_LONG_S);
    int status = instance_run(&options);
    alarm(0);
    return status;
}

static void assert_nothing_left(void) {
    assert_int_equal(access(main_path, F_OK), -1);
    assert_int_equal(access(metrics_path, F_OK), -1);
}

static void each_thread_that_fails_ends_the_start(void **state) {
    (void)state;
    for (unsigned n = 1; n <= WORKERS; n++) {
        assert_int_equal(run_instance(n, 0), 1);
        assert_int_equal(threads_asked, n);
        assert_nothing_left();
    }
}

static void signals_that_came_early_drain(void **state) {
    (void)state;
    for (unsigned n = 1; n <= WORKERS; n++) {
        assert_int_equal(run_instance(0, n), 0);
        assert_int_equal(threads_asked, WORKERS);
        assert_nothing_left();
    }
}

static void signals_beside_a_failure(void **state) {
    (void)state;
    assert_int_equal(run_instance(2, 1), 1);
    assert_nothing_left();
}

static int run_in_sandbox(enum instance_sandbox wanted, int status) {
    sandbox = wanted;
    sandbox_status = status;
    int result = run_instance(0, WORKERS);
    sandbox_status = 0;
    return result;
}

static void a_kernel_without_filters_is_no_obstacle_by_default(void **state) {
    (void)state;
    assert_int_equal(run_in_sandbox(INSTANCE_SANDBOX_AUTO, EINVAL), 0);
    assert_int_equal(sandboxes_entered, 1);
    assert_true(sandbox_may_unlink);
    assert_nothing_left();
}

static void a_sandbox_that_was_asked_for_is_there_or_the_start_fails(void **state) {
    (void)state;
    assert_int_equal(run_in_sandbox(INSTANCE_SANDBOX_ON, EINVAL), 1);
    assert_int_equal(threads_asked, 0);
    assert_nothing_left();
    assert_int_equal(run_in_sandbox(INSTANCE_SANDBOX_ON, 0), 0);
    assert_int_equal(sandboxes_entered, 1);
}

static void memory_that_is_short_for_the_sandbox_fails_the_start(void **state) {
    (void)state;
    assert_int_equal(run_in_sandbox(INSTANCE_SANDBOX_AUTO, ENOMEM), 1);
    assert_nothing_left();
}

static void no_sandbox_where_it_is_off(void **state) {
    (void)state;
    assert_int_equal(run_in_sandbox(INSTANCE_SANDBOX_OFF, 0), 0);
    assert_int_equal(sandboxes_entered, 0);
}

/* Signals stay held after the end, as main() wants it; what is pending is not the next test's. */
static int drop_signals(void **state) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        signal(numbers[i], SIG_IGN);
        signal(numbers[i], SIG_DFL);
    }
    return 0;
}

static int make_directory(void **state) {
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(main_path, sizeof main_path, "%s/main", directory);
    snprintf(metrics_path, sizeof metrics_path, "%s/metrics", directory);
    return 0;
}

static int remove_directory(void **state) {
    (void)state;
    return rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_thread_that_fails_ends_the_start, drop_signals),
        cmocka_unit_test_teardown(signals_that_came_early_drain, drop_signals),
        cmocka_unit_test_teardown(signals_beside_a_failure, drop_signals),
        cmocka_unit_test_teardown(a_kernel_without_filters_is_no_obstacle_by_default, drop_signals),
        cmocka_unit_test_teardown(a_sandbox_that_was_asked_for_is_there_or_the_start_fails,
                                  drop_signals),
        cmocka_unit_test_teardown(memory_that_is_short_for_the_sandbox_fails_the_start,
                                  drop_signals),
        cmocka_unit_test_teardown(no_sandbox_where_it_is_off, drop_signals),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
