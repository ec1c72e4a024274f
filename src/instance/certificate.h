/* certificate.h: the server's certificate: read again when asked or when its files have changed,
 * and told to the log. */
#ifndef MINTD_INSTANCE_CERTIFICATE_H
#define MINTD_INSTANCE_CERTIFICATE_H

#include <uv.h>

#include "mintd/api.h"
#include "mintd/file_digest.h"
#include "mintd/instance.h"

#define CERTIFICATE_LOOK_MS 30000u

/* Looks at what both files hold; of the main thread. */
struct certificate_watch {
    const struct instance_options *options;
    struct api_process *process;
    /* Takes a certificate into use; tls is its own from then on. */
    void (*on_fresh)(void *data, struct tls_context *tls);
    void *data;
    unsigned look_ms; /* from one look to the next: CERTIFICATE_LOOK_MS */
    struct crypto *crypto;
    uint8_t seen[CRYPTO_DIGEST_SIZE]; /* of the files that were last used or refused */
    uv_timer_t timer;
};

/* Logs how long it lasts; the metric has it from then on. */
void certificate_tell(const struct tls_context *tls, struct api_process *process);
/* All but what it holds for itself (crypto, seen, timer) is set. False: no memory. Without TLS it
 * never looks. */
bool certificate_watch_init(struct certificate_watch *watch, uv_loop_t *loop);
/* Reads the files again (blocking), whether or not they have changed. */
void certificate_reload(struct certificate_watch *watch);
void certificate_watch_close(struct certificate_watch *watch); /* before the loop ends */
void certificate_watch_fini(struct certificate_watch *watch);  /* after it */

#endif
