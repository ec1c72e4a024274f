/* Policy of the server's TLS: certificate and key, suites and groups, ALPN, tickets. The sessions
 * are crypto's. */
#include "mintd/crypto.h"
#include "mintd/http_tls.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#define PATH_SIZE 4096u

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
    return SSL_CTX_set_num_tickets(context, 1) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           set_groups(context);
}

/* ---- a context ---- */

static bool set_up(SSL_CTX *context, const char *certificate, const char *key,
                   struct complaint *complaint) {
    if (!set_rules(context)) {
        return complain_of_openssl(complaint, certificate,
                                   "OpenSSL does not do what is needed of it");
    }
    return use_certificate(context, certificate, complaint) && use_key(context, key, complaint);
}

static struct tls_context *make_tls(struct slice certificate_file, struct slice key_file,
                                    struct complaint *complaint) {
    char certificate[PATH_SIZE], key[PATH_SIZE];
    if (!to_path(certificate_file, certificate, complaint) || !to_path(key_file, key, complaint) ||
        !is_readable(certificate, complaint) || !is_readable(key, complaint)) {
        return NULL;
    }
    ERR_clear_error();
    struct tls_context *tls = tls_context_new(TLS_SERVER);
    if (tls == NULL) {
        complain_of_openssl(complaint, certificate, "OpenSSL does not do what is needed of it");
        return NULL;
    }
    if (!set_up(tls_context_openssl(tls), certificate, key, complaint)) {
        tls_context_free(tls);
        return NULL;
    }
    return tls;
}

struct tls_context *http_tls_new(struct slice certificate_file, struct slice key_file,
                                 struct buffer *error, bool *no_memory) {
    struct complaint complaint = {.error = error, .failed_before = crypto_failed_allocations()};
    struct tls_context *tls = make_tls(certificate_file, key_file, &complaint);
    if (no_memory != NULL) {
        *no_memory = complaint.no_memory;
    }
    return tls;
}

long long http_tls_seconds_left(const struct tls_context *tls) {
    const X509 *certificate = SSL_CTX_get0_certificate(tls_context_openssl(tls));
    int days = 0, seconds = 0;
    if (certificate == NULL ||
        ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) != 1) {
        return 0;
    }
    return days * 86400LL + seconds;
}

long long http_tls_expiry(const struct tls_context *tls) {
    const X509 *certificate = SSL_CTX_get0_certificate(tls_context_openssl(tls));
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool ok = certificate != NULL && epoch != NULL &&
              ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(certificate)) == 1;
    ASN1_TIME_free(epoch);
    return ok ? days * 86400LL + seconds : 0;
}
