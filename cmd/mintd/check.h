/* check.h: what mintd --check says. */
#ifndef MINTD_CMD_CHECK_H
#define MINTD_CMD_CHECK_H

#include "options.h"

/* Each setting in force, and where it comes from, on standard output; secrets are masked. What
 * looks like a mistake on standard error. */
void check_show(const struct options *options);

#endif
