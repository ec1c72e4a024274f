/* profile.h: the settings of one Redis or cluster under a name, in a file of the user's:
 * $XDG_CONFIG_HOME/mintctl/profiles/NAME (~/.config/mintctl/...). Its lines are
 *
 *     # production
 *     redis = rediss+cluster://10.0.0.1:6379
 *     redis-ca = /etc/ssl/redis.pem
 *
 * with the names of mintd's flags. Where a profile is named, by --profile or MINTCTL_PROFILE, the
 * variables of mintd's about Redis do not count: settings of two clusters are never mixed. */
#ifndef MINTCTL_PROFILE_H
#define MINTCTL_PROFILE_H

#include "command.h"

/* Reads the one that is named, if any; once. USAGE, said, where it cannot be had: also where others
 * may read the file and it holds a password. */
enum status profile_read(const struct arguments *arguments);
/* What the profile says for this variable of mintd's ("MINTD_REDIS_CA": redis-ca), or, without a
 * profile, the environment. NULL: nothing. */
const char *profile_value(const char *variable);
/* At the end: what it said is read until then. */
void profile_wipe(void);

#endif
