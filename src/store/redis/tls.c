#include "mintd/redis_tls.h"

struct tls_context *redis_tls_read(const struct redis_tls_settings *settings, struct buffer *error,
                                   bool *no_memory) {
    const struct tls_client_options options = {
        .ca = settings->ca,
        .certificate = settings->certificate,
        .key = settings->key,
        .believes_all = settings->believes_all,
    };
    return tls_client_context_new(&options, error, no_memory);
}

unsigned redis_tls_files(const struct redis_tls_settings *settings,
                         struct slice files[REDIS_TLS_FILES_MAX]) {
    const struct slice all[] = {settings->ca, settings->certificate, settings->key};
    unsigned count = 0;
    for (unsigned i = 0; i < REDIS_TLS_FILES_MAX; i++) {
        if (!slice_is_absent(all[i])) {
            files[count++] = all[i];
        }
    }
    return count;
}

/* ---- do they fit ---- */

static bool fail(const char **setting, const char *name, struct buffer *error, const char *what) {
    *setting = name;
    buffer_append(error, slice_of_string(what));
    return false;
}

/* The first that was given; NULL: none. */
static const char *given(const struct redis_tls_settings *settings) {
    return !slice_is_absent(settings->ca)            ? "--redis-ca"
           : !slice_is_absent(settings->certificate) ? "--redis-cert"
           : !slice_is_absent(settings->key)         ? "--redis-key"
           : !slice_is_absent(settings->name)        ? "--redis-tls-name"
           : settings->believes_all                  ? "--redis-tls-insecure"
                                                     : NULL;
}

static bool hosts_are_valid(const struct redis_url *url) {
    bool valid =
        url->topology != REDIS_STANDALONE || tls_client_host_is_valid(slice_of_string(url->host));
    for (unsigned i = 0; i < url->seed_count; i++) {
        valid = valid && tls_client_host_is_valid(slice_of_string(url->seeds[i].host));
    }
    return valid;
}

static bool fit(const struct redis_tls_settings *settings, const struct redis_url *url,
                const char **setting, struct buffer *error) {
    bool has_certificate = !slice_is_absent(settings->certificate);
    bool has_name = !slice_is_absent(settings->name);
    if (!url->is_tls) {
        return given(settings) == NULL ||
               fail(setting, given(settings), error,
                    "it is for a Redis that is reached over TLS: write rediss:// in --redis, or "
                    "leave it out");
    }
    if (has_certificate && slice_is_absent(settings->key)) {
        return fail(setting, "--redis-cert", error,
                    "give the file of its key too, with --redis-key");
    }
    if (!has_certificate && !slice_is_absent(settings->key)) {
        return fail(setting, "--redis-key", error,
                    "give the file of the certificate too, with --redis-cert");
    }
    if (has_name && !tls_client_host_is_valid(settings->name)) {
        return fail(setting, "--redis-tls-name", error,
                    "it is the name or the address that the certificate of Redis is for");
    }
    return has_name || hosts_are_valid(url) ||
           fail(setting, "--redis", error,
                "no certificate can be for its host: give a name or an address, or "
                "--redis-tls-name");
}

bool redis_tls_open(const struct redis_tls_settings *settings, const struct redis_url *url,
                    struct tls_context **tls, const char **setting, struct buffer *error,
                    bool *no_memory) {
    *tls = NULL;
    if (!fit(settings, url, setting, error)) {
        return false;
    }
    if (!url->is_tls) {
        return true;
    }
    *setting = "TLS to Redis";
    *tls = redis_tls_read(settings, error, no_memory);
    return *tls != NULL;
}
