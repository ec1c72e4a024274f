/* Happy path: OpenSSL works on two pieces of memory, one for the records of each way.
 *
 * Failure modes: a certificate that is not believed, and whatever else OpenSSL refuses: its alert
 * is there to be taken, and nothing more comes. */
#include "mintd/tls_client.h"
#include "mintd/crypto.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBLEM_MAX 200u

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out; /* the SSL's */
    char problem[PROBLEM_MAX];
};

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

/* The name is asked for where it is one; an address is no name (RFC 6066 3). */
static bool set_host(SSL *ssl, const struct tls_client_options *options) {
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(rules, options->host) == 1;
    ERR_clear_error();
    return is_address || (SSL_set_tlsext_host_name(ssl, options->host) == 1 &&
                          X509_VERIFY_PARAM_set1_host(rules, options->host, 0) == 1);
}

/* ---- life ---- */

static bool open_ssl(struct tls_client *client, const struct tls_client_options *options) {
    client->ssl = SSL_new(client->context);
    client->in = BIO_new(BIO_s_mem());
    client->out = BIO_new(BIO_s_mem());
    if (client->ssl == NULL || client->in == NULL || client->out == NULL) {
        BIO_free(client->in);
        BIO_free(client->out);
        return false;
    }
    BIO_set_mem_eof_return(client->in, -1); /* empty: not yet, and no end */
    SSL_set_bio(client->ssl, client->in, client->out);
    SSL_set_connect_state(client->ssl);
    return set_host(client->ssl, options);
}

struct tls_client *tls_client_new(const struct tls_client_options *options, struct buffer *error) {
    struct tls_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        complain(error, "not enough memory");
        return NULL;
    }
    client->context = crypto_start() ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (client->context == NULL ||
        SSL_CTX_set_min_proto_version(client->context, TLS1_2_VERSION) != 1) {
        complain(error, "OpenSSL does not do what is needed of it");
    } else if (set_authorities(client->context, options, error)) {
        if (open_ssl(client, options)) {
            return client;
        }
        complain(error, "not enough memory");
    }
    tls_client_free(client);
    return NULL;
}

void tls_client_free(struct tls_client *client) {
    if (client != NULL) {
        SSL_free(client->ssl); /* with its BIOs */
        SSL_CTX_free(client->context);
        free(client);
    }
}

/* ---- records and plaintext ---- */

static void note_problem(struct tls_client *client) {
    long verified = SSL_get_verify_result(client->ssl);
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    if (verified != X509_V_OK) {
        snprintf(client->problem, sizeof client->problem, "its certificate is not believed: %s",
                 X509_verify_cert_error_string(verified));
    } else {
        snprintf(client->problem, sizeof client->problem, "%s",
                 reason == NULL ? "not enough memory" : reason);
    }
    ERR_clear_error();
}

static enum tls_client_step judge(struct tls_client *client, int result) {
    switch (SSL_get_error(client->ssl, result)) {
    case SSL_ERROR_NONE:
        return TLS_CLIENT_DONE;
    case SSL_ERROR_WANT_READ:
        return TLS_CLIENT_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLIENT_ENDED;
    default:
        note_problem(client);
        return TLS_CLIENT_FAILED;
    }
}

bool tls_client_feed(struct tls_client *client, const char *records, size_t size) {
    size_t written;
    return size == 0 || (BIO_write_ex(client->in, records, size, &written) == 1 && written == size);
}

enum tls_client_step tls_client_shake(struct tls_client *client) {
    ERR_clear_error();
    return judge(client, SSL_do_handshake(client->ssl));
}

enum tls_client_step tls_client_read(struct tls_client *client, char *plain, size_t size,
                                     size_t *count) {
    ERR_clear_error();
    *count = 0;
    return judge(client, SSL_read_ex(client->ssl, plain, size, count));
}

bool tls_client_write(struct tls_client *client, const char *plain, size_t size) {
    size_t written;
    ERR_clear_error();
    if (SSL_write_ex(client->ssl, plain, size, &written) == 1 && written == size) {
        return true;
    }
    note_problem(client);
    return false;
}

size_t tls_client_take(struct tls_client *client, char *records, size_t size) {
    size_t count = 0;
    return BIO_read_ex(client->out, records, size, &count) == 1 ? count : 0;
}

const char *tls_client_problem(const struct tls_client *client) {
    return client->problem;
}

bool tls_client_saw(const struct tls_client *client, const char *certificate_file) {
    FILE *file = fopen(certificate_file, "re");
    X509 *wanted = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    X509 *seen = SSL_get1_peer_certificate(client->ssl);
    bool same = wanted != NULL && seen != NULL && X509_cmp(wanted, seen) == 0;
    X509_free(seen);
    X509_free(wanted);
    if (file != NULL) {
        fclose(file);
    }
    ERR_clear_error();
    return same;
}
