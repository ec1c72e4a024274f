/* reload.c: files that are read again, when they have changed or at SIGHUP. */
#include "instance/instance_internal.h"
#include "mintd/log.h"
#include "mintd/setting_file.h"
#include <string.h>

/* ---- files of TLS ---- */

/* They are read and checked on the main thread; each worker takes the result between two requests.
 */
static struct tls_context *read_certificate(void *data, struct buffer *error, bool *no_memory) {
    const struct instance *instance = data;
    return http_tls_new(instance->options->tls_certificate, instance->options->tls_key, error,
                        no_memory);
}

static void on_fresh_certificate(void *data, struct tls_context *tls) {
    struct instance *instance = data;
    certificate_tell(tls, &instance->process);
    for (unsigned i = 0; i < instance->started; i++) {
        worker_use_tls(&instance->workers[i], tls_context_share(tls));
    }
    tls_context_free(tls);
}

static struct tls_context *read_redis_files(void *data, struct buffer *error, bool *no_memory) {
    const struct instance *instance = data;
    return redis_tls_read(&instance->options->redis_tls, error, no_memory);
}

static void on_fresh_redis_files(void *data, struct tls_context *tls) {
    struct instance *instance = data;
    log_info("the files of TLS to redis are read again: new connections use them");
    clients_use_tls(&instance->clients, tls_context_share(tls));
    for (unsigned i = 0; i < instance->started; i++) {
        worker_use_redis_tls(&instance->workers[i], tls_context_share(tls));
    }
    tls_context_free(tls);
}

bool instance_open_watches(struct instance *instance) {
    const struct instance_options *options = instance->options;
    instance->certificate = (struct certificate_watch){
        .files = {options->tls_certificate, options->tls_key},
        .file_count = options->tls == NULL ? 0 : 2,
        .read = read_certificate,
        .refusal = "the certificate is not reloaded, the old one stays in use: put the files "
                   "right; they are looked at every 30 s, or send SIGHUP again",
        .on_fresh = on_fresh_certificate,
        .data = instance,
        .look_ms = CERTIFICATE_LOOK_MS,
    };
    instance->redis_files = (struct certificate_watch){
        .read = read_redis_files,
        .refusal = "the files of TLS to redis are not reloaded, the old ones stay in use: put them "
                   "right; they are looked at every 30 s, or send SIGHUP again",
        .on_fresh = on_fresh_redis_files,
        .data = instance,
        .look_ms = CERTIFICATE_LOOK_MS,
    };
    if (options->redis_tls_context != NULL) {
        instance->redis_files.file_count =
            redis_tls_files(&options->redis_tls, instance->redis_files.files);
    }
    memcpy(instance->certificate.seen, options->tls_seen, CRYPTO_DIGEST_SIZE);
    memcpy(instance->redis_files.seen, options->redis_tls_seen, CRYPTO_DIGEST_SIZE);
    bool ok = certificate_watch_init(&instance->certificate, &instance->loop);
    return certificate_watch_init(&instance->redis_files, &instance->loop) && ok;
}

/* ---- SIGHUP ---- */

/* What was read, and is not in use yet. */
struct reload {
    struct instance *instance;
    bool has_certificate, has_redis_files, has_level, has_clients;
    struct certificate_fresh certificate, redis_files;
    enum log_level level;
    bool is_wrong;
};

static void read_tls(struct reload *r) {
    const struct instance_options *options = r->instance->options;
    if (options->tls != NULL) {
        r->has_certificate = certificate_read(&r->instance->certificate, &r->certificate);
        r->is_wrong |= !r->has_certificate;
    }
    if (options->redis_tls_context != NULL) { /* without files: the system's authorities */
        r->has_redis_files = certificate_read(&r->instance->redis_files, &r->redis_files);
        r->is_wrong |= !r->has_redis_files;
    }
}

static void read_log_level(struct reload *r) {
    const char *path = r->instance->options->log_level_file;
    char text[SETTING_FILE_STORAGE];
    bool no_memory;
    const char *why = path == NULL ? NULL : setting_file_read(path, text, &no_memory);
    if (path == NULL) {
        return;
    }
    if (why == NULL && !log_level_parse(slice_of_string(text), &r->level)) {
        why = "it is debug, info, warning or error";
    }
    r->has_level = why == NULL;
    r->is_wrong |= why != NULL;
    if (why != NULL) {
        log_error("the level of the log is left as it is", LOG_STRING("file", path),
                  LOG_STRING("problem", why));
    }
}

/* One with a password is looked at by redis_password.h, by itself. */
static void look_at_redis_url(struct reload *r) {
    const struct instance_options *options = r->instance->options;
    char text[SETTING_FILE_STORAGE];
    struct redis_url url;
    bool no_memory;
    if (options->redis_file == NULL || r->instance->password != NULL) {
        return;
    }
    const char *why = setting_file_read(options->redis_file, text, &no_memory);
    if (why == NULL && !redis_url_parse(slice_of_string(text), &url, &(struct buffer){0})) {
        why = "it is no URL of Redis";
    } else if (why == NULL &&
               (!redis_url_is_same(&url, &options->redis) || url.password[0] != '\0')) {
        why = "it has changed: that takes a restart, as it had no password";
    }
    r->is_wrong |= why != NULL;
    if (why != NULL) {
        log_error("the URL of redis is left as it is", LOG_STRING("file", options->redis_file),
                  LOG_STRING("problem", why));
    }
    explicit_bzero(&url, sizeof url);
    explicit_bzero(text, sizeof text);
}

/* It is read once more when it is applied. */
static void check_clients(struct reload *r) {
    const char *path = r->instance->options->clients_file;
    char storage[SAY_LINE_MAX];
    struct buffer error = buffer_of(storage, sizeof storage);
    bool no_memory;
    r->has_clients = path != NULL && clients_file_check(path, &error, &no_memory);
    if (path != NULL && !r->has_clients) {
        log_error("the clients file is not applied: put it right, then send SIGHUP again",
                  LOG_STRING("file", path), LOG_TEXT("problem", buffer_slice(&error)));
        r->is_wrong = true;
    }
}

static void use(struct reload *r) {
    struct instance *instance = r->instance;
    if (r->has_certificate) {
        certificate_use(&instance->certificate, &r->certificate);
    }
    if (r->has_redis_files) {
        certificate_use(&instance->redis_files, &r->redis_files);
    }
    if (r->has_level) {
        log_set_level(r->level);
        log_info("the level of the log is read again", LOG_TEXT("level", log_level_name(r->level)));
    }
    clients_apply(&instance->clients);
}

static void drop(struct reload *r) {
    if (r->has_certificate) {
        certificate_drop(&r->certificate);
    }
    if (r->has_redis_files) {
        certificate_drop(&r->redis_files);
    }
    if (r->has_certificate || r->has_redis_files || r->has_level || r->has_clients) {
        log_warning("what is right in the other files is not used either: one of them is wrong");
    }
}

static bool has_files(const struct instance *instance) {
    const struct instance_options *options = instance->options;
    return options->tls != NULL || options->redis_tls_context != NULL ||
           instance->password != NULL || options->log_level_file != NULL ||
           options->redis_file != NULL || options->clients_file != NULL;
}

void instance_reload(struct instance *instance) {
    struct reload r = {.instance = instance};
    if (!has_files(instance)) {
        log_info("nothing to reload");
        return;
    }
    read_tls(&r);
    read_log_level(&r);
    look_at_redis_url(&r);
    check_clients(&r);
    if (r.is_wrong) {
        drop(&r);
    } else {
        use(&r);
    }
    if (instance->password != NULL) { /* its failure is told by itself, and holds nothing back */
        redis_password_renew(instance->password);
    }
}
