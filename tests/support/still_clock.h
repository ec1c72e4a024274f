/* still_clock.h: a time that stands still until the test moves it, for all of the program, libuv
 * too. A test on it is as good on a machine that is slow: no timer is ever due by itself, and
 * nothing grows old.
 *
 * It takes the place of clock_gettime() in the program that has still_clock.c among its sources. */
#ifndef MINTD_TEST_STILL_CLOCK_H
#define MINTD_TEST_STILL_CLOCK_H

#include <stdint.h>

void still_clock_move(uint64_t ms);

#endif
