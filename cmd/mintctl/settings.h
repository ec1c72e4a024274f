/* settings.h: where Redis is: --redis and --redis-prefix, else MINTD_REDIS, MINTD_REDIS_FILE and
 * MINTD_REDIS_PREFIX; for Sentinels MINTD_REDIS_SENTINEL_USER and MINTD_REDIS_SENTINEL_PASSWORD, or
 * the file that MINTD_REDIS_SENTINEL_PASSWORD_FILE names. */
#ifndef MINTCTL_SETTINGS_H
#define MINTCTL_SETTINGS_H

#include "command.h"
#include "mintd/redis_store.h"

struct settings {
    struct redis_url redis;
    struct slice prefix; /* of the command line or the environment */
    char sentinel_user[REDIS_NAME_MAX], sentinel_password[REDIS_NAME_MAX]; /* empty: none */
    bool is_tls;
    bool is_local;                    /* the same machine: a socket, a loopback address */
    bool is_literal;                  /* no name to resolve */
    char address[2 * REDIS_NAME_MAX]; /* for people: without user and password */
};

/* Says which MINTD_... variables mean nothing to this program or to mintd. */
void settings_warn_of_variables(void);
/* DONE, or USAGE, said. settings_fini() in any case. */
enum status settings_read(struct settings *settings, const struct arguments *arguments);
/* The prefix alone, for a command that asks no Redis. */
enum status settings_read_prefix(const struct arguments *arguments, struct slice *prefix);
void settings_fini(struct settings *settings); /* wipes */

#endif
