/* descriptors.h: the descriptors that every program has: standard input, output and error. */
#ifndef MINTD_DESCRIPTORS_H
#define MINTD_DESCRIPTORS_H

#include <stdbool.h>

/* Opens /dev/null on each of the three that was closed when the program was started; writing to
 * standard output fails then, as it would have. Otherwise the
 * next file or socket would take its number, and lines of the log would go there. It is the first
 * call in main(). False: /dev/null could not be opened. */
bool descriptors_fill(void);

#endif
