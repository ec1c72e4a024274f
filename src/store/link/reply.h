/* reply.h: replies of Redis (RESP2, RESP3), parsed as their bytes come in, within bounds.
 *
 * A reply and all below it lie in order in one array that belongs to the reader: a node, its first
 * element, all below that, its second element ... A warm reader allocates nothing. */
#ifndef MINTD_REDIS_REPLY_H
#define MINTD_REDIS_REPLY_H

#include "mintd/slice.h"
#include <stdint.h>

/* A length that a server announces is never trusted: what is buffered for one text that is not
 * whole yet, how deep a reply nests, how many elements an array claims. */
#define REPLY_BUFFERED_MAX (1024u * 1024u)
#define REPLY_DEPTH_MAX 8u
#define REPLY_ELEMENTS_MAX 65536

enum reply_type {
    REPLY_NIL,
    REPLY_TEXT, /* a bulk or verbatim text */
    REPLY_STATUS,
    REPLY_ERROR,
    REPLY_INTEGER,
    REPLY_ARRAY, /* or a set */
    REPLY_MAP,
    REPLY_PUSH,
    REPLY_OTHER, /* doubles, booleans, big numbers: nobody here asks for them */
};

struct reply {
    enum reply_type type;
    uint32_t below;    /* nodes that follow and belong to this one */
    uint32_t elements; /* of an array or a push; of a map, names and values */
    int64_t number;    /* INTEGER */
    struct slice text; /* TEXT, STATUS, ERROR */
};

/* The first element; there must be one. */
static inline const struct reply *reply_first(const struct reply *reply) {
    return reply + 1;
}
/* The element behind this one; there must be one. */
static inline const struct reply *reply_next(const struct reply *reply) {
    return reply + 1 + reply->below;
}
/* What a map says of this name, or the array of names and values that RESP2 has in its place;
 * absent: nothing, or no text. */
struct slice reply_find_text(const struct reply *map, struct slice name);

struct reply_reader;

enum reply_progress {
    REPLY_READY,   /* here is one */
    REPLY_TOO_BIG, /* one came that has more nodes or text than there is room for; only its own
                      node is there. Those behind it can be read */
    REPLY_NEED_MORE,
    REPLY_BROKEN, /* not RESP, or no memory: nothing more can be read */
};

/* Room for one reply: nodes, and bytes of all its texts together. NULL: no memory. */
struct reply_reader *reply_reader_new(uint32_t nodes_max, size_t text_max);
void reply_reader_free(struct reply_reader *reader); /* NULL is fine */
/* For a new connection: forgets half a reply and what was wrong. False: no memory. */
bool reply_reader_reset(struct reply_reader *reader);
/* Bytes to parse; they must stay in place until reply_reader_next() says NEED_MORE or BROKEN. */
void reply_reader_feed(struct reply_reader *reader, struct slice input);
/* *reply is valid until the next call. */
enum reply_progress reply_reader_next(struct reply_reader *reader, const struct reply **reply);
/* What is BROKEN, as text. */
const char *reply_reader_error(const struct reply_reader *reader);

#endif
