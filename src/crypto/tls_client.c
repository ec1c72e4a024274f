/* What only a client's side of TLS has: authorities, the name of the server, its certificate. */
#include "mintd/tls_client.h"
#include "crypto/tls_internal.h"
#include "mintd/crypto.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static bool complain(struct buffer *error, const char *what) {
    buffer_append_format(error, "%s", what);
    ERR_clear_error();
    return false;
}

/* ---- whom to believe ---- */

static bool set_authorities(SSL_CTX *context, const struct tls_client_options *options,
                            struct buffer *error) {
    if (options->believes_all) {
        return true;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (options->ca_file == NULL) {
        return SSL_CTX_set_default_verify_paths(context) == 1 ||
               complain(error, "the certificates of the system's authorities cannot be read");
    }
    if (SSL_CTX_load_verify_file(context, options->ca_file) != 1) {
        buffer_append_format(error, "%s: no certificates in PEM that can be read",
                             options->ca_file);
        ERR_clear_error();
        return false;
    }
    return true;
}

struct tls_context *tls_client_context_new(const struct tls_client_options *options,
                                           struct buffer *error) {
    struct tls_context *context = crypto_start() ? tls_context_new(TLS_CLIENT) : NULL;
    if (context == NULL) {
        complain(error, "not enough memory, or OpenSSL does not do what is needed of it");
        return NULL;
    }
    if (!set_authorities(tls_context_openssl(context), options, error)) {
        tls_context_free(context);
        return NULL;
    }
    return context;
}

/* ---- the server ---- */

/* RFC 6066 3: an address is not asked for. */
bool tls_client_expect(struct tls_session *session, const char *host) {
    X509_VERIFY_PARAM *rules = SSL_get0_param(session->ssl);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(rules, host) == 1;
    ERR_clear_error();
    return is_address || (SSL_set_tlsext_host_name(session->ssl, host) == 1 &&
                          X509_VERIFY_PARAM_set1_host(rules, host, 0) == 1);
}

const char *tls_client_doubt(const struct tls_session *session) {
    long verified = SSL_get_verify_result(session->ssl);
    return verified == X509_V_OK || SSL_get_verify_mode(session->ssl) == SSL_VERIFY_NONE
               ? NULL
               : X509_verify_cert_error_string(verified);
}

bool tls_client_saw(const struct tls_session *session, const char *certificate_file) {
    FILE *file = fopen(certificate_file, "re");
    X509 *wanted = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    X509 *seen = SSL_get1_peer_certificate(session->ssl);
    bool same = wanted != NULL && seen != NULL && X509_cmp(wanted, seen) == 0;
    X509_free(seen);
    X509_free(wanted);
    if (file != NULL) {
        fclose(file);
    }
    ERR_clear_error();
    return same;
}
