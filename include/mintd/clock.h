/* clock.h: the two clocks. Code that must be testable takes the time as an argument instead. */
#ifndef MINTD_CLOCK_H
#define MINTD_CLOCK_H

#include <stdint.h>

/* Milliseconds since the epoch, up to 10 ms behind, for what people and Redis see. It may jump. */
uint64_t clock_wall_ms(void);
/* The same as of the next, in milliseconds, up to 10 ms behind, at a fifth of the price. It may be
 * compared with uv_now(), which stands still within a turn of the loop. */
uint64_t clock_monotonic_ms(void);
/* Nanoseconds since some moment in the past, for deadlines and durations. It never goes back. */
uint64_t clock_monotonic_ns(void);

#endif
