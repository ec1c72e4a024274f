/* instance.h: one mintd process: listeners, workers, signals, drain. */
#ifndef MINTD_INSTANCE_H
#define MINTD_INSTANCE_H

#include "mintd/http_tls.h"
#include "mintd/networks.h"
#include "mintd/oauth.h"
#include "mintd/redis_tls.h"
#include "mintd/slice.h"

#define INSTANCE_LISTENERS_MAX 8u
#define INSTANCE_WORKERS_MAX 256u
#define INSTANCE_NAME_MAX 64u
#define INSTANCE_ISSUER_MAX 272u /* of one that is written here */
/* A warning, where no issuer was given and not only this machine reaches the instance. */
#define INSTANCE_ISSUER_IS_A_GUESS                                                                 \
    "the issuer is a guess, and this instance is reachable from other machines: give the URL by "  \
    "which clients reach it"

/* Settings, all valid. The slices outlive instance_run(). */
struct instance_options {
    struct slice listen[INSTANCE_LISTENERS_MAX]; /* as http_listen() takes them */
    unsigned listen_count;                       /* 1 at least */
    bool
        listens_by_default; /* nobody chose them: one that this machine does not have is left out */
    struct slice metrics_listen;           /* absent: /metrics is on the main listeners */
    struct tls_context *tls;               /* for TCP in `listen`; NULL: plain */
    struct slice tls_certificate, tls_key; /* the files it was made of: read again when changed */
    bool store_in_memory;                  /* else Redis: */
    struct redis_url redis;
    const char *redis_password_file, *redis_password_command; /* one at most; NULL: the URL's */
    struct slice sentinel_user,
        sentinel_password;                 /* what Sentinels are greeted with; absent: none */
    struct redis_tls_settings redis_tls;   /* its files are read again when changed */
    struct tls_context *redis_tls_context; /* made of them; NULL: plain */
    struct slice redis_prefix;
    struct slice redis_identity;   /* the one Redis that is served; absent: any */
    struct slice issuer;           /* absent: from the first listener's address */
    struct slice scopes_supported; /* for the metadata; absent: nothing is said */
    struct redis_wait redis_wait;  /* none: no write waits for replicas */
    unsigned redis_timeout_ms;
    size_t cache_size; /* bytes, of the process; 0: each request asks Redis */
    unsigned workers;
    unsigned max_connections;             /* of the process */
    unsigned max_connections_per_address; /* 0: no bound of its own */
    unsigned drain_delay_s; /* between the request to drain and the drain: all goes on */
    unsigned token_ttl_s;
    unsigned failure_limit;     /* failures a minute of a client from an address; 0: no limit */
    unsigned failure_v6_prefix; /* IPv6 addresses that share so many bits are counted as one */
    struct networks trusted_proxies;
    unsigned refusals_told; /* of strangers, in the log, a second and reason; 0: all */
    struct slice name;      /* absent: host name and port */
    const struct oauth_client_seed *seed; /* a client to make at start; NULL: none */
};

/* Opens everything, runs until SIGTERM or SIGINT, drains after drain_delay_s (8 s at most; a second
 * signal ends it at once). Returns the exit status: 0 after a drain, 1 where something could not be
 * opened, with one line on standard error that says what. */
int instance_run(const struct instance_options *options);

/* The name and the issuer in force. `bound`: the address of the first listener, with the port that
 * it has. The name is INSTANCE_NAME_MAX bytes at most: as it was given, or "<host>-<port>"; of a
 * unix socket, its path stands for the port. The issuer is what is used where none was given. */
void instance_write_name(const struct instance_options *options, struct slice host,
                         struct slice bound, struct buffer *name);
void instance_write_issuer(const struct instance_options *options, struct slice bound,
                           struct buffer *issuer);

#endif
