/* redis_tls.h: TLS to Redis, from settings: whom to believe, and who we are. Chain and name are
 * always looked at, both, or neither. */
#ifndef MINTD_REDIS_TLS_H
#define MINTD_REDIS_TLS_H

#include "mintd/redis_store.h"

#define REDIS_TLS_FILES_MAX 3u

struct redis_tls_settings {
    struct slice ca;               /* --redis-ca: a file or folder; absent: the system's */
    struct slice certificate, key; /* --redis-cert, --redis-key; both absent: none */
    struct slice name;             /* --redis-tls-name; absent: the URL's host */
    bool believes_all;             /* --redis-tls-insecure */
};

/* Reads the files (blocking). NULL where they cannot be used, or without memory, as
 * tls_client_context_new() has it. */
struct tls_context *redis_tls_read(const struct redis_tls_settings *settings, struct buffer *error,
                                   bool *no_memory);

/* At start: whether the settings fit each other and the URL, and the context where that has TLS
 * (else *tls is NULL). False: error has one line about what *setting names. */
bool redis_tls_open(const struct redis_tls_settings *settings, const struct redis_url *url,
                    struct tls_context **tls, const char **setting, struct buffer *error,
                    bool *no_memory);

/* The files that are worth a look now and then; how many, REDIS_TLS_FILES_MAX at most. */
unsigned redis_tls_files(const struct redis_tls_settings *settings,
                         struct slice files[REDIS_TLS_FILES_MAX]);

#endif
