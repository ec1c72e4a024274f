/* certificate.h: the server's certificate: read again, and told to the log. */
#ifndef MINTD_INSTANCE_CERTIFICATE_H
#define MINTD_INSTANCE_CERTIFICATE_H

#include "mintd/instance.h"

/* Logs how long it lasts. */
void certificate_tell(const struct http_tls *tls);
/* Reads the files again (blocking). NULL where they cannot be used; the log has told then. */
struct http_tls *certificate_reload(const struct instance_options *options);

#endif
