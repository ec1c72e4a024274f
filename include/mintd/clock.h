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

/* By that clock it is between these two now, in milliseconds since the epoch. What was known, or
 * else this machine's clock, is kept where it lies between them, and corrected as little as can be
 * where it does not: so an answer that was long under way makes no clock wrong that was right.
 * 0 and 0: nobody can tell any more. */
void clock_share(uint64_t earliest_ms, uint64_t latest_ms);
/* Milliseconds since the epoch by that clock, up to 10 ms behind, and never ahead of it by more
 * than clock_share() could not tell. It goes on by the monotonic one: so it does not jump with this
 * machine's. Where nobody can tell: clock_wall_ms(). */
uint64_t clock_shared_ms(void);
/* How far this machine's clock is ahead of it; false: nobody can tell. */
bool clock_skew_ms(int64_t *skew_ms);

#endif
