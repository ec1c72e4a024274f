/* help.h: what mintd says of itself: --help, --version, and the man page that the build makes
 * (--man). */
#ifndef MINTD_CMD_HELP_H
#define MINTD_CMD_HELP_H

#include <stdbool.h>

/* Prints what this argument asks for; false where it is another one. */
bool help_show(const char *argument);

#endif
