/* certificate.h: files that TLS needs: read again when asked or when they have changed, and handed
 * on; and the server's certificate, told to the log. */
#ifndef MINTD_INSTANCE_CERTIFICATE_H
#define MINTD_INSTANCE_CERTIFICATE_H

#include <uv.h>

#include "mintd/api.h"
#include "mintd/file_digest.h"
#include "mintd/instance.h"

#define CERTIFICATE_LOOK_MS 30000u
#define CERTIFICATE_FILES_MAX REDIS_TLS_FILES_MAX

/* Looks at what files hold; of the main thread. */
struct certificate_watch {
    struct slice files[CERTIFICATE_FILES_MAX];
    unsigned file_count; /* 0: it never looks */
    /* Makes a context of the files (blocking); NULL as http_tls_new() has it. */
    struct tls_context *(*read)(void *data, struct buffer *error, bool *no_memory);
    const char *refusal; /* for the log: what is not taken into use then */
    /* Takes it into use; tls is its own from then on. */
    void (*on_fresh)(void *data, struct tls_context *tls);
    void *data;
    unsigned look_ms;                 /* from one look to the next: CERTIFICATE_LOOK_MS */
    uint8_t seen[CRYPTO_DIGEST_SIZE]; /* of the files that were last used or refused */
    struct crypto *crypto;
    uv_timer_t timer;
};

/* Logs how long the server's lasts; the metric has it from then on. */
void certificate_tell(const struct tls_context *tls, struct api_process *process);
/* All but what it holds for itself (crypto, timer) is set; `seen` from ahead of the first reading:
 * what has changed since is found by the first look. False: no memory. */
bool certificate_watch_init(struct certificate_watch *watch, uv_loop_t *loop);
/* What files hold now, made into a context and not in use yet. */
struct certificate_fresh {
    struct tls_context *tls;
    bool was_seen;
    uint8_t seen[CRYPTO_DIGEST_SIZE];
};

/* Reads the files again (blocking), whether or not they have changed. False: they cannot be used,
 * which is logged. Else one of the two below has to follow. */
bool certificate_read(struct certificate_watch *watch, struct certificate_fresh *fresh);
void certificate_use(struct certificate_watch *watch, struct certificate_fresh *fresh);
void certificate_drop(struct certificate_fresh *fresh);        /* the next look finds them again */
void certificate_watch_close(struct certificate_watch *watch); /* before the loop ends */
void certificate_watch_fini(struct certificate_watch *watch);  /* after it */

#endif
