#include "instance/certificate.h"
#include "mintd/log.h"
#include <string.h>

#define ERROR_MAX 512u
#define SOON_S (7 * 24 * 3600)

void certificate_tell(const struct tls_context *tls, struct api_process *process) {
    long long left = http_tls_seconds_left(tls);
    atomic_store(&process->certificate_expiry_s, http_tls_expiry(tls));
    log_info("certificate in use", LOG_NUMBER("expires_in_s", left));
    if (left < 0) {
        log_warning("the certificate has expired: clients will refuse it; renew the file");
    } else if (left < SOON_S) {
        log_warning("the certificate expires within a week: renew the file");
    }
}

static bool look(struct certificate_watch *watch, uint8_t digest[CRYPTO_DIGEST_SIZE]) {
    return file_digest(watch->crypto, watch->files, watch->file_count, digest);
}

/* The look comes before the reading: files that change in between are seen at the next look. So a
 * pair of which one half was written only is told as an error, and used once it is whole. */
bool certificate_read(struct certificate_watch *watch, struct certificate_fresh *fresh) {
    char storage[ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage);
    bool no_memory = false;
    fresh->was_seen = look(watch, fresh->seen);
    fresh->tls = watch->read(watch->data, &error, &no_memory);
    if (fresh->tls != NULL) {
        return true;
    }
    if (no_memory) {
        memset(watch->seen, 0, sizeof watch->seen); /* the next look tries again */
    } else if (fresh->was_seen) {
        memcpy(watch->seen, fresh->seen, sizeof watch->seen);
    }
    log_error(watch->refusal, LOG_TEXT("problem", buffer_slice(&error)));
    return false;
}

void certificate_use(struct certificate_watch *watch, struct certificate_fresh *fresh) {
    if (fresh->was_seen) {
        memcpy(watch->seen, fresh->seen, sizeof watch->seen);
    }
    watch->on_fresh(watch->data, fresh->tls);
}

void certificate_drop(struct certificate_fresh *fresh) {
    tls_context_free(fresh->tls);
}

static void on_look(uv_timer_t *timer) {
    struct certificate_watch *watch = timer->data;
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    if (look(watch, digest) && memcmp(watch->seen, digest, sizeof digest) != 0) {
        struct certificate_fresh fresh;
        if (certificate_read(watch, &fresh)) {
            certificate_use(watch, &fresh);
        }
    }
}

bool certificate_watch_init(struct certificate_watch *watch, uv_loop_t *loop) {
    watch->timer.data = watch;
    if (uv_timer_init(loop, &watch->timer) != 0) {
        return false;
    }
    if (watch->file_count == 0) {
        return true;
    }
    watch->crypto = crypto_new();
    return watch->crypto != NULL &&
           uv_timer_start(&watch->timer, on_look, watch->look_ms, watch->look_ms) == 0;
}

void certificate_watch_close(struct certificate_watch *watch) {
    uv_close((uv_handle_t *)&watch->timer, NULL);
}

void certificate_watch_fini(struct certificate_watch *watch) {
    crypto_free(watch->crypto);
}
