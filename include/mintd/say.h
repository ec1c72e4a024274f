/* say.h: what an operator is told: one line at a time, in words. Never a secret or a token.
 *
 * mintctl prints the lines on standard error, each behind the program's name. A thread that wants
 * its lines elsewhere (in a log, on a screen) calls say_to(). */
#ifndef MINTD_SAY_H
#define MINTD_SAY_H

#include "mintd/slice.h"

#define SAY_LINE_MAX 1024u /* bytes of a line for a listener; a longer one is cut */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_no_memory(void);

/* Gives each line of the calling thread to `listener` from now on. The listener must not keep the
 * line. NULL: lines go to standard error again. */
void say_to(void (*listener)(void *context, const char *line), void *context);

/* Writes the text as a string that harms no terminal, cut to `size` bytes with its NUL. Returns
 * storage. */
const char *visible(struct slice text, char *storage, size_t size);

#endif
