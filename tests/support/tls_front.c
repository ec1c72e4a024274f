#include "support/tls_front.h"

#include "crypto/tls_internal.h"
#include "unit/unit.h"
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#define HANDSHAKE_PIECE 23u /* it has 2 s, also under valgrind */

struct front_connection {
    struct front_connection *next;
    struct tls_front *front;
    uv_tcp_t client;
    uv_pipe_t behind;
    uv_connect_t connect;
    uv_idle_t idle; /* sends what waits, a piece a turn */
    unsigned handles;
    bool is_connected, is_greeted, ends, is_gone;
    struct tls_session *tls;
    struct block_pool blocks;
    struct block *to_client, *to_behind;
    size_t sent, said; /* to the client: bytes of TLS, of plaintext */
    char client_in[65536], behind_in[65536];
};

static void on_closed(uv_handle_t *handle) {
    struct front_connection *connection = handle->data;
    if (--connection->handles == 0) {
        tls_session_free(connection->tls);
        block_give(&connection->blocks, connection->to_client);
        block_give(&connection->blocks, connection->to_behind);
        block_pool_fini(&connection->blocks);
        free(connection);
    }
}

static void drop(struct front_connection *connection) {
    struct front_connection **place = &connection->front->connections;
    while (*place != NULL && *place != connection) {
        place = &(*place)->next;
    }
    if (*place == NULL) {
        return; /* closing already */
    }
    *place = connection->next;
    connection->is_gone = true;
    uv_close((uv_handle_t *)&connection->client, on_closed);
    uv_close((uv_handle_t *)&connection->behind, on_closed);
    uv_close((uv_handle_t *)&connection->idle, on_closed);
}

static void append(struct front_connection *connection, struct block **block, const char *data,
                   size_t size) {
    assert_true(block_reserve(&connection->blocks, block, size));
    memcpy((*block)->data + (*block)->size, data, size);
    (*block)->size += size;
}

/* ---- to the client ---- */

static void flush_behind(struct front_connection *connection) {
    struct block *block = connection->to_behind;
    if (connection->is_connected && block != NULL && block->size != 0) {
        uv_buf_t bytes = uv_buf_init(block->data, (unsigned)block->size);
        int sent = uv_try_write((uv_stream_t *)&connection->behind, &bytes, 1);
        if (sent > 0) {
            block_keep(block, (size_t)sent, block->size - (size_t)sent);
        }
    }
}

static size_t size_of(const struct block *block) {
    return block == NULL ? 0 : block->size;
}

static size_t next_piece(const struct front_connection *connection) {
    const struct tls_front *front = connection->front;
    size_t size = size_of(connection->to_client);
    if (front->cut_after != 0 && size > front->cut_after - connection->sent) {
        size = front->cut_after - connection->sent;
    }
    size_t piece = connection->is_greeted || connection->tls == NULL ? 1 : HANDSHAKE_PIECE;
    return front->bytewise_segments && size > piece ? piece : size;
}

static void on_idle(uv_idle_t *idle) {
    struct front_connection *connection = idle->data;
    size_t size = next_piece(connection);
    uv_buf_t bytes = uv_buf_init(size == 0 ? NULL : connection->to_client->data, (unsigned)size);
    int sent = size == 0 ? 0 : uv_try_write((uv_stream_t *)&connection->client, &bytes, 1);
    flush_behind(connection);
    if (sent < 0 && sent != UV_EAGAIN) {
        drop(connection);
        return;
    }
    if (sent > 0) {
        connection->sent += (size_t)sent;
        block_keep(connection->to_client, (size_t)sent, connection->to_client->size - (size_t)sent);
    }
    if (connection->front->cut_after != 0 && connection->sent == connection->front->cut_after) {
        drop(connection);
    } else if (size_of(connection->to_client) == 0 && connection->ends) {
        drop(connection);
    } else if (size_of(connection->to_client) + size_of(connection->to_behind) == 0) {
        uv_idle_stop(idle);
    }
}

static void say(struct front_connection *connection, const char *data, size_t size) {
    if (!connection->front->is_mute) {
        append(connection, &connection->to_client, data, size);
        uv_idle_start(&connection->idle, on_idle);
    }
}

static void say_records(struct front_connection *connection) {
    struct block *records = tls_take_output(connection->tls);
    if (records != NULL) {
        say(connection, records->data, records->size);
        block_give(&connection->blocks, records);
    }
}

static void say_plaintext(struct front_connection *connection, const char *data, size_t size) {
    size_t piece = connection->front->bytewise_records ? 1 : size;
    for (size_t at = 0; at < size && !connection->ends; at += piece) {
        if (connection->front->end_after != 0 && connection->said == connection->front->end_after) {
            tls_end(connection->tls);
            connection->ends = true;
        } else {
            assert_true(tls_write(connection->tls, data + at, piece));
            connection->said += piece;
        }
    }
    say_records(connection);
}

/* ---- from the client ---- */

static void pass_on(struct front_connection *connection, const char *data, size_t size) {
    connection->front->heard += size;
    append(connection, &connection->to_behind, data, size);
    uv_idle_start(&connection->idle, on_idle);
}

static void note_greeting(struct front_connection *connection) {
    struct tls_front *front = connection->front;
    const char *name = SSL_get_servername(connection->tls->ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(front->sni, sizeof front->sni, "%s", name == NULL ? "" : name);
    connection->is_greeted = true;
    front->greeted++;
}

static void take_records(struct front_connection *connection, const char *data, size_t size) {
    char plain[16384];
    enum tls_step step;
    tls_feed(connection->tls, data, size);
    step = connection->is_greeted ? TLS_DONE : tls_handshake(connection->tls);
    if (step == TLS_DONE && !connection->is_greeted) {
        note_greeting(connection);
    }
    while (step == TLS_DONE) {
        size_t count;
        step = tls_read(connection->tls, plain, sizeof plain, &count);
        pass_on(connection, plain, count);
    }
    say_records(connection);
    if (step == TLS_FAILED || step == TLS_ENDED) {
        connection->ends = true;
        uv_idle_start(&connection->idle, on_idle);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
    struct front_connection *connection = handle->data;
    char *input = handle == (uv_handle_t *)&connection->client ? connection->client_in
                                                               : connection->behind_in;
    (void)suggested;
    *room = uv_buf_init(input, sizeof connection->client_in);
}

static void on_client_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *room) {
    struct front_connection *connection = stream->data;
    if (size < 0) {
        drop(connection);
    } else if (size > 0 && connection->tls != NULL) {
        take_records(connection, room->base, (size_t)size);
    } else if (size > 0) {
        pass_on(connection, room->base, (size_t)size);
    }
}

static void on_behind_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *room) {
    struct front_connection *connection = stream->data;
    if (size > 0 && connection->tls != NULL) {
        say_plaintext(connection, room->base, (size_t)size);
    } else if (size > 0) {
        say(connection, room->base, (size_t)size);
    } else if (size < 0 && (connection->front->cuts || connection->tls == NULL)) {
        drop(connection);
    } else if (size < 0) {
        uv_read_stop(stream);
        tls_end(connection->tls);
        connection->ends = true;
        say_records(connection);
    }
}

static void on_behind_connected(uv_connect_t *connect, int status) {
    struct front_connection *connection = connect->data;
    if (status == 0 && !connection->is_gone) {
        connection->is_connected = true;
        uv_read_start((uv_stream_t *)&connection->behind, on_alloc, on_behind_read);
    }
}

static void on_connection(uv_stream_t *listener, int status) {
    struct tls_front *front = listener->data;
    struct front_connection *connection = calloc(1, sizeof *connection);
    assert_int_equal(status, 0);
    assert_non_null(connection);
    connection->front = front;
    connection->next = front->connections;
    front->connections = connection;
    front->accepted++;
    uv_tcp_init(front->loop, &connection->client);
    uv_pipe_init(front->loop, &connection->behind, 0);
    uv_idle_init(front->loop, &connection->idle);
    connection->handles = 3;
    connection->client.data = connection->behind.data = connection;
    connection->idle.data = connection->connect.data = connection;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&connection->client), 0);
    uv_tcp_nodelay(&connection->client, 1);
    uv_pipe_connect(&connection->connect, &connection->behind, front->behind, on_behind_connected);
    if (front->plain_words.size != 0) {
        connection->ends = true;
        say(connection, front->plain_words.data, front->plain_words.size);
        return;
    }
    if (front->tls != NULL) {
        connection->tls = tls_session_new(front->tls, &connection->blocks);
        assert_non_null(connection->tls);
    }
    uv_read_start((uv_stream_t *)&connection->client, on_alloc, on_client_read);
}

/* ---- for the test ---- */

void front_open(struct tls_front *front, uv_loop_t *loop, const char *behind) {
    struct sockaddr_in address;
    int size = sizeof address;
    front->loop = loop;
    snprintf(front->behind, sizeof front->behind, "%s", behind);
    uv_tcp_init(loop, &front->listener);
    front->listener.data = front;
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&front->listener, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&front->listener, 16, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&front->listener, (struct sockaddr *)&address, &size), 0);
    front->port = ntohs(address.sin_port);
}

void front_close(struct tls_front *front) {
    front_drop(front);
    uv_close((uv_handle_t *)&front->listener, NULL);
    tls_context_free(front->tls);
    front->tls = NULL;
}

void front_show(struct tls_front *front, const struct issued *issued, int version) {
    struct tls_context *tls = tls_context_new(TLS_SERVER);
    assert_non_null(tls);
    SSL_CTX *openssl = tls_context_openssl(tls);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(openssl, issued->file), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(openssl, issued->key_file, SSL_FILETYPE_PEM), 1);
    if (version != 0) {
        SSL_CTX_set_security_level(openssl, 0);
        assert_int_equal(SSL_CTX_set_min_proto_version(openssl, version), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(openssl, version), 1);
    }
    tls_context_free(front->tls);
    front->tls = tls;
}

void front_ask_for_certificates(struct tls_front *front, const struct authority *authority) {
    SSL_CTX *openssl = tls_context_openssl(front->tls);
    SSL_CTX_set_verify(openssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(SSL_CTX_load_verify_file(openssl, authority->file), 1);
}

void front_stop_hearing(struct tls_front *front) {
    for (struct front_connection *one = front->connections; one != NULL; one = one->next) {
        uv_read_stop((uv_stream_t *)&one->client);
    }
}

void front_say_plain(struct tls_front *front, struct slice bytes) {
    for (struct front_connection *one = front->connections; one != NULL; one = one->next) {
        say(one, bytes.data, bytes.size);
    }
}

void front_hear(struct tls_front *front) {
    for (struct front_connection *one = front->connections; one != NULL; one = one->next) {
        uv_read_start((uv_stream_t *)&one->client, on_alloc, on_client_read);
    }
}

void front_rekey(struct tls_front *front) {
    for (struct front_connection *one = front->connections; one != NULL; one = one->next) {
        SSL *ssl = one->tls->ssl;
        if (SSL_version(ssl) == TLS1_3_VERSION) {
            assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        } else {
            assert_int_equal(SSL_renegotiate(ssl), 1);
        }
        SSL_do_handshake(ssl);
        ERR_clear_error();
        say_records(one);
    }
}

void front_drop(struct tls_front *front) {
    while (front->connections != NULL) {
        drop(front->connections);
    }
}
