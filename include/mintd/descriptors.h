/* descriptors.h: the descriptors that every program has: standard input, output and error. */
#ifndef MINTD_DESCRIPTORS_H
#define MINTD_DESCRIPTORS_H

#include <stdbool.h>

/* Opens /dev/null on those that were closed when the program was started: else the next file or
 * socket would take their place, and lines of the log would go there. First thing in main(). */
bool descriptors_fill(void);

#endif
