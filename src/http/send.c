/* The way out: answers gather in the output block and leave in one write: those to what one read
 * brought at its end, those that had to wait for the store at the end of the turn.
 *
 * Happy path: send() takes all. (uv_try_write() would do the same with write(), which takes the
 * kernel's way through its files: about 2 % of the CPU of a small answer.) Else libuv gets the
 * rest, with the block that it lies in, and the write deadline watches whether the client reads. */
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

size_t connection_unsent(const struct connection *c) {
    return (c->output == NULL ? 0 : c->output->size) + c->handle.stream.write_queue_size;
}

static void on_written(uv_write_t *request, int status) {
    struct connection *c = request->data;
    deadline_stop(&c->write_deadline);
    block_give(&c->server->blocks, c->writing);
    c->writing = NULL;
    if (c->state == CONNECTION_CLOSING) {
        return;
    }
    if (status != 0) {
        connection_close(c, CLOSE_CLIENT_LOST);
        return;
    }
    if (c->state == CONNECTION_IDLE) {
        connection_start_deadline(c); /* it was not idle until now */
    }
    connection_mark_dirty(c);
}

static void write_rest(struct connection *c, struct block *block, size_t written) {
    uv_buf_t rest = uv_buf_init(block->data + written, (unsigned)(block->size - written));
    block->request.data = c;
    c->writing = block;
    if (uv_write(&block->request, &c->handle.stream, &rest, 1, on_written) != 0) {
        c->writing = NULL;
        block_give(&c->server->blocks, block);
        connection_close(c, CLOSE_CLIENT_LOST);
        return;
    }
    uint64_t now = uv_now(c->server->loop);
    c->write_left = SIZE_MAX;
    c->write_progress_at = now;
    deadline_start(&c->write_deadline, &c->server->waits[WAIT_WRITE], now);
}

void connection_send(struct connection *c) {
    if (c->state == CONNECTION_CLOSING || c->writing != NULL ||
        (c->tls != NULL && !connection_seal(c)) || c->output == NULL) {
        return;
    }
    struct block *block = c->output;
    c->output = NULL;
    ssize_t sent = send(c->fd, block->data, block->size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        block_give(&c->server->blocks, block);
        connection_close(c, CLOSE_CLIENT_LOST);
        return;
    }
    size_t count = sent < 0 ? 0 : (size_t)sent;
    if (count == block->size) {
        block_give(&c->server->blocks, block);
        return;
    }
    write_rest(c, block, count);
}
