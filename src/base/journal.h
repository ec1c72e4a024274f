/* journal.h: whether a descriptor leads to systemd's journal, which takes the level of a line from
 * "<N>" at its start (sd-daemon(3)). */
#ifndef MINTD_BASE_JOURNAL_H
#define MINTD_BASE_JOURNAL_H

#include "mintd/log.h"
#include <stdbool.h>

/* JOURNAL_STREAM names the stream that the service manager opened, as device and inode; fd may be
 * another one by now. */
bool journal_is_behind(int fd);
/* "<6>" of an info. */
struct slice journal_prefix(enum log_level level);

#endif
