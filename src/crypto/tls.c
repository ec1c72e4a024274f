/* Happy path: OpenSSL reads records from where they were received, and writes its own into a block:
 * a BIO of ours stands where it expects a socket.
 *
 * Failure modes: OpenSSL says no (a fatal alert is in the output then), or has no memory. Either
 * way the session is of no use any more, and nobody else's is touched.
 *
 * OpenSSL decrypts a record where it has read it to. Its own wiping (SSL_OP_CLEANSE_PLAINTEXT) goes
 * over the whole 16 KiB, 19,500 instructions a request: here it is what was read.
 *
 * One SSL_CTX for all threads: it is only read once it is made, so they share no more than
 * reference counts that move with handshakes, not with requests; and a ticket is good on every
 * worker. */
#include "crypto/tls_internal.h"
#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_SIZE 16384u
#define RECORD_EXTRA 256u /* more than a record is longer than its plaintext */

struct tls_context {
    _Atomic unsigned references;
    SSL_CTX *openssl;
    BIO_METHOD *method;
};

/* Changes of keys, each of which costs as much as some requests: so many, and one more for each so
 * many bytes of plaintext. */
#define KEY_UPDATES_MAX 16u
#define KEY_UPDATE_BYTES 256u

/* ---- wiping ---- */

/* Whose records OpenSSL may give back now. */
static _Thread_local struct tls_session *at_work;

void tls_wipe_records(void *memory) {
    uintptr_t first = (uintptr_t)memory,
              end = (uintptr_t)(at_work == NULL ? NULL : at_work->records_end);
    size_t used = end - first;
    if (end > first && used < 2 * RECORD_SIZE && used <= malloc_usable_size(memory)) {
        explicit_bzero(memory, used);
        at_work->records_end = NULL;
    }
}

/* ---- the BIO ---- */

static int on_bio_read(BIO *bio, char *data, size_t size, size_t *count) {
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->key_updates > KEY_UPDATES_MAX) {
        ERR_raise(ERR_LIB_SSL, SSL_R_TOO_MANY_KEY_UPDATES);
        return 0;
    }
    if (session->input.size == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *count = size < session->input.size ? size : session->input.size;
    memcpy(data, session->input.data, *count);
    session->input = slice_skip(session->input, *count);
    session->records_end = data + *count;
    return 1;
}

static int on_bio_write(BIO *bio, const char *data, size_t size, size_t *count) {
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!block_reserve(session->blocks, &session->output, size)) {
        return 0;
    }
    memcpy(session->output->data + session->output->size, data, size);
    session->output->size += size;
    *count = size;
    return 1;
}

static long on_bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *new_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "mintd connection");
    if (method != NULL && BIO_meth_set_read_ex(method, on_bio_read) == 1 &&
        BIO_meth_set_write_ex(method, on_bio_write) == 1 &&
        BIO_meth_set_ctrl(method, on_bio_control) == 1) {
        return method;
    }
    BIO_meth_free(method);
    return NULL;
}

/* ---- what sessions share ---- */

static bool open_context(struct tls_context *context, enum tls_side side) {
    context->openssl = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
    context->method = new_method();
    return context->openssl != NULL && context->method != NULL &&
           SSL_CTX_set_min_proto_version(context->openssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context->openssl, TLS1_3_VERSION) == 1;
}

struct tls_context *tls_context_new(enum tls_side side) {
    struct tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) {
        ERR_raise(ERR_LIB_SYS, ENOMEM);
        return NULL;
    }
    atomic_init(&context->references, 1);
    if (!open_context(context, side)) {
        tls_context_free(context);
        return NULL;
    }
    return context;
}

struct tls_context *tls_context_share(struct tls_context *context) {
    atomic_fetch_add(&context->references, 1);
    return context;
}

void tls_context_free(struct tls_context *context) {
    if (context == NULL || atomic_fetch_sub(&context->references, 1) != 1) {
        return;
    }
    SSL_CTX_free(context->openssl);
    BIO_meth_free(context->method);
    free(context);
}

SSL_CTX *tls_context_openssl(const struct tls_context *context) {
    return context->openssl;
}

/* ---- a session's life ---- */

/* RFC 8446 4.6.3 sets no bound for changes of keys, and OpenSSL takes all that were read in one
 * call. */
static void on_message(int is_ours, int version, int kind, const void *message, size_t size,
                       SSL *ssl, void *session) {
    (void)version, (void)ssl;
    if (is_ours == 0 && kind == SSL3_RT_HANDSHAKE && size != 0 &&
        *(const unsigned char *)message == SSL3_MT_KEY_UPDATE) {
        ((struct tls_session *)session)->key_updates++;
    }
}

static bool open_ssl(struct tls_session *session) {
    ERR_clear_error();
    session->ssl = SSL_new(session->context->openssl);
    BIO *bio = BIO_new(session->context->method);
    if (session->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio); /* its owner from now on */
    SSL_set_msg_callback(session->ssl, on_message);
    SSL_set_msg_callback_arg(session->ssl, session);
    if (SSL_is_server(session->ssl) == 1) {
        SSL_set_accept_state(session->ssl);
    } else {
        SSL_set_connect_state(session->ssl);
    }
    return true;
}

struct tls_session *tls_session_new(struct tls_context *context, struct block_pool *blocks) {
    struct tls_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->context = tls_context_share(context);
    session->blocks = blocks;
    session->input = slice_of("", 0);
    if (!open_ssl(session)) {
        tls_session_free(session);
        return NULL;
    }
    return session;
}

void tls_session_free(struct tls_session *session) {
    if (session == NULL) {
        return;
    }
    at_work = session;
    SSL_free(session->ssl);
    at_work = NULL;
    block_give(session->blocks, session->output);
    tls_context_free(session->context);
    free(session);
}

/* ---- records and plaintext ---- */

static enum tls_step fail(struct tls_session *session) {
    session->failed = true;
    session->problem = ERR_peek_error();
    ERR_clear_error();
    return TLS_FAILED;
}

static enum tls_step judge(struct tls_session *session, int result) {
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        assert(session->input.size == 0); /* or what is left would never be looked at */
        return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        return fail(session);
    }
}

void tls_feed(struct tls_session *session, const char *records, size_t size) {
    session->input = slice_of(records, size);
}

enum tls_step tls_handshake(struct tls_session *session) {
    ERR_clear_error();
    at_work = session;
    int result = SSL_do_handshake(session->ssl);
    at_work = NULL;
    return judge(session, result);
}

static void allow_key_updates(struct tls_session *session, size_t bytes) {
    session->plain_bytes += bytes;
    size_t allowed = session->plain_bytes / KEY_UPDATE_BYTES;
    session->plain_bytes %= KEY_UPDATE_BYTES;
    session->key_updates -=
        session->key_updates < allowed ? session->key_updates : (unsigned)allowed;
}

enum tls_step tls_read(struct tls_session *session, char *plain, size_t size, size_t *count) {
    ERR_clear_error();
    *count = 0;
    at_work = session;
    int result = SSL_read_ex(session->ssl, plain, size, count);
    at_work = NULL;
    allow_key_updates(session, *count);
    return judge(session, result);
}

bool tls_write(struct tls_session *session, const char *plain, size_t size) {
    size_t records = size / RECORD_SIZE + 1, count;
    if (session->failed ||
        !block_reserve(session->blocks, &session->output, size + records * RECORD_EXTRA)) {
        return false;
    }
    ERR_clear_error();
    if (SSL_write_ex(session->ssl, plain, size, &count) == 1) {
        return true;
    }
    fail(session);
    return false;
}

void tls_end(struct tls_session *session) {
    if (session->failed || !SSL_is_init_finished(session->ssl) ||
        (SSL_get_shutdown(session->ssl) & SSL_SENT_SHUTDOWN) != 0) {
        return;
    }
    ERR_clear_error();
    if (SSL_shutdown(session->ssl) < 0) {
        fail(session);
    }
}

struct block *tls_take_output(struct tls_session *session) {
    struct block *output = session->output;
    session->output = NULL;
    return output;
}

size_t tls_output_size(const struct tls_session *session) {
    return session->output == NULL ? 0 : session->output->size;
}

bool tls_is_drained(const struct tls_session *session) {
    return session->input.size == 0 && SSL_has_pending(session->ssl) == 0;
}

bool tls_has_unread(const struct tls_session *session) {
    /* The header of a record counts as pending only until it is whole. Behind it comes the body. */
    return SSL_has_pending(session->ssl) == 1 || strcmp(SSL_rstate_string(session->ssl), "RB") == 0;
}

const char *tls_problem(const struct tls_session *session) {
    const char *reason = ERR_reason_error_string(session->problem);
    return reason == NULL ? "not enough memory" : reason;
}
