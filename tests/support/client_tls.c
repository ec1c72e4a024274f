#include "support/client_tls.h"
#include "unit/unit.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#define PLAIN_SIZE 16384u

struct client_tls {
    SSL *ssl;
    BIO *in, *out; /* the SSL's */
    bool ended;
};

static SSL_CTX *context;
bool client_tls_is_at_work;
void (*client_tls_wait)(struct slice address, bool (*is_so)(void *client), struct client *client);

void client_tls_start(const char *trusted_file) {
    context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    assert_int_equal(SSL_CTX_load_verify_file(context, trusted_file), 1);
}

void client_tls_stop(void) {
    SSL_CTX_free(context);
    context = NULL;
}

bool client_tls_is_on(void) {
    return context != NULL;
}

/* Sends what the socket takes; false where something is left. */
static bool send_due(struct client *client) {
    char *data;
    long size;
    while ((size = BIO_get_mem_data(client->tls->out, &data)) > 0) {
        ssize_t sent = send(client->fd, data, (size_t)size, MSG_NOSIGNAL);
        if (sent < 0) {
            client->error = errno == EAGAIN ? client->error : errno;
            return false;
        }
        char gone[4096];
        while (sent > 0) {
            sent -= BIO_read(client->tls->out, gone, sent < 4096 ? (int)sent : 4096);
        }
    }
    return true;
}

static void open_records(struct client *client) {
    int count = 1;
    while (count > 0) {
        if (client->capacity - client->size < PLAIN_SIZE) {
            client->capacity = 2 * client->capacity + PLAIN_SIZE;
            client->data = realloc(client->data, client->capacity);
            assert_non_null(client->data);
        }
        ERR_clear_error();
        count = SSL_read(client->tls->ssl, client->data + client->size, PLAIN_SIZE);
        client->size += count > 0 ? (size_t)count : 0;
    }
    int error = SSL_get_error(client->tls->ssl, count);
    if (error == SSL_ERROR_SSL) {
        client->error = EPROTO;
    }
    client->tls->ended |= error == SSL_ERROR_ZERO_RETURN;
}

void client_tls_take(struct client *client, const char *records, size_t size) {
    client_tls_is_at_work = true;
    if (size != 0) {
        assert_int_equal(BIO_write(client->tls->in, records, (int)size), size);
    }
    open_records(client);
    send_due(client);
    client_tls_is_at_work = false;
}

bool client_tls_is_ready(void *context_of_wait) {
    struct client *client = context_of_wait;
    client_receive(client);
    return SSL_is_init_finished(client->tls->ssl) || client->ended || client->error != 0;
}

bool client_tls_was_ended(const struct client *client) {
    return client->tls->ended;
}

void client_tls_limit(const char *version) {
    int limit = strcmp(version, "TLSv1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    assert_int_equal(SSL_CTX_set_max_proto_version(context, limit), 1);
}

void client_tls_server_name(const struct client *client, char *name, size_t capacity) {
    X509 *certificate = SSL_get1_peer_certificate(client->tls->ssl);
    assert_non_null(certificate);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              (int)capacity);
    X509_free(certificate);
}

void client_tls_rekey(struct client *client) {
    SSL *ssl = client->tls->ssl;
    if (SSL_version(ssl) == TLS1_2_VERSION) {
        assert_int_equal(SSL_renegotiate(ssl), 1);
    } else {
        assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    }
    SSL_do_handshake(ssl);
    send_due(client);
}

void client_tls_update_key(struct client *client) {
    assert_int_equal(SSL_key_update(client->tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    SSL_do_handshake(client->tls->ssl);
    send_due(client);
}

void client_tls_open(struct client *client) {
    client_tls_is_at_work = true;
    struct client_tls *tls = calloc(1, sizeof *tls);
    assert_non_null(tls);
    tls->ssl = SSL_new(context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    assert_true(tls->ssl != NULL && tls->in != NULL && tls->out != NULL);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    client->tls = tls;
    client_tls_is_at_work = false;
}

void client_tls_close(struct client *client) {
    if (client->tls != NULL) {
        client_tls_is_at_work = true;
        SSL_free(client->tls->ssl);
        client_tls_is_at_work = false;
    }
    free(client->tls);
    client->tls = NULL;
}

size_t client_tls_push(struct client *client, struct slice bytes) {
    size_t written = 0;
    client_tls_is_at_work = true;
    ERR_clear_error();
    if (SSL_is_init_finished(client->tls->ssl) && send_due(client) && bytes.size != 0 &&
        SSL_write_ex(client->tls->ssl, bytes.data, bytes.size, &written) == 1) {
        send_due(client);
    }
    client_tls_is_at_work = false;
    return written;
}

size_t client_tls_seal(struct client *client, struct slice plain, char *records, size_t capacity) {
    size_t written;
    assert_true(send_due(client));
    assert_int_equal(SSL_write_ex(client->tls->ssl, plain.data, plain.size, &written), 1);
    int size = BIO_read(client->tls->out, records, (int)capacity);
    assert_true(size > 0);
    assert_int_equal(BIO_ctrl_pending(client->tls->out), 0);
    return (size_t)size;
}

void client_tls_shut(struct client *client) {
    client_tls_is_at_work = true;
    SSL_shutdown(client->tls->ssl);
    send_due(client);
    client_tls_is_at_work = false;
}
