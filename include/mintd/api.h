/* api.h: the endpoints: HTTP in, OAuth out.
 *
 * Each worker has one struct api, and the metrics listener has one more. It is the handler of an
 * http_server: give that server api_handler() with the struct api as its context. */
#ifndef MINTD_API_H
#define MINTD_API_H

#include "mintd/clock.h"
#include "mintd/http_server.h"
#include "mintd/networks.h"
#include "mintd/oauth.h"
#include "mintd/store.h"

/* All that one worker counts. */
struct worker_metrics {
    struct http_metrics http;
    struct store_metrics store;
    struct oauth_metrics oauth;
    struct histogram loop_lag; /* how late the worker's tick came */
};

/* What an instance has to tell its operator. `mintctl doctor` finds it in the heartbeat. A notice
 * stays until the process ends; only REDIS_CHANGED ends after a minute. */
#define API_NOTICES(X)                                                                             \
    X(CLIENT_DIFFERS, "client differs")   /* --client is not what its record says */               \
    X(UNTRUSTED_PROXY, "untrusted proxy") /* X-Forwarded-For from an untrusted address */          \
    X(REDIS_CHANGED, "redis changed")     /* it was emptied, or it is another one */               \
    X(REDIS_UNCHECKED, "redis unchecked") /* --redis-tls-insecure: it may be anybody */

enum api_notice {
#define X(id, name) API_NOTICE_##id,
    API_NOTICES(X)
#undef X
        API_NOTICE_COUNT
};

/* Rates between the last two heartbeats: per second, in tenths. The worker that has the heartbeat
 * writes them; any thread may read them. */
struct api_rates {
    struct counter minted, validated, refused, answered;
};

#define API_RUN_SIZE 16u

/* What all workers of a process share. It outlives them. */
struct api_process {
    const char *name;           /* name of this instance: [A-Za-z0-9._-] */
    char run[API_RUN_SIZE + 1]; /* random: tells two instances of the same name apart */
    const char *host;           /* name of the machine */
    const char *commit;         /* the commit that was built */
    uint64_t started_ms;        /* when the process started, since the epoch */
    uint64_t started_ns;        /* the same moment, by clock_monotonic_ns() */
    struct slice issuer;
    const char *client;         /* id of --client; NULL: there is none */
    const struct slice *listen; /* [listen_count]: the addresses as they were given */
    unsigned listen_count;
    bool tls;                               /* the TCP addresses among them speak TLS */
    _Atomic long long certificate_expiry_s; /* Unix time; 0: no TLS, or not known */
    unsigned worker_count;
    struct api_rates rates;
    _Atomic unsigned notices; /* one bit for each enum api_notice */
    /* [metrics_count]: one for each worker, and one more for the metrics listener */
    struct worker_metrics *metrics;
    unsigned metrics_count;
    struct client_names *client_names; /* NULL: clients are not counted by name */
    /* Where another program listens on the port: so many workers have no link to the store yet,
     * and do not listen yet; /readyz says 503 until none is left. */
    _Atomic unsigned to_link, to_listen;
    _Atomic bool starting;      /* /readyz says 503: the client of --client is not made yet */
    _Atomic bool draining;      /* /readyz says 503 from now on */
    _Atomic bool is_unwritable; /* the last heartbeat could not be written */
    /* --readiness serving: once ready, /readyz says 200 until the drain, whatever Redis does. */
    bool stays_ready;
    _Atomic bool was_ready;
    /* So many refusals of strangers get a line in the log, for each reason in each second. 0: each
     * refusal gets one. */
    unsigned refusals_told;
    _Atomic uint64_t refusals[OAUTH_REFUSAL_COUNT]; /* belongs to refusals.c */
    /* How often Redis had another identity than before, and when it last had
     * (clock_monotonic_ms()). 0: it never had. */
    _Atomic uint64_t identity_changes, identity_changed_ms;
};

static inline void api_notice(struct api_process *process, enum api_notice notice) {
    atomic_fetch_or(&process->notices, 1u << notice);
}

/* Whether the identity of Redis has changed within the last minute. */
static inline bool api_redis_has_changed(const struct api_process *process) {
    uint64_t changed_ms = atomic_load(&process->identity_changed_ms);
    return changed_ms != 0 && clock_monotonic_ms() - changed_ms < 60000u;
}

enum api_paths {
    API_ALL,
    API_WITHOUT_METRICS, /* /metrics is 404: it has a listener of its own */
    API_METRICS_ONLY,    /* that listener: /metrics, /healthz, /readyz, /status and /status.json */
};

#define API_ISSUER_MAX 512u

struct api_options {
    struct slice issuer; /* copied; api_issuer_is_valid() accepts it */
    /* For the metadata; oauth_scope_is_valid() accepts it; at most OAUTH_SCOPE_MAX bytes. It
     * outlives the api. Absent: the metadata does not name the scopes. */
    struct slice scopes_supported;
    enum api_paths paths;
    struct api_process *process;
    /* The proxies whose X-Forwarded-For or Forwarded is believed; outlives the api. */
    const struct networks *trusted_proxies;
    /* So many bits of an IPv6 address name the network that failures are counted for. */
    unsigned failure_v6_prefix;
    struct oauth *oauth;
    struct store *store;
    uint64_t (*wall_ms)(void);
};

struct api;

/* Whether the text is an absolute http or https URL without a query, a fragment or a slash at its
 * end (RFC 8414 2). It must be shorter than API_ISSUER_MAX. */
bool api_issuer_is_valid(struct slice issuer);

/* Appends the identifier of /secret as a resource (RFC 8707 2, RFC 9728 2): at most
 * API_RESOURCE_MAX bytes. The metadata of /secret names it, and every client may ask for it. */
#define API_RESOURCE_MAX (API_ISSUER_MAX + 16u)
void api_write_resource(struct buffer *text, struct slice issuer);

/* Logs the refusals that got no line of their own, in one line for each reason. It logs those of
 * the seconds that are over; with at_end also those of this second. One worker calls it ten times
 * a second, and the process once at its end. */
void api_tell_refusals(struct api_process *process, bool at_end);

struct api *api_new(const struct api_options *options); /* NULL: no memory */
void api_free(struct api *api);                         /* no exchange may be open */
/* Measures what /status plots, if this api serves /status. The worker calls it ten times a
 * second. */
void api_tick(struct api *api);
/* The handler. With an access log it writes a line in the log for each answer. */
const struct http_handler *api_handler(bool has_access_log);

#endif
