/* loop.h: an event loop for a test: runs until something is so, and proves at its end that nothing
 * was left in it. */
#ifndef MINTD_TEST_LOOP_H
#define MINTD_TEST_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct test_loop {
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_timer_t timer;
    bool timed_out;
    void (*on_turn)(void *context); /* once a turn, before the loop blocks; may be NULL */
    void *on_turn_context;
    bool (*is_so)(void *context); /* what is waited for, if anything */
    void *is_so_context;
};

void test_loop_open(struct test_loop *loop);
/* Runs what is left for a moment, then fails the test if a handle or a request is still there. */
void test_loop_close(struct test_loop *loop);
/* Runs until is_so(context), asked after each turn. False: it was not within timeout_ms, stretched
 * (below): for what must happen. */
bool test_loop_run_until(struct test_loop *loop, bool (*is_so)(void *context), void *context,
                         unsigned timeout_ms);
/* Runs for so long: for what must not happen. */
void test_loop_run_for(struct test_loop *loop, unsigned ms);

/* Longer where the machine is busy, by the threads that want a core for each core: for upper
 * bounds. Lower bounds are compared as they are. */
uint64_t stretched_ms(uint64_t ms);
/* Of a moment that clock_monotonic_ns() gave. */
uint64_t ms_since(uint64_t begun_ns);

/* How long this process itself was kept from running: no timer can be more exact than that. */
struct lag {
    uv_timer_t timer;
    uint64_t last_ns, longest_ns;
};
void lag_start(struct lag *lag, struct test_loop *loop);
void lag_stop(struct lag *lag); /* it may go out of scope then */

#endif
