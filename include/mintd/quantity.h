/* quantity.h: durations and sizes as people write them. Both programs read them in the same way,
 * in flags, variables and files.
 *
 *    duration  90  90s  10m  24h  7d  250ms    digits and one unit; a plain number has the unit of
 *                                              the function that reads it
 *    size      65536  64k  64m  2g             bytes, KiB, MiB, GiB; the letter in either case
 *
 * Each function returns false, and writes nothing, where the text is something else or the value
 * is over max. */
#ifndef MINTD_QUANTITY_H
#define MINTD_QUANTITY_H

#include "mintd/slice.h"

/* A plain number is seconds. A duration that is not a whole number of seconds (1500ms) is
 * refused. */
bool quantity_seconds(struct slice text, unsigned long long max, unsigned long long *seconds);
/* A plain number is milliseconds. */
bool quantity_milliseconds(struct slice text, unsigned long long max, unsigned long long *ms);
bool quantity_bytes(struct slice text, unsigned long long max, unsigned long long *bytes);

#endif
