/* api.h: the endpoints: HTTP in, OAuth out.
 *
 * One struct api a worker, and one for the metrics listener. It is the handler of an http_server:
 * give that server api_handler() with the struct api as its context. */
#ifndef MINTD_API_H
#define MINTD_API_H

#include "mintd/clock.h"
#include "mintd/http_server.h"
#include "mintd/networks.h"
#include "mintd/oauth.h"
#include "mintd/store.h"

/* Everything one worker counts. */
struct worker_metrics {
    struct http_metrics http;
    struct store_metrics store;
    struct oauth_metrics oauth;
    struct histogram loop_lag; /* how late the worker's tick came */
};

/* What an instance has to tell its operator: `mintctl doctor` finds it in the heartbeat. Each stays
 * until the end of the process; REDIS_CHANGED stays for a minute. */
#define API_NOTICES(X)                                                                             \
    X(CLIENT_DIFFERS, "client differs")   /* --client and its record */                            \
    X(UNTRUSTED_PROXY, "untrusted proxy") /* X-Forwarded-For comes from no trusted address */      \
    X(REDIS_CHANGED, "redis changed")     /* it was emptied, or is another one than before */      \
    X(REDIS_UNCHECKED, "redis unchecked") /* --redis-tls-insecure: it may be anybody */

enum api_notice {
#define X(id, name) API_NOTICE_##id,
    API_NOTICES(X)
#undef X
        API_NOTICE_COUNT
};

/* Of the last beat: per second, in tenths. Written by who beats, read by anybody. */
struct api_rates {
    struct counter minted, validated, refused, answered;
};

#define API_RUN_SIZE 16u

/* What all workers of a process share; it outlives them. */
struct api_process {
    const char *name;           /* of this instance: [A-Za-z0-9._-] */
    char run[API_RUN_SIZE + 1]; /* random: tells two of the same name apart */
    const char *host;           /* its name */
    uint64_t started_ms;        /* epoch */
    uint64_t started_ns;        /* clock_monotonic_ns() */
    struct slice issuer;
    const char *client;         /* id of --client; NULL: none */
    const struct slice *listen; /* [listen_count]: the addresses, as they were given */
    unsigned listen_count;
    bool tls;                               /* those of them that are TCP speak TLS */
    _Atomic long long certificate_expiry_s; /* Unix time; 0: no TLS, or not known */
    unsigned worker_count;
    struct api_rates rates;
    _Atomic unsigned notices; /* a bit an enum api_notice */
    /* [metrics_count]: one a worker, one more for the metrics listener */
    struct worker_metrics *metrics;
    unsigned metrics_count;
    _Atomic bool starting; /* /readyz says 503: the client made at start is not there yet */
    _Atomic bool draining; /* /readyz says 503 from then on */
    /* So many refusals of strangers a second and reason get a line in the log; 0: each. */
    unsigned refusals_told;
    _Atomic uint64_t refusals[OAUTH_REFUSAL_COUNT]; /* refusals.c's */
    /* Times that Redis had another identity than before, and clock_monotonic_ms() of the last. */
    _Atomic uint64_t identity_changes, identity_changed_ms;
};

static inline void api_notice(struct api_process *process, enum api_notice notice) {
    atomic_fetch_or(&process->notices, 1u << notice);
}

/* Whether Redis had another identity than before, in the last minute. */
static inline bool api_redis_has_changed(const struct api_process *process) {
    uint64_t changed_ms = atomic_load(&process->identity_changed_ms);
    return changed_ms != 0 && clock_monotonic_ms() - changed_ms < 60000u;
}

enum api_paths {
    API_ALL,
    API_WITHOUT_METRICS, /* /metrics has a listener of its own: 404 here */
    API_METRICS_ONLY,    /* that listener: /metrics, /healthz and /readyz */
};

#define API_ISSUER_MAX 512u

struct api_options {
    struct slice issuer;           /* copied; as api_issuer_is_valid() has it */
    struct slice scopes_supported; /* as oauth_scope_is_valid() has it, OAUTH_SCOPE_MAX bytes at
                                      most; outlives the api; absent: the metadata do not say */
    enum api_paths paths;
    struct api_process *process;
    /* Whose X-Forwarded-For or Forwarded counts; outlives the api. */
    const struct networks *trusted_proxies;
    unsigned failure_v6_prefix; /* failures are counted for each IPv6 network of so many bits */
    struct oauth *oauth;
    struct store *store;
    uint64_t (*wall_ms)(void);
};

struct api;

/* An absolute http or https URL without query, fragment or a slash at its end (RFC 8414 2); shorter
 * than API_ISSUER_MAX. */
bool api_issuer_is_valid(struct slice issuer);

/* Appends the identifier of /secret as a resource (RFC 8707 2, RFC 9728 2): what its metadata
 * names, and what every client may ask for. API_RESOURCE_MAX bytes at most. */
#define API_RESOURCE_MAX (API_ISSUER_MAX + 16u)
void api_write_resource(struct buffer *text, struct slice issuer);

/* Tells, in one line a reason, of the refusals of the seconds that are over that got no line of
 * their own; at the end of this one, too. Ten times a second, and at the end. */
void api_tell_refusals(struct api_process *process, bool at_end);

struct api *api_new(const struct api_options *options); /* NULL: no memory */
void api_free(struct api *api);                         /* no exchange may be open */
const struct http_handler *api_handler(void);

#endif
