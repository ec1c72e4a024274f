#include "settings.h"
#include "mintd/api.h"
#include "mintd/encoding.h"
#include "mintd/http_server.h"
#include "mintd/quantity.h"
#include <stdio.h>

#define CACHE_SIZE_MAX (64ull << 30)
#define REDIS_WAIT_MAX 16u /* replicas of one node */

/* ---- what each value means ---- */

static bool complain(struct buffer *error, const char *what) {
    buffer_append_format(error, "%s", what);
    return false;
}

static bool read_number(struct slice value, unsigned least, unsigned most, unsigned *number,
                        struct buffer *error) {
    unsigned long long parsed;
    if (!slice_to_number(value, most, &parsed) || parsed < least) {
        buffer_append_format(error, "it is a number from %u to %u", least, most);
        return false;
    }
    *number = (unsigned)parsed;
    return true;
}

/* A duration in whole seconds. */
static bool read_seconds(struct slice value, unsigned least, unsigned most, unsigned *seconds,
                         struct buffer *error) {
    unsigned long long parsed;
    if (!quantity_seconds(value, most, &parsed) || parsed < least) {
        buffer_append_format(error, "it is a time from %u to %u s: 90, 90s, 10m, 24h or 7d", least,
                             most);
        return false;
    }
    *seconds = (unsigned)parsed;
    return true;
}

static bool read_switch(struct slice value, bool *yes, struct buffer *error) {
    *yes = slice_equal(value, S("yes"));
    return *yes || slice_equal(value, S("no")) || complain(error, "it is yes or no");
}

bool setting_is_same_address(struct slice a, struct slice b) {
    bool any_port = a.size > 2 && memcmp(a.data + a.size - 2, ":0", 2) == 0;
    return !any_port && !slice_is_absent(b) && slice_equal(a, b);
}

static bool set_listen(struct options *o, struct slice value, struct buffer *error) {
    struct slice address;
    while (slice_next_word(&value, &address)) {
        if (o->instance.listen_count == INSTANCE_LISTENERS_MAX) {
            return complain(error, "8 addresses at most");
        }
        if (!http_address_is_valid(address, error)) {
            return false;
        }
        for (unsigned i = 0; i < o->instance.listen_count; i++) {
            if (setting_is_same_address(o->instance.listen[i], address)) {
                buffer_append(error, address);
                return complain(error, " is given twice: once is enough");
            }
        }
        o->instance.listen[o->instance.listen_count++] = address;
    }
    return o->instance.listen_count != 0 ||
           complain(error, "it is host:port, [v6]:port or unix:/path");
}

static bool set_metrics_listen(struct options *o, struct slice value, struct buffer *error) {
    o->instance.metrics_listen = value;
    return http_address_is_valid(value, error);
}

static bool set_metrics_clients(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 0, CLIENT_NAMES_MAX, &o->instance.metrics_clients, error);
}

static bool set_file(struct slice value, struct slice *file, struct buffer *error) {
    *file = value;
    return value.size != 0 || complain(error, "it is the name of a file");
}

static bool set_tls_certificate(struct options *o, struct slice value, struct buffer *error) {
    return set_file(value, &o->instance.tls_certificate, error);
}

static bool set_tls_key(struct options *o, struct slice value, struct buffer *error) {
    return set_file(value, &o->instance.tls_key, error);
}

static bool set_redis(struct options *o, struct slice value, struct buffer *error) {
    o->instance.store_in_memory = slice_equal(value, S("memory:"));
    return o->instance.store_in_memory || redis_url_parse(value, &o->instance.redis, error);
}

static bool set_redis_password_file(struct options *o, struct slice value, struct buffer *error) {
    o->instance.redis_password_file = value.data;
    return value.size != 0 || complain(error, "it is the name of a file");
}

static bool set_redis_password_command(struct options *o, struct slice value,
                                       struct buffer *error) {
    o->instance.redis_password_command = value.data;
    return value.size != 0 || complain(error, "it is a command of the shell");
}

static bool set_sentinel_user(struct options *o, struct slice value, struct buffer *error) {
    o->instance.sentinel_user = value;
    return (value.size != 0 && value.size < REDIS_NAME_MAX) ||
           complain(error, "it is a name of 255 bytes at most");
}

static bool set_sentinel_password(struct options *o, struct slice value, struct buffer *error) {
    o->instance.sentinel_password = value;
    return (value.size != 0 && value.size < REDIS_NAME_MAX) ||
           complain(error, "it has 255 bytes at most");
}

static bool set_redis_ca(struct options *o, struct slice value, struct buffer *error) {
    return set_file(value, &o->instance.redis_tls.ca, error);
}

static bool set_redis_certificate(struct options *o, struct slice value, struct buffer *error) {
    return set_file(value, &o->instance.redis_tls.certificate, error);
}

static bool set_redis_key(struct options *o, struct slice value, struct buffer *error) {
    return set_file(value, &o->instance.redis_tls.key, error);
}

static bool set_redis_tls_name(struct options *o, struct slice value, struct buffer *error) {
    o->instance.redis_tls.name = value;
    return tls_client_host_is_valid(value) || complain(error, "it is a name or an address");
}

static bool set_redis_tls_insecure(struct options *o, struct slice value, struct buffer *error) {
    return read_switch(value, &o->instance.redis_tls.believes_all, error);
}

static bool set_redis_prefix(struct options *o, struct slice value, struct buffer *error) {
    o->instance.redis_prefix = value;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] <= ' ' || value.data[i] >= 0x7f || strchr("*?[]\\{}", value.data[i])) {
            return complain(error, "it is visible ASCII without * ? [ ] { } and backslash");
        }
    }
    return value.size <= 64 || complain(error, "64 bytes at most");
}

static bool set_redis_identity(struct options *o, struct slice value, struct buffer *error) {
    o->instance.redis_identity = value;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] <= ' ' || value.data[i] >= 0x7f) {
            return complain(error, "it is visible ASCII, as the key named identity has it");
        }
    }
    return (value.size != 0 && value.size <= REDIS_IDENTITY_MAX) ||
           complain(error, "it is 1 to 64 bytes, as the key named identity has them");
}

static bool set_redis_timeout(struct options *o, struct slice value, struct buffer *error) {
    unsigned long long ms;
    if (!quantity_milliseconds(value, 10000, &ms) || ms < 10) {
        return complain(error, "it is milliseconds, 10 to 10000, or a time: 250ms, 1s");
    }
    o->instance.redis_timeout_ms = (unsigned)ms;
    return true;
}

static bool set_redis_wait(struct options *o, struct slice value, struct buffer *error) {
    struct redis_wait *wait = &o->instance.redis_wait;
    unsigned long long number = 0;
    wait->is_auto = slice_equal(value, S("auto"));
    bool is_right = wait->is_auto || slice_to_number(value, REDIS_WAIT_MAX, &number);
    wait->replicas = (unsigned)number;
    return is_right || complain(error, "it is a number of replicas from 0 to 16, or auto");
}

static bool set_redis_wait_mints(struct options *o, struct slice value, struct buffer *error) {
    return read_switch(value, &o->instance.redis_wait.mints, error);
}

static bool set_redis_wait_aof(struct options *o, struct slice value, struct buffer *error) {
    return read_switch(value, &o->instance.redis_wait.files, error);
}

static bool set_cache_size(struct options *o, struct slice value, struct buffer *error) {
    unsigned long long bytes;
    if (!quantity_bytes(value, CACHE_SIZE_MAX, &bytes)) {
        return complain(error,
                        "it is a number of bytes, 64m for instance, 64g at most; 0: no cache");
    }
    o->instance.cache_size = (size_t)bytes;
    return true;
}

static bool set_workers(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 1, INSTANCE_WORKERS_MAX, &o->instance.workers, error);
}

static bool set_max_connections(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 1, 1000000, &o->instance.max_connections, error);
}

static bool set_max_connections_per_address(struct options *o, struct slice value,
                                            struct buffer *error) {
    return read_number(value, 0, 1000000, &o->instance.max_connections_per_address, error);
}

static bool set_max_handshakes_per_address(struct options *o, struct slice value,
                                           struct buffer *error) {
    return read_number(value, 0, 1000000, &o->instance.max_handshakes_per_address, error);
}

static bool set_drain_delay(struct options *o, struct slice value, struct buffer *error) {
    unsigned long long seconds;
    if (!quantity_seconds(value, 3600, &seconds)) {
        return complain(error, "it is a time from 0 to 3600 s: 5, 5s or 1m");
    }
    o->instance.drain_delay_s = (unsigned)seconds;
    return true;
}

static bool set_readiness(struct options *o, struct slice value, struct buffer *error) {
    o->instance.stays_ready = slice_equal(value, S("serving"));
    return o->instance.stays_ready || slice_equal(value, S("redis")) ||
           complain(error, "it is redis or serving");
}

static bool set_sandbox(struct options *o, struct slice value, struct buffer *error) {
    o->instance.sandbox = slice_equal(value, S("on"))    ? INSTANCE_SANDBOX_ON
                          : slice_equal(value, S("off")) ? INSTANCE_SANDBOX_OFF
                                                         : INSTANCE_SANDBOX_AUTO;
    return o->instance.sandbox != INSTANCE_SANDBOX_AUTO || slice_equal(value, S("auto")) ||
           complain(error, "it is auto, on or off");
}

static bool set_token_ttl(struct options *o, struct slice value, struct buffer *error) {
    return read_seconds(value, 1, OAUTH_TTL_MAX, &o->instance.token_ttl_s, error);
}

static bool set_failure_limit(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 0, 1000000, &o->instance.failure_limit, error);
}

static bool set_failure_v6_prefix(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 1, IP_V6_BITS, &o->instance.failure_v6_prefix, error);
}

static bool set_log_refusals(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 0, 1000000, &o->instance.refusals_told, error);
}

static bool set_trusted_proxies(struct options *o, struct slice value, struct buffer *error) {
    return networks_parse(value, &o->instance.trusted_proxies, error);
}

static bool set_client(struct options *o, struct slice value, struct buffer *error) {
    o->instance.seed = &o->seed;
    return oauth_client_seed_parse(value, &o->seed, error);
}

static bool set_clients_file(struct options *o, struct slice value, struct buffer *error) {
    o->instance.clients_file = value.data;
    return value.size != 0 || complain(error, "it is the name of a file");
}

static bool set_name(struct options *o, struct slice value, struct buffer *error) {
    o->instance.name = value;
    return (word_is_plain(value) && value.size <= INSTANCE_NAME_MAX) ||
           complain(error, "it is 1 to 64 of A-Z a-z 0-9 . _ -");
}

static bool set_issuer(struct options *o, struct slice value, struct buffer *error) {
    o->instance.issuer = value;
    return api_issuer_is_valid(value) ||
           complain(error,
                    "it is an https (or http) URL without query, fragment or a slash at its end");
}

static bool set_scopes_supported(struct options *o, struct slice value, struct buffer *error) {
    o->instance.scopes_supported = value;
    return (value.size != 0 && value.size <= OAUTH_SCOPE_MAX && oauth_scope_is_valid(value)) ||
           complain(error, "it is a list of scopes with one space between them");
}

static bool set_log_format(struct options *o, struct slice value, struct buffer *error) {
    bool text = slice_equal(value, S("text"));
    o->log_format = text ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    return text || slice_equal(value, S("json")) || complain(error, "it is text or json");
}

static bool set_reuse_port(struct options *o, struct slice value, struct buffer *error) {
    return read_switch(value, &o->instance.reuse_port, error);
}

static bool set_access_log(struct options *o, struct slice value, struct buffer *error) {
    return read_switch(value, &o->instance.access_log, error);
}

static bool set_log_level(struct options *o, struct slice value, struct buffer *error) {
    return log_level_parse(value, &o->log_level) ||
           complain(error, "it is debug, info, warning or error");
}

/* ---- the table ---- */

const struct setting settings[] = {
    {"--listen", "MINTD_LISTEN", "ADDRESS",
     "host:port, [v6]:port, :port or unix:/path; repeatable (127.0.0.1:4001 and [::1]:4001)",
     set_listen, true, SETTING_PUBLIC},
    {"--metrics-listen", "MINTD_METRICS_LISTEN", "ADDRESS",
     "serve /metrics there and not on the main listeners", set_metrics_listen, false,
     SETTING_PUBLIC},
    {"--metrics-clients", "MINTD_METRICS_CLIENTS", "N",
     "count tokens of so many clients by name, 100 at most (0)", set_metrics_clients, false,
     SETTING_PUBLIC},
    {"--tls-cert", "MINTD_TLS_CERT", "FILE",
     "certificate and its chain, in PEM: every TCP address of --listen speaks TLS then; read\n"
     "again when it changes and at SIGHUP (no TLS)",
     set_tls_certificate, false, SETTING_PUBLIC},
    {"--tls-key", "MINTD_TLS_KEY", "FILE", "its key, in PEM, without a passphrase", set_tls_key,
     false, SETTING_PUBLIC},
    {"--redis", "MINTD_REDIS", "URL",
     "redis://[user:password@]host[:port][/db], the same with rediss:// for TLS,\n"
     "unix:///path[?db=N],\n"
     "redis+sentinel://[user:password@]host[:port],.../name[/db],\n"
     "redis+cluster://[user:password@]host[:port],..., or memory:\n"
     "(redis://127.0.0.1:6379)",
     set_redis, false, SETTING_MAY_HOLD_SECRET},
    {"--redis-password-file", "MINTD_REDIS_PASSWORD_FILE", "FILE",
     "the password of Redis, where it ends: read whenever a connection is made, looked at every\n"
     "10 s and at SIGHUP (the URL's)",
     set_redis_password_file, false, SETTING_PUBLIC},
    {"--redis-password-command", "MINTD_REDIS_PASSWORD_COMMAND", "COMMAND",
     "the same, said by a command of the shell: a line, or {\"password\": TEXT, \"expires_in\": "
     "S}\n"
     "(the URL's)",
     set_redis_password_command, false, SETTING_PUBLIC},
    {"--redis-sentinel-user", "MINTD_REDIS_SENTINEL_USER", "NAME",
     "whom Sentinels know; the user in the URL is for Redis alone (none)", set_sentinel_user, false,
     SETTING_PUBLIC},
    {"--redis-sentinel-password", "MINTD_REDIS_SENTINEL_PASSWORD", "TEXT",
     "and its password, or that of all users (none)", set_sentinel_password, false,
     SETTING_IS_SECRET},
    {"--redis-ca", "MINTD_REDIS_CA", "FILE",
     "with rediss://: who may have signed the certificate of Redis, in PEM, or a folder of\n"
     "such (the system's authorities)",
     set_redis_ca, false, SETTING_PUBLIC},
    {"--redis-cert", "MINTD_REDIS_CERT", "FILE",
     "with rediss://: our certificate and its chain, in PEM, for a Redis that asks for one\n(none)",
     set_redis_certificate, false, SETTING_PUBLIC},
    {"--redis-key", "MINTD_REDIS_KEY", "FILE", "its key, in PEM, without a passphrase",
     set_redis_key, false, SETTING_PUBLIC},
    {"--redis-tls-name", "MINTD_REDIS_TLS_NAME", "NAME",
     "with rediss://: the name that the certificate of Redis is for (the host of --redis)",
     set_redis_tls_name, false, SETTING_PUBLIC},
    {"--redis-tls-insecure", "MINTD_REDIS_TLS_INSECURE", NULL,
     "with rediss://: take any certificate, as long as you look for what is wrong (no)",
     set_redis_tls_insecure, false, SETTING_PUBLIC},
    {"--redis-prefix", "MINTD_REDIS_PREFIX", "TEXT", "what all keys begin with (mintd:)",
     set_redis_prefix, false, SETTING_PUBLIC},
    {"--redis-identity", "MINTD_REDIS_IDENTITY", "ID",
     "serve from this Redis only: what its key mintd:identity holds; another one is 503 (any)",
     set_redis_identity, false, SETTING_PUBLIC},
    {"--redis-timeout", "MINTD_REDIS_TIMEOUT", "TIME",
     "how long Redis may take to answer; a plain number is milliseconds (250ms)", set_redis_timeout,
     false, SETTING_PUBLIC},
    {"--redis-wait", "MINTD_REDIS_WAIT", "N|auto",
     "replicas that have to have a revocation before it is answered, else 503; auto: as many as\n"
     "there are (0)",
     set_redis_wait, false, SETTING_PUBLIC},
    {"--redis-wait-mints", "MINTD_REDIS_WAIT_MINTS", NULL,
     "and a token, before it is given out (no)", set_redis_wait_mints, false, SETTING_PUBLIC},
    {"--redis-wait-aof", "MINTD_REDIS_WAIT_AOF", NULL,
     "and the append-only files of Redis and of these replicas: Redis 7.2 and later (no)",
     set_redis_wait_aof, false, SETTING_PUBLIC},
    {"--cache-size", "MINTD_CACHE_SIZE", "SIZE",
     "memory for copies of what Redis holds, 64m for instance; 0: each request asks Redis (32m)",
     set_cache_size, false, SETTING_PUBLIC},
    {"--workers", "MINTD_WORKERS", "N", "event loops, each on a thread (one a core)", set_workers,
     false, SETTING_PUBLIC},
    {"--max-connections", "MINTD_MAX_CONNECTIONS", "N",
     "connections of clients at one time (10000)", set_max_connections, false, SETTING_PUBLIC},
    {"--max-connections-per-address", "MINTD_MAX_CONNECTIONS_PER_ADDRESS", "N",
     "of these, from one address; not for trusted proxies; 0: no limit (1000)",
     set_max_connections_per_address, false, SETTING_PUBLIC},
    {"--max-handshakes-per-address", "MINTD_MAX_HANDSHAKES_PER_ADDRESS", "N",
     "TLS handshakes a second from one address; not for trusted proxies; 0: no limit (500)",
     set_max_handshakes_per_address, false, SETTING_PUBLIC},
    {"--reuse-port", "MINTD_REUSE_PORT", NULL,
     "another mintd of this user that says so too may listen on the same ports, as a new program\n"
     "does before the old one ends (no)",
     set_reuse_port, false, SETTING_PUBLIC},
    {"--drain-delay", "MINTD_DRAIN_DELAY", "TIME",
     "how long all is still served at SIGTERM, with /readyz 503, ahead of the drain (0)",
     set_drain_delay, false, SETTING_PUBLIC},
    {"--readiness", "MINTD_READINESS", "redis|serving",
     "when /readyz is 200: as long as Redis takes writes, or from the first such moment until the\n"
     "drain (redis)",
     set_readiness, false, SETTING_PUBLIC},
    {"--sandbox", "MINTD_SANDBOX", "auto|on|off",
     "give up the system calls that a running mintd does not make; auto: where the kernel allows "
     "it\n"
     "and no --redis-password-command has to run (auto)",
     set_sandbox, false, SETTING_PUBLIC},
    {"--token-ttl", "MINTD_TOKEN_TTL", "TIME",
     "life of a token where the client has no ttl of its own: 600, 10m, 24h (1h)", set_token_ttl,
     false, SETTING_PUBLIC},
    {"--failure-limit", "MINTD_FAILURE_LIMIT", "N",
     "failed authentications a minute for each client and address; 0: no limit (10)",
     set_failure_limit, false, SETTING_PUBLIC},
    {"--failure-limit-v6-prefix", "MINTD_FAILURE_LIMIT_V6_PREFIX", "BITS",
     "IPv6 addresses with so many bits in common are counted as one (64)", set_failure_v6_prefix,
     false, SETTING_PUBLIC},
    {"--trusted-proxies", "MINTD_TRUSTED_PROXIES", "NETWORKS",
     "whose X-Forwarded-For or Forwarded counts: 10.0.0.0/8, ::1, unix; separated by spaces\n"
     "(none)",
     set_trusted_proxies, false, SETTING_PUBLIC},
    {"--client", "MINTD_CLIENT", "ID:SECRET[:SCOPE]",
     "make this client at start, if there is none of that name", set_client, false,
     SETTING_IS_SECRET},
    {"--clients-file", "MINTD_CLIENTS_FILE", "FILE",
     "make the clients what this file says, at start and at SIGHUP, as mintctl client apply does;\n"
     "none is removed (none)",
     set_clients_file, false, SETTING_PUBLIC},
    {"--issuer", "MINTD_ISSUER", "URL",
     "the issuer of all instances of a cluster (http:// or https:// and the first address)",
     set_issuer, false, SETTING_PUBLIC},
    {"--scopes-supported", "MINTD_SCOPES_SUPPORTED", "SCOPES",
     "what the metadata say of scopes: \"read write\" (nothing)", set_scopes_supported, false,
     SETTING_PUBLIC},
    {"--name", "MINTD_NAME", "NAME", "name of this instance (host name and port)", set_name, false,
     SETTING_PUBLIC},
    {"--log-format", "MINTD_LOG_FORMAT", "text|json", "(text on a terminal, else json)",
     set_log_format, false, SETTING_PUBLIC},
    {"--log-refusals", "MINTD_LOG_REFUSALS", "N",
     "refusals of strangers told one by one, each second and reason; the others are summed;\n"
     "0: each is told (20)",
     set_log_refusals, false, SETTING_PUBLIC},
    {"--access-log", "MINTD_ACCESS_LOG", NULL,
     "a line in the log for each request, at level info (no)", set_access_log, false,
     SETTING_PUBLIC},
    {"--log-level", "MINTD_LOG_LEVEL", "LEVEL", "debug, info, warning or error (info)",
     set_log_level, false, SETTING_PUBLIC_IN_FILE},
};

bool setting_has_file(const struct setting *setting) {
    return setting->secrecy != SETTING_PUBLIC;
}

const size_t settings_count = sizeof settings / sizeof settings[0];
_Static_assert(sizeof settings / sizeof settings[0] <= SETTINGS_MAX, "room for each setting");
