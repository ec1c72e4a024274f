/* tls.h: the TLS of one connection, as server or as client: records in, plaintext out, and back.
 * It knows no sockets. The code that has the socket carries the records, whether that blocks or
 * not.
 *
 *     tls_feed(records)  ->  tls_handshake(), tls_read()  ->  plaintext
 *     plaintext  ->  tls_write(), tls_end()  ->  tls_take_output()  ->  records
 *
 * Each of the calls in the middle may leave records in the output: answers of the handshake,
 * alerts, key updates. OpenSSL lies behind it. A session belongs to one thread. A context is only
 * read once its rules are set, so all threads may share it. */
#ifndef MINTD_TLS_H
#define MINTD_TLS_H

#include "mintd/block.h"
#include "mintd/slice.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */
struct tls_context;
struct tls_session;

enum tls_side { TLS_SERVER, TLS_CLIENT };

/* ---- what sessions share: certificates and rules ---- */

/* Makes a context for TLS 1.2 and 1.3. The other rules are OpenSSL's defaults, until the owner
 * sets its own. NULL: no memory, or OpenSSL refuses; its queue of errors tells which. */
struct tls_context *tls_context_new(enum tls_side side);
/* Another reference to the same context. Each is given back with tls_context_free(), on any
 * thread. */
struct tls_context *tls_context_share(struct tls_context *context);
void tls_context_free(struct tls_context *context); /* NULL is fine */
/* OpenSSL's object, to set rules before the first session. */
struct ssl_ctx_st *tls_context_openssl(const struct tls_context *context);

/* ---- a session ---- */

enum tls_step {
    TLS_DONE,  /* the handshake is over; or plaintext has been read */
    TLS_MORE,  /* all that was fed is used up, and more is needed */
    TLS_ENDED, /* the other side has said that nothing follows (close_notify) */
    TLS_FAILED /* see tls_problem(); nothing can be read or written any more */
};

/* NULL: no memory. The session holds a reference to the context until tls_session_free(). */
struct tls_session *tls_session_new(struct tls_context *context, struct block_pool *blocks);
void tls_session_free(struct tls_session *session); /* NULL is fine */

/* Gives records to the session. The bytes stay the caller's. They must stay where they are until
 * TLS_MORE, or until the next tls_feed(). */
void tls_feed(struct tls_session *session, const char *records, size_t size);
enum tls_step tls_handshake(struct tls_session *session);
/* TLS_DONE: *count bytes are in `plain`. */
enum tls_step tls_read(struct tls_session *session, char *plain, size_t size, size_t *count);
/* False: it failed, most likely for want of memory. */
bool tls_write(struct tls_session *session, const char *plain, size_t size);
/* Sends close_notify, once. It does nothing where there was no handshake, or where something has
 * failed. */
void tls_end(struct tls_session *session);

/* The records that are to be sent, in a block that the caller now owns; NULL: there are none. */
struct block *tls_take_output(struct tls_session *session);
size_t tls_output_size(const struct tls_session *session);
/* True: nothing is left of what was fed. tls_read() would say TLS_MORE, but that costs more. */
bool tls_is_drained(const struct tls_session *session);
/* Whether only a part of a record has arrived. */
bool tls_has_unread(const struct tls_session *session);
/* After TLS_FAILED: the reason in OpenSSL's words, for the log. */
const char *tls_problem(const struct tls_session *session);

#endif
