/* redis_tls.h: TLS to Redis, from the settings: which servers we believe, and which certificate we
 * show. The chain and the name of a server's certificate are always checked together, or neither
 * is. */
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

/* Reads the files, which blocks. NULL: they cannot be used, or there is no memory; error and
 * no_memory then tell as tls_client_context_new() says. The caller owns the reference. */
struct tls_context *redis_tls_read(const struct redis_tls_settings *settings, struct buffer *error,
                                   bool *no_memory);

/* At start: whether the settings fit each other and the URL. Where the URL has TLS, *tls is the
 * context, else NULL. False: *setting names the setting that is wrong, and `error` has one line
 * about it. */
bool redis_tls_open(const struct redis_tls_settings *settings, const struct redis_url *url,
                    struct tls_context **tls, const char **setting, struct buffer *error,
                    bool *no_memory);

/* Writes the files that are to be looked at now and then, to see whether they have changed.
 * Returns how many there are, at most REDIS_TLS_FILES_MAX. */
unsigned redis_tls_files(const struct redis_tls_settings *settings,
                         struct slice files[REDIS_TLS_FILES_MAX]);

#endif
