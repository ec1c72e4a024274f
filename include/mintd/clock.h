/* clock.h: the two clocks of the machine, and the clock that instances share. Code that must be
 * testable takes the time as an argument instead. */
#ifndef MINTD_CLOCK_H
#define MINTD_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since the epoch, up to 10 ms behind: for what people and Redis see. It may jump. */
uint64_t clock_wall_ms(void);
/* The clock of clock_monotonic_ns() in milliseconds, up to 10 ms behind, at a fifth of the price.
 * It may be compared with uv_now(), which stands still within a turn of the loop. */
uint64_t clock_monotonic_ms(void);
/* Nanoseconds since some moment in the past: for deadlines and durations. It never goes back. */
uint64_t clock_monotonic_ns(void);

/* What instances write into records for each other goes by one shared clock: that of Redis. Any
 * thread may call the functions below. */

/* Tells that the shared clock shows a time between these two now (milliseconds since the epoch).
 * What was known before, or else this machine's clock, is kept where it lies between them.
 * Otherwise it is moved to the nearer one. So an answer that was long under way does not spoil a
 * clock that was right. 0 and 0: nobody knows the shared time any more. */
void clock_share(uint64_t earliest_ms, uint64_t latest_ms);
/* Milliseconds since the epoch by the shared clock, up to 10 ms behind. It is never ahead by more
 * than the two times of clock_share() lay apart. It runs on by the monotonic clock, so it does not
 * jump when this machine's wall clock does. Where nobody knows the shared time: clock_wall_ms(). */
uint64_t clock_shared_ms(void);
/* How far this machine's wall clock is ahead of the shared one. False: nobody knows the shared
 * time. */
bool clock_skew_ms(int64_t *skew_ms);

#endif
