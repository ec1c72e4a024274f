/* clock.h: the two clocks, and the one that instances share. Code that must be testable takes the
 * time as an argument instead. */
#ifndef MINTD_CLOCK_H
#define MINTD_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since the epoch, up to 10 ms behind, for what people and Redis see. It may jump. */
uint64_t clock_wall_ms(void);
/* The same as of the next, in milliseconds, up to 10 ms behind, at a fifth of the price. It may be
 * compared with uv_now(), which stands still within a turn of the loop. */
uint64_t clock_monotonic_ms(void);
/* Nanoseconds since some moment in the past, for deadlines and durations. It never goes back. */
uint64_t clock_monotonic_ns(void);

/* What instances write into records for each other is told by one clock. From any thread. */

/* It is so late now by that clock, in milliseconds since the epoch; 0: nobody can tell any more. */
void clock_share(uint64_t now_ms);
/* Milliseconds since the epoch by that clock, which goes on by the monotonic one: so it does not
 * jump with this machine's. Where nobody can tell: clock_wall_ms(). */
uint64_t clock_shared_ms(void);
/* How far this machine's clock is ahead of it; false: nobody can tell. */
bool clock_skew_ms(int64_t *skew_ms);

#endif
