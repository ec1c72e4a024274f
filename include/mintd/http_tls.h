/* http_tls.h: the certificate, the key and the rules of TLS, made once and shared by all workers.
 *
 * The rules: TLS 1.2 and 1.3; only suites with forward secrecy and AEAD; ALPN "http/1.1"; one
 * ticket; no renegotiation, no compression, no early data. Such a context never changes: a new
 * certificate needs a new context. */
#ifndef MINTD_HTTP_TLS_H
#define MINTD_HTTP_TLS_H

#include "mintd/buffer.h"
#include "mintd/tls.h"

/* Reads PEM files, which blocks: the certificate with its chain, and its key, which is not
 * encrypted. NULL: they cannot be used. `error` then has one line that says what is wrong and what
 * may help. no_memory (may be NULL) tells that memory was short, and that the files may be right.
 * The caller owns the reference (tls_context_free()). */
struct tls_context *http_tls_new(struct slice certificate_file, struct slice key_file,
                                 struct buffer *error, bool *no_memory);
/* Seconds until the certificate expires; negative: it has expired. */
long long http_tls_seconds_left(const struct tls_context *tls);
/* When the certificate expires, in Unix time. */
long long http_tls_expiry(const struct tls_context *tls);

#endif
