/* help.h: what is said where the command line names no command. */
#ifndef MINTCTL_HELP_H
#define MINTCTL_HELP_H

#include "command.h"

/* --help, -h, --version, -V; "client --help"; else one line that says what is wrong, and what may
 * have been meant: USAGE. */
enum status help_without_command(int count, char *const *texts);

#endif
