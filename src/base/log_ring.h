/* log_ring.h: a bounded ring of whole log lines. */
#ifndef MINTD_BASE_LOG_RING_H
#define MINTD_BASE_LOG_RING_H

#include "mintd/log.h"

/*      head .. head + size     the lines, modulo LOG_QUEUE_BYTES; zeroed memory is an empty ring */
struct log_ring {
    size_t head, size;
    char bytes[LOG_QUEUE_BYTES];
};

static inline size_t log_ring_room(const struct log_ring *ring) {
    return LOG_QUEUE_BYTES - ring->size;
}

/* A line ends with its only newline; there must be room. */
void log_ring_put(struct log_ring *ring, struct slice line);

/* Moves the oldest lines out, as many whole ones as max bytes hold; at least one where there is any
 * and max is LOG_LINE_MAX or more. */
struct slice log_ring_take(struct log_ring *ring, char *batch, size_t max);

#endif
