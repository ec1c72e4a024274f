/* buffer.h: text written into storage of a fixed size.
 *
 *     data .. data + size             what has been written
 *     data + size .. data + capacity  room
 *
 * A piece that does not fit is dropped whole, and sets `overflow` for good. So write everything,
 * and then look at `overflow` once. The buffer owns nothing. The caller wipes what was secret. */
#ifndef MINTD_BUFFER_H
#define MINTD_BUFFER_H

#include "mintd/slice.h"
#include <stdint.h>

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
    bool overflow;
};

static inline struct buffer buffer_of(char *storage, size_t capacity) {
    return (struct buffer){storage, 0, capacity, false};
}

static inline struct slice buffer_slice(const struct buffer *b) {
    return (struct slice){b->data, b->size};
}

static inline void buffer_append(struct buffer *b, struct slice s) {
    if (s.size > b->capacity - b->size) {
        b->overflow = true;
    } else if (s.size != 0) {
        memcpy(b->data + b->size, s.data, s.size);
        b->size += s.size;
    }
}

static inline void buffer_append_char(struct buffer *b, char c) {
    buffer_append(b, (struct slice){&c, 1});
}

void buffer_append_number(struct buffer *b, uint64_t number);

/* Appends a JSON string with its quotes (RFC 8259): `"`, `\` and control bytes are escaped. Bytes
 * that are not UTF-8 become U+FFFD, so the output is always valid. */
void buffer_append_json(struct buffer *b, struct slice s);

/* Appends "2026-11-23T21:02:37.272Z", made from milliseconds since the epoch. */
void buffer_append_iso8601(struct buffer *b, uint64_t epoch_ms);

/* Appends what printf would print. For text that no request waits for: it is slow. The NUL that
 * printf adds needs a byte of room too. */
void buffer_append_format(struct buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
