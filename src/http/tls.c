/* Happy path: OpenSSL reads records from where they were received, and writes its own into a block:
 * a BIO of ours stands where it expects a socket.
 *
 * Failure modes: OpenSSL says no (a fatal alert is in the output then), or has no memory. Either
 * way the session is of no use any more, and nobody else's is touched.
 *
 * One SSL_CTX for all workers: it is only read once it is made, so they share no more than
 * reference counts that move with handshakes, not with requests; and a ticket is good on every
 * worker. */
#include "http/tls.h"
#include "mintd/crypto.h"
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_SIZE 4096u
#define RECORD_SIZE 16384u
#define RECORD_EXTRA 256u /* more than a record is longer than its plaintext */

struct http_tls {
    _Atomic unsigned references;
    SSL_CTX *context;
    BIO_METHOD *method;
};

struct tls_session {
    struct http_tls *tls;
    SSL *ssl;
    struct block_pool *blocks;
    struct slice input; /* fed, and not taken yet */
    struct block *output;
    bool failed;
    unsigned long problem;
};

/* ---- files ---- */

struct complaint {
    struct buffer *error;
    unsigned failed_before; /* allocations of OpenSSL's */
    bool no_memory;
};

static bool complain(struct complaint *complaint, const char *file, const char *what) {
    buffer_append_format(complaint->error, "%s: %s", file, what);
    return false;
}

static bool complain_of_memory(struct complaint *complaint, const char *file) {
    complaint->no_memory = true;
    return complain(complaint, file, "not enough memory");
}

/* OpenSSL's last word may be about a file, where a failed allocation was the cause; of files that
 * it opens itself the queue tells. The queue is empty afterwards. */
static bool memory_was_short(const struct complaint *complaint) {
    bool was_short = crypto_failed_allocations() != complaint->failed_before;
    for (unsigned long problem; (problem = ERR_get_error()) != 0;) {
        was_short |= ERR_SYSTEM_ERROR(problem) && ERR_GET_REASON(problem) == ENOMEM;
    }
    return was_short;
}

/* what: said where memory was not short. */
static bool complain_of_openssl(struct complaint *complaint, const char *file, const char *what) {
    return memory_was_short(complaint) ? complain_of_memory(complaint, file)
                                       : complain(complaint, file, what);
}

static bool to_path(struct slice text, char path[PATH_SIZE], struct complaint *complaint) {
    if (text.size == 0 || text.size >= PATH_SIZE || memchr(text.data, '\0', text.size) != NULL) {
        buffer_append_format(complaint->error,
                             "a file of the certificate or key has no proper name");
        return false;
    }
    memcpy(path, text.data, text.size);
    path[text.size] = '\0';
    return true;
}

static bool is_readable(const char *path, struct complaint *complaint) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOMEM ? complain_of_memory(complaint, path)
                               : complain(complaint, path, strerror(errno));
    }
    fclose(file);
    return true;
}

/* Instead of OpenSSL's, that would ask on the terminal. */
static int on_passphrase(char *text, int size, int writing, void *context) {
    (void)text, (void)size, (void)writing, (void)context;
    return -1;
}

static bool is_mismatch(unsigned long problem) {
    return ERR_GET_LIB(problem) == ERR_LIB_X509 &&
           (ERR_GET_REASON(problem) == X509_R_KEY_VALUES_MISMATCH ||
            ERR_GET_REASON(problem) == X509_R_KEY_TYPE_MISMATCH);
}

static bool use_certificate(SSL_CTX *context, const char *path, struct complaint *complaint) {
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, path) == 1) {
        return true;
    }
    bool is_weak = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL &&
                   ERR_GET_REASON(ERR_peek_last_error()) != ERR_R_PEM_LIB;
    return complain_of_openssl(
        complaint, path,
        is_weak ? "this certificate is not taken: its key or signature is too weak"
                : "no certificate in PEM: the server's certificate comes first in the "
                  "file, then those that signed it");
}

static bool use_key(SSL_CTX *context, const char *path, struct complaint *complaint) {
    static const char mismatch[] = "this key does not belong to the certificate";
    ERR_clear_error();
    if (SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1) {
        return SSL_CTX_check_private_key(context) == 1 ||
               complain_of_openssl(complaint, path, mismatch);
    }
    return complain_of_openssl(
        complaint, path,
        is_mismatch(ERR_peek_last_error())
            ? mismatch
            : "no private key in PEM without a passphrase (openssl pkey takes one off)");
}

/* ---- rules ---- */

/* RFC 7301 3.2: on no overlap a fatal no_application_protocol. A client without ALPN is welcome. */
static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
                   const unsigned char *offered, unsigned offered_size, void *context) {
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found;
    (void)ssl, (void)context;
    if (SSL_select_next_proto(&found, chosen_size, ours, sizeof ours - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

/* No groups of finite fields: their large ones would let a client spend our time. */
static bool set_groups(SSL_CTX *context) {
    return SSL_CTX_set1_groups_list(context, "X25519MLKEM768:X25519:P-256:P-384") == 1 ||
           SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1; /* OpenSSL before 3.5 */
}

static bool set_rules(SSL_CTX *context) {
    SSL_CTX_set_options(context,
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets are kept by clients */
    SSL_CTX_set_default_passwd_cb(context, on_passphrase);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(context, 1) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           set_groups(context);
}

/* ---- the BIO ---- */

static int on_bio_read(BIO *bio, char *data, size_t size, size_t *count) {
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->input.size == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *count = size < session->input.size ? size : session->input.size;
    memcpy(data, session->input.data, *count);
    session->input = slice_skip(session->input, *count);
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

/* ---- what all connections share ---- */

static bool set_up(struct http_tls *tls, const char *certificate, const char *key,
                   struct complaint *complaint) {
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_server_method());
    tls->method = new_method();
    if (tls->context == NULL || tls->method == NULL || !set_rules(tls->context)) {
        return complain_of_openssl(complaint, certificate,
                                   "OpenSSL does not do what is needed of it");
    }
    return use_certificate(tls->context, certificate, complaint) &&
           use_key(tls->context, key, complaint);
}

static struct http_tls *make_tls(struct slice certificate_file, struct slice key_file,
                                 struct complaint *complaint) {
    char certificate[PATH_SIZE], key[PATH_SIZE];
    if (!to_path(certificate_file, certificate, complaint) || !to_path(key_file, key, complaint) ||
        !is_readable(certificate, complaint) || !is_readable(key, complaint)) {
        return NULL;
    }
    struct http_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        complain_of_memory(complaint, certificate);
        return NULL;
    }
    atomic_init(&tls->references, 1);
    if (!set_up(tls, certificate, key, complaint)) {
        http_tls_free(tls);
        return NULL;
    }
    return tls;
}

struct http_tls *http_tls_new(struct slice certificate_file, struct slice key_file,
                              struct buffer *error, bool *no_memory) {
    struct complaint complaint = {.error = error, .failed_before = crypto_failed_allocations()};
    struct http_tls *tls = make_tls(certificate_file, key_file, &complaint);
    if (no_memory != NULL) {
        *no_memory = complaint.no_memory;
    }
    return tls;
}

struct http_tls *http_tls_share(struct http_tls *tls) {
    atomic_fetch_add(&tls->references, 1);
    return tls;
}

void http_tls_free(struct http_tls *tls) {
    if (tls == NULL || atomic_fetch_sub(&tls->references, 1) != 1) {
        return;
    }
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls);
}

long long http_tls_seconds_left(const struct http_tls *tls) {
    const X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    int days = 0, seconds = 0;
    if (certificate == NULL ||
        ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) != 1) {
        return 0;
    }
    return days * 86400LL + seconds;
}

long long http_tls_expiry(const struct http_tls *tls) {
    const X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool ok = certificate != NULL && epoch != NULL &&
              ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(certificate)) == 1;
    ASN1_TIME_free(epoch);
    return ok ? days * 86400LL + seconds : 0;
}

/* ---- a session's life ---- */

static bool open_ssl(struct tls_session *session) {
    ERR_clear_error();
    session->ssl = SSL_new(session->tls->context);
    BIO *bio = BIO_new(session->tls->method);
    if (session->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio); /* its owner from now on */
    SSL_set_accept_state(session->ssl);
    return true;
}

struct tls_session *tls_session_new(struct http_tls *tls, struct block_pool *blocks) {
    struct tls_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->tls = http_tls_share(tls);
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
    SSL_free(session->ssl);
    block_give(session->blocks, session->output);
    http_tls_free(session->tls);
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
    return judge(session, SSL_do_handshake(session->ssl));
}

enum tls_step tls_read(struct tls_session *session, char *plain, size_t size, size_t *count) {
    ERR_clear_error();
    *count = 0;
    return judge(session, SSL_read_ex(session->ssl, plain, size, count));
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

bool tls_has_unread(const struct tls_session *session) {
    return SSL_has_pending(session->ssl) == 1;
}

const char *tls_problem(const struct tls_session *session) {
    const char *reason = ERR_reason_error_string(session->problem);
    return reason == NULL ? "not enough memory" : reason;
}
