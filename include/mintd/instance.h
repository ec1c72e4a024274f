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
#define INSTANCE_ISSUER_MAX 272u /* bytes of an issuer that instance_write_issuer() writes */
/* The warning where no issuer was given and other machines can reach the instance. */
#define INSTANCE_ISSUER_IS_A_GUESS                                                                 \
    "the issuer is a guess, and this instance is reachable from other machines: give the URL by "  \
    "which clients reach it"

enum instance_sandbox {
    INSTANCE_SANDBOX_AUTO, /* where the kernel allows it and nothing has to run another program */
    INSTANCE_SANDBOX_ON,   /* or the start fails */
    INSTANCE_SANDBOX_OFF,
};

/* The settings, all of them valid. The slices and all pointers outlive instance_run(). */
struct instance_options {
    const char *commit;                          /* of the sources, for people */
    struct slice listen[INSTANCE_LISTENERS_MAX]; /* as http_listen() takes them */
    unsigned listen_count;                       /* at least 1 */
    /* `listen` is the default. One of it that this machine does not have is left out. */
    bool listens_by_default;
    struct slice metrics_listen; /* absent: /metrics is on the main listeners */
    /* How many clients are counted by name, at most CLIENT_NAMES_MAX; 0: none. */
    unsigned metrics_clients;
    struct tls_context *tls; /* for the TCP addresses of `listen`; NULL: no TLS */
    /* The files that it was made from. They are read again when they change. */
    struct slice tls_certificate, tls_key;
    /* Their digest, and that of redis_tls' files (file_digest.h), from ahead of the reading: what
     * has changed since, also before instance_run(), is found. */
    uint8_t tls_seen[CRYPTO_DIGEST_SIZE], redis_tls_seen[CRYPTO_DIGEST_SIZE];
    bool store_in_memory; /* false: the store is Redis, which is: */
    struct redis_url redis;
    /* At most one of the two; both NULL: the URL's password. */
    const char *redis_password_file, *redis_password_command;
    /* The files that the URL and the level of the log were read from. They are read again at
     * SIGHUP. NULL: there is no file. */
    const char *redis_file, *log_level_file;
    const char *clients_file; /* it declares clients (clients_file.h); NULL: none */
    struct slice sentinel_user, sentinel_password; /* for the Sentinels; absent: none */
    struct redis_tls_settings redis_tls;           /* its files are read again when they change */
    struct tls_context *redis_tls_context;         /* made from redis_tls; NULL: no TLS */
    struct slice redis_prefix;
    struct slice redis_identity; /* the only Redis that may be served; absent: any */
    struct slice issuer;         /* absent: made from the first listener's address */
    enum instance_sandbox sandbox;
    bool stays_ready;              /* once /readyz has been 200, it is 200 until the drain */
    struct slice scopes_supported; /* for the metadata; absent: it does not name the scopes */
    struct redis_wait redis_wait;  /* zeroed: no write waits for replicas */
    unsigned redis_timeout_ms;
    size_t cache_size; /* bytes, for the whole process; 0: each request asks Redis */
    unsigned workers;
    unsigned max_connections;             /* for the whole process */
    unsigned max_connections_per_address; /* 0: no bound */
    unsigned max_handshakes_per_address;  /* of TLS, a second; 0: no bound */
    bool reuse_port;                      /* another process may listen on the same TCP addresses */
    unsigned drain_delay_s; /* from the request to drain to the drain; meanwhile all goes on */
    unsigned token_ttl_s;
    unsigned failure_limit; /* failures a minute for a client from an address; 0: no limit */
    /* IPv6 addresses that share their first so many bits are counted as one. */
    unsigned failure_v6_prefix;
    struct networks trusted_proxies;
    bool access_log;        /* each answer is a line in the log */
    unsigned refusals_told; /* lines in the log for each reason in each second; 0: all */
    struct slice name;      /* absent: host name and port */
    const struct oauth_client_seed *seed; /* a client to make at start; NULL: none */
};

/* Opens everything and runs until SIGTERM or SIGINT. Then it waits for drain_delay_s and drains,
 * for at most 8 s; a second signal ends the drain at once. Returns the exit status: 0 after a
 * drain. It is 1 where something could not be opened; one line on standard error then says what. */
int instance_run(const struct instance_options *options);

/* Append the name and the issuer that are in force. `bound` is the address of the first listener,
 * with the port that it has. The name has at most INSTANCE_NAME_MAX bytes. It is the one that was
 * given, else "<host>-<port>"; for a unix socket its path stands for the port. The issuer is the
 * one to use where none was given. */
void instance_write_name(const struct instance_options *options, struct slice host,
                         struct slice bound, struct buffer *name);
void instance_write_issuer(const struct instance_options *options, struct slice bound,
                           struct buffer *issuer);

#endif
