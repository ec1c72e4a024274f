/* settings.h: where Redis is: --redis and its like, else MINTD_REDIS (or MINTD_REDIS_FILE) and its
 * like; for Sentinels MINTD_REDIS_SENTINEL_USER and MINTD_REDIS_SENTINEL_PASSWORD, or the file that
 * MINTD_REDIS_SENTINEL_PASSWORD_FILE names. */
#ifndef MINTCTL_SETTINGS_H
#define MINTCTL_SETTINGS_H

#include "command.h"
#include "mintd/redis_tls.h"

struct settings {
    struct redis_url redis;
    struct slice prefix;                          /* of the command line or the environment */
    const char *password_file, *password_command; /* one at most; NULL: the URL's */
    char sentinel_user[REDIS_NAME_MAX], sentinel_password[REDIS_NAME_MAX]; /* empty: none */
    struct redis_tls_settings tls;
    struct tls_context *context;      /* NULL: plain */
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
