#include "instance/certificate.h"
#include "mintd/log.h"

#define ERROR_MAX 512u
#define SOON_S (7 * 24 * 3600)

void certificate_tell(const struct http_tls *tls) {
    long long left = http_tls_seconds_left(tls);
    log_info("certificate in use", LOG_NUMBER("expires_in_s", left));
    if (left < 0) {
        log_warning("the certificate has expired: clients will refuse it; renew the file, then "
                    "send SIGHUP");
    } else if (left < SOON_S) {
        log_warning("the certificate expires within a week: renew the file, then send SIGHUP");
    }
}

struct http_tls *certificate_reload(const struct instance_options *options) {
    char storage[ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage);
    struct http_tls *tls = http_tls_new(options->tls_certificate, options->tls_key, &error);
    if (tls == NULL) {
        log_error("the certificate is not reloaded, the old one stays in use: put the files right, "
                  "then send SIGHUP again",
                  LOG_TEXT("problem", buffer_slice(&error)));
        return NULL;
    }
    certificate_tell(tls);
    return tls;
}
