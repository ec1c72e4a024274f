/* settings.h: where Redis is: --redis and its like, else MINTD_REDIS (or MINTD_REDIS_FILE) and its
 * like; for Sentinels MINTD_REDIS_SENTINEL_USER and MINTD_REDIS_SENTINEL_PASSWORD, or the file that
 * MINTD_REDIS_SENTINEL_PASSWORD_FILE names. */
#ifndef MINTCTL_SETTINGS_H
#define MINTCTL_SETTINGS_H

#include "clients/redis.h"
#include "command.h"

/* Says which MINTD_... variables mean nothing to this program or to mintd. */
void settings_warn_of_variables(void);
/* DONE, or USAGE, said. redis_target_fini() in any case. */
enum status settings_read(struct redis_target *settings, const struct arguments *arguments);
/* The prefix alone, for a command that asks no Redis. */
enum status settings_read_prefix(const struct arguments *arguments, struct slice *prefix);
/* Reads them and connects, as redis_open(). */
enum status open_redis(const struct arguments *arguments, enum redis_layout layout,
                       struct redis **redis);

#endif
