/* http_tls.h: certificate, key and the rules of TLS, made once and shared by all workers.
 *
 * TLS 1.2 and 1.3; suites with forward secrecy and AEAD alone; ALPN "http/1.1"; one ticket, and no
 * renegotiation, compression or early data. Such a context never changes: a new certificate is a
 * new one. */
#ifndef MINTD_HTTP_TLS_H
#define MINTD_HTTP_TLS_H

#include "mintd/buffer.h"
#include "mintd/tls.h"

/* Reads PEM files (blocking): the certificate with its chain, and its key, not encrypted. NULL
 * where they cannot be used; error then has one line that says what is wrong and what may help, and
 * no_memory (NULL: nobody asks) tells that it was memory, and the files may be right. */
struct tls_context *http_tls_new(struct slice certificate_file, struct slice key_file,
                                 struct buffer *error, bool *no_memory);
/* Seconds until the certificate expires; negative where it has. */
long long http_tls_seconds_left(const struct tls_context *tls);
/* When it expires: Unix time. */
long long http_tls_expiry(const struct tls_context *tls);

#endif
