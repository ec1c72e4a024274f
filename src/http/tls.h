/* tls.h: one client's TLS: records in, plaintext out, and back. It knows no sockets.
 *
 *      tls_feed(records)  ->  tls_handshake(), tls_read()  ->  plaintext
 *      plaintext  ->  tls_write(), tls_end()  ->  tls_take_output()  ->  records
 *
 * Each of the calls in the middle may leave records in the output: answers of the handshake,
 * alerts, key updates. OpenSSL lies behind it. */
#ifndef MINTD_HTTP_TLS_INTERNAL_H
#define MINTD_HTTP_TLS_INTERNAL_H

#include "http/block.h"
#include "mintd/http_tls.h"

struct tls_session;

enum tls_step {
    TLS_DONE,  /* the handshake is over; or plaintext has been read */
    TLS_MORE,  /* all that was fed is taken, and more is needed */
    TLS_ENDED, /* the client has said that nothing follows (close_notify) */
    TLS_FAILED /* see tls_problem(); nothing can be read or written any more */
};

/* NULL without memory. It holds a reference to tls until tls_session_free(). */
struct tls_session *tls_session_new(struct http_tls *tls, struct block_pool *blocks);
void tls_session_free(struct tls_session *session); /* NULL is fine */

/* The bytes stay the caller's, and stay where they are until TLS_MORE, or until the next
 * tls_feed(). */
void tls_feed(struct tls_session *session, const char *records, size_t size);
enum tls_step tls_handshake(struct tls_session *session);
/* TLS_DONE: *count bytes are in `plain`. */
enum tls_step tls_read(struct tls_session *session, char *plain, size_t size, size_t *count);
/* False where it failed: no memory, most likely. */
bool tls_write(struct tls_session *session, const char *plain, size_t size);
/* Says close_notify, once; nothing where there was no handshake, or where something failed. */
void tls_end(struct tls_session *session);

/* The records that are to be sent, or NULL; the block is the caller's. */
struct block *tls_take_output(struct tls_session *session);
size_t tls_output_size(const struct tls_session *session);
/* Whether a record is half in. */
bool tls_has_unread(const struct tls_session *session);
/* After TLS_FAILED: why, in OpenSSL's words, for the log. */
const char *tls_problem(const struct tls_session *session);

#endif
