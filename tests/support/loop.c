#include "support/loop.h"

#include "mintd/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define LAST_TURNS_MS 5000u

static void on_prepare(uv_prepare_t *prepare) {
    struct test_loop *loop = prepare->data;
    if (loop->on_turn != NULL) {
        loop->on_turn(loop->on_turn_context);
    }
    if (loop->is_so != NULL && loop->is_so(loop->is_so_context)) {
        uv_stop(&loop->loop); /* it has become so in this turn: the loop must not block now */
    }
}

static void on_timer(uv_timer_t *timer) {
    struct test_loop *loop = timer->data;
    loop->timed_out = true;
}

void test_loop_open(struct test_loop *loop) {
    *loop = (struct test_loop){.on_turn = NULL};
    assert_int_equal(uv_loop_init(&loop->loop), 0);
    uv_prepare_init(&loop->loop, &loop->prepare);
    uv_timer_init(&loop->loop, &loop->timer);
    loop->prepare.data = loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_unref((uv_handle_t *)&loop->prepare);
}

static bool run_until(struct test_loop *loop, bool (*is_so)(void *context), void *context,
                      uint64_t timeout_ms) {
    loop->timed_out = false;
    loop->is_so = is_so;
    loop->is_so_context = context;
    uv_update_time(&loop->loop);
    uv_timer_start(&loop->timer, on_timer, timeout_ms, 0);
    while (!is_so(context) && !loop->timed_out) {
        uv_run(&loop->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&loop->timer);
    loop->is_so = NULL;
    return is_so(context);
}

bool test_loop_run_until(struct test_loop *loop, bool (*is_so)(void *context), void *context,
                         unsigned timeout_ms) {
    return run_until(loop, is_so, context, stretched_ms(timeout_ms));
}

static bool never(void *context) {
    (void)context;
    return false;
}

void test_loop_run_for(struct test_loop *loop, unsigned ms) {
    run_until(loop, never, NULL, ms);
}

static bool nothing_is_left(void *context) {
    return !uv_loop_alive(context);
}

void test_loop_close(struct test_loop *loop) {
    uv_unref((uv_handle_t *)&loop->timer);
    bool empty = test_loop_run_until(loop, nothing_is_left, &loop->loop, LAST_TURNS_MS);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_run(&loop->loop, UV_RUN_NOWAIT);
    assert_true(empty);
    assert_int_equal(uv_loop_close(&loop->loop), 0);
}

/* ---- time ---- */

#define LAG_TICK_MS 5u

uint64_t stretched_ms(uint64_t ms) {
    double load = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    double crowd = getloadavg(&load, 1) == 1 && cores > 0 ? load / (double)cores : 1;
    return crowd > 1 ? (uint64_t)((double)ms * crowd) : ms;
}

uint64_t ms_since(uint64_t begun_ns) {
    return (clock_monotonic_ns() - begun_ns) / 1000000;
}

static void on_lag(uv_timer_t *timer) {
    struct lag *lag = timer->data;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t gap_ns = now_ns - lag->last_ns;
    lag->last_ns = now_ns;
    lag->longest_ns = gap_ns > lag->longest_ns ? gap_ns : lag->longest_ns;
}

void lag_start(struct lag *lag, struct test_loop *loop) {
    *lag = (struct lag){.last_ns = clock_monotonic_ns()};
    uv_timer_init(&loop->loop, &lag->timer);
    lag->timer.data = lag;
    uv_timer_start(&lag->timer, on_lag, LAG_TICK_MS, LAG_TICK_MS);
}

void lag_stop(struct lag *lag) {
    uv_loop_t *loop = lag->timer.loop;
    uv_close((uv_handle_t *)&lag->timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}
