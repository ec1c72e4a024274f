/* traffic.h: what is said on one connection after the other, over a stream: commands out, replies
 * in, in one order.
 *
 *      traffic_begin(), output_...(), traffic_end()   into the buffer; a slot waits in the ring
 *      traffic_flush()                                the buffer, to the stream
 *      traffic_take()                                 a reply, to the handler of the oldest slot
 *
 * A connection's life: traffic_start() when the stream is connected; traffic_set_up() once its
 * first words are over; traffic_stop() when its owner is done with it; traffic_drop() when its
 * socket is closed, which answers all that waits.
 *
 * Failure modes: what comes is not RESP, or a reply without a command; or there is no memory. Each
 * is one on_lost. Where the stream takes nothing more, nothing more is sent; but the other side may
 * have said why, and that is still read: the end comes from the reading side, at once or as
 * silence. It knows neither what is said nor who the other side is. */
#ifndef MINTD_REDIS_TRAFFIC_H
#define MINTD_REDIS_TRAFFIC_H

#include "store/link/handler.h"
#include "store/link/kept.h"
#include "store/link/output.h"
#include "store/link/stream.h"

#define TRAFFIC_OUTPUT_MAX (4u * 1024u * 1024u)
#define TRAFFIC_ERROR_MAX 320u /* "MOVED 16383 " and a host name; what is longer is cut */

/* Of each, `context` is that of the options. */
struct traffic_events {
    /* Nothing more can be said on this connection: the owner calls traffic_stop(). It comes between
     * traffic_start() and that, from inside traffic_take(), traffic_flush(), traffic_written() or
     * traffic_ask_end(). `reason` is valid until it returns. */
    void (*on_lost)(void *context, enum store_trouble trouble, const char *reason);
    /* A RESP3 push, in its order among the replies; NULL: one too big to be kept. */
    void (*on_push)(void *context, const struct reply *push);
    /* After traffic_close(), on a later turn. */
    void (*on_closed)(void *context);
};

struct traffic_options {
    unsigned pending_max;     /* commands that wait */
    uint32_t reply_nodes_max; /* of a reply, one for each thing in it */
    size_t reply_text_max;    /* bytes of all texts in it */
    bool keeps_commands;      /* a handler gets its command with its reply, to send it elsewhere */
    const struct traffic_events *events; /* stays */
    void *context;
};

/* A command that waits; without on_reply nobody does. */
struct traffic_slot {
    void (*on_reply)(void *context, const struct link_result *result);
    void *context;
    uint64_t given_ms;          /* loop time */
    uint32_t start, size;       /* of the command, in the buffer that it left in */
    uint32_t replies;           /* still to come */
    bool ends_at_text;          /* or up to the first text; then what came before it is NOAUTH */
    enum store_trouble trouble; /* the first error among them */
};

struct traffic {
    uv_loop_t *loop;
    struct redis_stream *stream;
    const struct traffic_events *events;
    void *context;
    struct reply_reader *reader;
    struct output output;  /* gathers until traffic_flush() sends it */
    struct output sending; /* the socket's, while stream->is_writing */
    bool speaks;           /* from traffic_start() to traffic_stop() */
    bool is_up;            /* from traffic_set_up() to traffic_stop() */
    bool deaf;             /* takes no more bytes; what it said before is still being read */
    bool keeps_commands;
    size_t command_start;               /* in output: of the command under way */
    struct traffic_slot *slots;         /* as many as were needed so far */
    unsigned slot_mask, oldest, newest; /* counters; slot i lies in slots[i & slot_mask] */
    unsigned pending_max;
    unsigned silent_ticks; /* since the last whole reply */
    uint64_t heard_ms;     /* loop time: when the newest command was given that was answered */
    struct kept kept;      /* sent and not answered */
    unsigned sending_end;  /* the slot behind the last one of `sending` */
    char error[TRAFFIC_ERROR_MAX]; /* the first to the oldest command */
    size_t error_size;
    uint64_t gathering_since_ns; /* 0: nothing gathers */
    uv_idle_t sleepless;         /* active while commands gather */
};

/* Over this stream, which stays. False: no memory; then nothing is left to be freed. */
bool traffic_init(struct traffic *traffic, uv_loop_t *loop, struct redis_stream *stream,
                  const struct traffic_options *options);
/* After on_closed, or where it was never opened. Nothing waits. */
void traffic_fini(struct traffic *traffic);
/* Ahead of the first traffic_start(); from then on traffic_close() is due. */
void traffic_open(struct traffic *traffic);
void traffic_close(struct traffic *traffic);

/* ---- a connection ---- */

/* False: no memory. */
bool traffic_start(struct traffic *traffic);
/* The other side is known by now: commands gather from here on, and what cannot be read is a broken
 * reply, not another protocol. */
static inline void traffic_set_up(struct traffic *traffic) {
    traffic->is_up = true;
}
/* Nothing more is sent or read. What waits goes on waiting, for traffic_drop(). */
static inline void traffic_stop(struct traffic *traffic) {
    traffic->speaks = traffic->is_up = false;
}
/* Stopped, and its socket is closed: answers everything that waits, DISCONNECTED. */
void traffic_drop(struct traffic *traffic);

/* The stream's on_bytes. */
void traffic_take(struct traffic *traffic, struct slice input);
/* The stream's on_written. */
void traffic_written(struct traffic *traffic, bool written);

/* ---- commands ---- */

static inline unsigned traffic_pending(const struct traffic *traffic) {
    return traffic->newest - traffic->oldest;
}
/* A command, or several that are to stay together. NULL: not started, or pending_max wait. */
struct output *traffic_begin(struct traffic *traffic);
/* Its end. False: there was no room; nothing of it will be sent, the handler not be called.
 * Otherwise the handler is called once, never from inside a call of ours but traffic_take() and
 * traffic_drop(); *slot names it. */
bool traffic_end(struct traffic *traffic, const struct link_handler *handler, unsigned *slot);
/* Of the command that was ended just now: a text among its replies is the last one, also where
 * others should have come ahead of it; then its trouble is NOAUTH. */
static inline void traffic_end_at_text(struct traffic *traffic, unsigned slot) {
    traffic->slots[slot & traffic->slot_mask].ends_at_text = true;
}
/* Somebody else gets the replies to this command (NULL: nobody); its place in their order stays. */
void traffic_hand_over(struct traffic *traffic, unsigned slot,
                       void (*on_reply)(void *context, const struct link_result *result),
                       void *context);
/* Started; for what has to be asked beside pending_max: begin, output_...(), end. It has one reply.
 * Where there is no memory on_lost comes from inside the end. */
struct output *traffic_ask_begin(struct traffic *traffic);
void traffic_ask_end(struct traffic *traffic,
                     void (*on_reply)(void *context, const struct link_result *result),
                     void *context);
/* Once a turn: one write for all that was put in since; or, where more may come, none yet: then the
 * loop does not sleep until they are sent, within a millisecond. False: some are still here. */
bool traffic_flush(struct traffic *traffic, bool more_may_come);

/* One tick more without a whole reply: how many there were since the last one, or since
 * traffic_start(). */
static inline unsigned traffic_tick(struct traffic *traffic) {
    return ++traffic->silent_ticks;
}

#endif
