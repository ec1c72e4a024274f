/* TLS between a stream's socket and its owner: the handshake is part of connecting, bytes are
 * opened and sealed on their way.
 *
 * Failure modes: a server that is not believed, or does not believe us, is told by an alert. A
 * connection that ends without close_notify was cut, by whomever: what it brought is used, since a
 * reply has its length. What cannot be sealed for want of memory ends the connection. */
#include "store/link/stream_internal.h"

#include "store/link/stranger.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define PLAIN_SIZE (16u * 1024u)

void stream_use_tls(struct redis_stream *stream, struct tls_context *tls) {
    tls_context_free(stream->tls);
    stream->tls = tls;
}

void stream_set_tls_name(struct redis_stream *stream, struct slice name) {
    snprintf(stream->tls_name, sizeof stream->tls_name, "%.*s", (int)name.size, name.data);
}

static const char *name_of(const struct redis_stream *stream) {
    return stream->tls_name[0] != '\0' ? stream->tls_name : stream->url->host;
}

bool stream_look_at_tls(const struct redis_stream *stream, struct tls_client_view *view) {
    if (stream->session == NULL || !stream->is_connected) {
        return false;
    }
    *view = tls_client_look(stream->session);
    return true;
}

/* ---- what goes wrong ---- */

static void fail_with(struct redis_stream *stream, enum store_trouble trouble, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

static void fail_with(struct redis_stream *stream, enum store_trouble trouble, const char *format,
                      ...) {
    char reason[STREAM_REASON_MAX];
    va_list details;
    va_start(details, format);
    vsnprintf(reason, sizeof reason, format, details); /* what is longer is cut */
    va_end(details);
    stream_fail(stream, trouble, reason);
}

static void fail_for_memory(struct redis_stream *stream) {
    stream_fail(stream, STORE_TROUBLE_DISCONNECTED, "out of memory");
}

static bool begins_record(struct slice words) {
    return words.size == 0 || (words.data[0] >= 0x14 && words.data[0] <= 0x17);
}

/* It is no TLS that it speaks; or it is, and broken. */
static void fail_for_protocol(struct redis_stream *stream) {
    struct slice words = slice_of(stream->first_words, stream->first_words_size);
    if (stream->is_connected || begins_record(words)) {
        fail_with(stream, STORE_TROUBLE_PROTOCOL, "TLS: %s", tls_problem(stream->session));
        return;
    }
    const char *stranger = redis_stranger(words);
    stream_fail(stream, STORE_TROUBLE_PROTOCOL,
                stranger != NULL ? stranger
                                 : "it answers without TLS: write redis:// in place of rediss://, "
                                   "or give its port for TLS");
}

static void fail_for(struct redis_stream *stream) {
    const char *doubt = tls_client_doubt(stream->session);
    const char *names = tls_client_names(stream->session);
    switch (tls_client_fault(stream->session)) {
    case TLS_FAULT_NAME:
        fail_with(stream, STORE_TROUBLE_TLS_NAME,
                  "its certificate is not for the name %.60s%s%s: see --redis-tls-name",
                  name_of(stream), *names == '\0' ? "" : ", but for ", names);
        break;
    case TLS_FAULT_CHAIN:
        fail_with(stream, STORE_TROUBLE_TLS_CHAIN,
                  "nobody whom we believe signed its certificate: check --redis-ca (%s)", doubt);
        break;
    case TLS_FAULT_EXPIRED:
        fail_with(stream, STORE_TROUBLE_TLS_EXPIRED,
                  "its certificate, or one that signed it, is not valid now: %s", doubt);
        break;
    case TLS_FAULT_VERSION:
        stream_fail(stream, STORE_TROUBLE_TLS_VERSION,
                    "it speaks neither TLS 1.2 nor TLS 1.3: allow one of them there");
        break;
    case TLS_FAULT_REFUSED:
        fail_with(stream, STORE_TROUBLE_TLS_REFUSED,
                  "it refuses us: it may want another certificate, --redis-cert and --redis-key "
                  "(%s)",
                  tls_problem(stream->session));
        break;
    case TLS_FAULT_OTHER:
        fail_for_protocol(stream);
        break;
    }
}

void secure_cut(struct redis_stream *stream) {
    stream_fail(stream, STORE_TROUBLE_TLS_CUT,
                stream->is_connected
                    ? "it cut the connection, without the end that TLS has (close_notify)"
                    : "it cut the connection in the TLS handshake: maybe its port is not for TLS");
}

/* ---- out ---- */

/* False: the socket takes nothing more. What it does not take at once is kept; on_written tells. */
static bool flush_records(struct redis_stream *stream) {
    if (stream->is_writing || tls_output_size(stream->session) == 0) {
        return true;
    }
    struct block *records = tls_take_output(stream->session);
    ssize_t sent = stream_send_raw(stream, records->data, records->size);
    if (sent >= 0 && (size_t)sent < records->size) {
        stream->sealed = records;
        if (stream_write(stream, records->data + sent, records->size - (size_t)sent)) {
            return true;
        }
        stream->sealed = NULL;
        sent = -1;
    }
    block_give(&stream->blocks, records);
    return sent >= 0;
}

/* The end comes from the reading side, at once. */
static ssize_t hang_up(struct redis_stream *stream) {
    shutdown(stream->fd, SHUT_RDWR);
    return -1;
}

ssize_t secure_send(struct redis_stream *stream, const char *plain, size_t size) {
    if (!tls_write(stream->session, plain, size)) {
        return hang_up(stream);
    }
    return flush_records(stream) ? (ssize_t)size : -1;
}

void secure_written(struct redis_stream *stream, bool written) {
    block_give(&stream->blocks, stream->sealed);
    stream->sealed = NULL;
    if (!stream->is_wanted || !stream->is_connected) {
        return;
    }
    written = written && flush_records(stream);
    if (!stream->is_writing) {
        stream->events->on_written(stream->context, written);
    }
}

void secure_end(struct redis_stream *stream) {
    if (stream->session != NULL && !stream->is_writing) {
        tls_end(stream->session);
        flush_records(stream);
    }
}

void secure_free(struct redis_stream *stream) {
    tls_session_free(stream->session);
    stream->session = NULL;
}

/* ---- in ---- */

static void note_first_words(struct redis_stream *stream, struct slice bytes) {
    size_t room = STREAM_FIRST_WORDS_MAX - stream->first_words_size;
    size_t size = bytes.size < room ? bytes.size : room;
    memcpy(stream->first_words + stream->first_words_size, bytes.data, size);
    stream->first_words_size += (unsigned)size;
}

/* True: it is over, and well. */
static bool shake_hands(struct redis_stream *stream) {
    enum tls_step step = tls_handshake(stream->session);
    if (!flush_records(stream)) {
        secure_cut(stream);
        return false;
    }
    if (step == TLS_FAILED) {
        fail_for(stream);
    } else if (step == TLS_ENDED) {
        secure_cut(stream);
    }
    return step == TLS_DONE;
}

/* What has come, up to the size of our buffer. */
static enum tls_step read_some(struct redis_stream *stream, size_t *size) {
    enum tls_step step = TLS_DONE;
    *size = 0;
    while (*size < PLAIN_SIZE && step == TLS_DONE) {
        size_t count;
        step = tls_read(stream->session, stream->plain + *size, PLAIN_SIZE - *size, &count);
        *size += count;
        if (step == TLS_DONE && tls_is_drained(stream->session)) {
            step = TLS_MORE;
        }
    }
    return step;
}

static void read_all(struct redis_stream *stream) {
    enum tls_step step = TLS_DONE;
    while (step == TLS_DONE && stream->is_wanted) {
        size_t size;
        step = read_some(stream, &size);
        flush_records(stream); /* a new key, for one */
        if (size != 0) {
            stream->events->on_bytes(stream->context, slice_of(stream->plain, size));
        }
    }
    if (!stream->is_wanted) { /* the owner has closed it */
        return;
    }
    if (step == TLS_ENDED) {
        stream_fail(stream, STORE_TROUBLE_DISCONNECTED, "it closed the connection");
    } else if (step == TLS_FAILED) {
        fail_for(stream);
    }
}

void secure_take(struct redis_stream *stream, struct slice records) {
    tls_feed(stream->session, records.data, records.size);
    if (!stream->is_connected) {
        note_first_words(stream, records);
        if (!shake_hands(stream)) {
            return;
        }
        stream_set_connected(stream);
    }
    read_all(stream);
}

void secure_start(struct redis_stream *stream) {
    stream->first_words_size = 0;
    if (stream->plain == NULL) {
        stream->plain = malloc(PLAIN_SIZE);
    }
    stream->session = stream->plain == NULL ? NULL : tls_session_new(stream->tls, &stream->blocks);
    if (stream->session == NULL) {
        fail_for_memory(stream);
        return;
    }
    if (!tls_client_host_is_valid(slice_of_string(name_of(stream)))) { /* a Sentinel named it */
        fail_with(stream, STORE_TROUBLE_TLS_NAME, "no certificate can be for the name %.60s",
                  name_of(stream));
        return;
    }
    if (!tls_client_expect(stream->session, name_of(stream))) {
        fail_for_memory(stream);
        return;
    }
    shake_hands(stream); /* it only begins */
}
