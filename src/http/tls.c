/* Policy of the server's TLS: suites and groups, ALPN, tickets. Sessions and files are crypto's. */
#include "mintd/crypto.h"
#include "mintd/http_tls.h"
#include "mintd/tls_files.h"
#include <openssl/ssl.h>

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

/* A processor with AES is likely to have SHA-256 too, and seldom SHA-384: the order below is ours,
 * but for a client that has no AES. The chain is what the file holds: OpenSSL would look for one in
 * each handshake. Buffers that are released are wiped, see crypto_own_allocations(). */
static bool set_rules(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (!crypto_owns_allocations()) {
        SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
    }
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets are kept by clients */
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    return SSL_CTX_set_num_tickets(context, 1) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20") ==
               1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           set_groups(context);
}

/* ---- a context ---- */

struct tls_context *http_tls_new(struct slice certificate_file, struct slice key_file,
                                 struct buffer *error, bool *no_memory) {
    struct tls_complaint complaint = tls_complaint_of(error);
    struct tls_context *tls = tls_context_new(TLS_SERVER);
    bool ok = tls != NULL && set_rules(tls_context_openssl(tls));
    ok =
        ok ? tls_use_certificate(tls, certificate_file, key_file, &complaint)
           : tls_complain(&complaint, certificate_file, "OpenSSL does not do what is needed of it");
    if (!ok) {
        tls_context_free(tls);
        tls = NULL;
    }
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
