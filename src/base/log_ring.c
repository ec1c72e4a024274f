#include "log_ring.h"

static size_t position(const struct log_ring *ring, size_t offset) {
    return (ring->head + offset) % LOG_QUEUE_BYTES;
}

/* Of size bytes from there, how many stand before the ring's end. */
static size_t before_wrap(size_t from, size_t size) {
    size_t room = LOG_QUEUE_BYTES - from;
    return size < room ? size : room;
}

void log_ring_put(struct log_ring *ring, struct slice line) {
    size_t tail = position(ring, ring->size);
    size_t first = before_wrap(tail, line.size);
    memcpy(ring->bytes + tail, line.data, first);
    memcpy(ring->bytes, line.data + first, line.size - first);
    ring->size += line.size;
}

struct slice log_ring_take(struct log_ring *ring, char *batch, size_t max) {
    size_t size = ring->size < max ? ring->size : max;
    while (size != 0 && ring->bytes[position(ring, size - 1)] != '\n') {
        size--;
    }
    size_t first = before_wrap(ring->head, size);
    memcpy(batch, ring->bytes + ring->head, first);
    memcpy(batch + first, ring->bytes, size - first);
    ring->head = position(ring, size);
    ring->size -= size;
    if (ring->size == 0) {
        ring->head = 0; /* begins anew, so that a quiet log touches few pages */
    }
    return slice_of(batch, size);
}
