/* The way out: answers gather in the output block and leave in one write: those to what one read
 * brought at its end, those that had to wait for the store at the end of the turn.
 *
 * Happy path: send() takes all. Else the block waits for room in the socket. The write deadline
 * watches whether the client takes what was written, wherever it waits. */
#include "http/connection.h"
#include <errno.h>
#include <sys/socket.h>

static bool reserve(struct connection *c, size_t size) {
    return block_reserve(&c->server->blocks, &c->output, size);
}

bool connection_put_answer(struct connection *c, const struct http_response *response,
                           bool closes) {
    struct http_exchange *x = c->exchange;
    const struct response_frame frame = {
        .connection = closes           ? RESPONSE_CLOSES
                      : x->is_http_1_0 ? RESPONSE_KEEPS_1_0
                                       : RESPONSE_KEEPS,
        .is_for_head = x->is_for_head,
        .date = slice_of(c->server->date, sizeof c->server->date),
        .request_id = http_request_id_of(x),
    };
    if (!reserve(c, response_size_bound(response, &frame))) {
        return false;
    }
    struct block *block = c->output;
    struct buffer out = buffer_of(block->data, block->capacity);
    out.size = block->size;
    response_encode(response, &frame, &out);
    block->size = out.size;
    return true;
}

bool connection_put_continue(struct connection *c) {
    const struct slice line = S("HTTP/1.1 100 Continue\r\n\r\n");
    if (!reserve(c, line.size)) {
        return false;
    }
    memcpy(c->output->data + c->output->size, line.data, line.size);
    c->output->size += line.size;
    connection_mark_dirty(c);
    return true;
}

size_t connection_unwritten(const struct connection *c) {
    return c->writing == NULL ? 0 : c->writing->size - c->written;
}

size_t connection_unsent(const struct connection *c) {
    return (c->output == NULL ? 0 : c->output->size) + connection_unwritten(c);
}

/* False: the connection is closed now. */
static bool write_some(struct connection *c) {
    ssize_t sent = send(c->fd, c->writing->data + c->written, connection_unwritten(c),
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
        c->written += (size_t)sent;
        c->sent += (size_t)sent;
    } else if (errno != EAGAIN && errno != EINTR) {
        connection_close(c, CLOSE_CLIENT_LOST);
        return false;
    }
    if (connection_unwritten(c) == 0) {
        block_give(&c->server->blocks, c->writing);
        c->writing = NULL;
    }
    return true;
}

void connection_send(struct connection *c) {
    if (c->state == CONNECTION_CLOSING || c->writing != NULL ||
        (c->tls != NULL && !connection_seal(c)) || c->output == NULL) {
        return;
    }
    c->writing = c->output;
    c->written = 0;
    c->output = NULL;
    uint64_t before = c->sent;
    if (write_some(c) && !deadline_is_running(&c->write_deadline)) {
        connection_watch_taking(c, before);
    }
}

void connection_write_on(struct connection *c) {
    if (!write_some(c) || c->writing != NULL) {
        return;
    }
    if (c->state == CONNECTION_IDLE) {
        connection_start_deadline(c); /* it was not idle until now */
    }
    connection_mark_dirty(c);
}
