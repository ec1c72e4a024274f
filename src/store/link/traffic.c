/* The bytes of a link, and their order: a ring of commands that wait, one buffer out, one reader
 * in.
 */
#include "store/link/link_internal.h"

#include "mintd/clock.h"
#include "store/link/error.h"
#include "store/link/stranger.h"
#include <stdlib.h>

#define REPLY_NODES_MAX 1024u /* a set of 512 numbers comes as one reply, also to SSCAN */
#define REPLY_TEXT_MAX (256u * 1024u)
#define GATHER_NS 1000000u /* how long a command may wait for others */
#define GATHER_MAX (64u * 1024u)

bool traffic_init(struct redis_link *link, unsigned pending_max) {
    unsigned size = 16;
    link->pending_max = pending_max != 0 ? pending_max : LINK_PENDING_DEFAULT;
    while (size < link->pending_max + LINK_OWN_SLOTS) {
        size *= 2;
    }
    link->slot_mask = size - 1;
    link->slots = calloc(size, sizeof *link->slots);
    link->reader = reply_reader_new(REPLY_NODES_MAX, REPLY_TEXT_MAX);
    output_init(&link->output, LINK_OUTPUT_MAX);
    output_init(&link->sending, LINK_OUTPUT_MAX);
    if (link->slots == NULL || link->reader == NULL) {
        traffic_fini(link);
        return false;
    }
    return true;
}

void traffic_fini(struct redis_link *link) {
    output_fini(&link->output);
    output_fini(&link->sending);
    reply_reader_free(link->reader);
    free(link->slots);
}

bool traffic_reset(struct redis_link *link) {
    link->deaf = false;
    return reply_reader_reset(link->reader);
}

static bool speaks(const struct redis_link *link) {
    return link->state == LINK_GREETING || link->state == LINK_UP;
}

/* ---- commands ---- */

unsigned link_pending(const struct redis_link *link) {
    return link->newest - link->oldest;
}

struct output *link_begin(struct redis_link *link) {
    if (!speaks(link) || link_pending(link) >= link->pending_max) {
        return NULL;
    }
    return link_ask_begin(link);
}

bool link_end(struct redis_link *link, const struct link_handler *handler, unsigned *slot) {
    if (link->output.failed) {
        output_cut(&link->output, link->command_start);
        return false;
    }
    *slot = link->newest++;
    link->slots[*slot & link->slot_mask] = (struct link_slot){
        .on_reply = handler->on_reply,
        .context = handler->context,
        .given_ms = uv_now(link->loop),
        .replies = handler->replies,
        .trouble = STORE_TROUBLE_NONE,
    };
    return true;
}

struct output *link_ask_begin(struct redis_link *link) {
    link->command_start = link->output.size;
    return &link->output;
}

void link_ask_end(struct redis_link *link,
                  void (*on_reply)(void *context, const struct link_result *result)) {
    const struct link_handler handler = {.on_reply = on_reply, .context = link, .replies = 1};
    unsigned slot;
    if (!link_end(link, &handler, &slot)) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

void link_hand_over(struct redis_link *link, unsigned slot,
                    void (*on_reply)(void *context, const struct link_result *result),
                    void *context) {
    link->slots[slot & link->slot_mask].on_reply = on_reply;
    link->slots[slot & link->slot_mask].context = context;
}

/* ---- out ---- */

/* The other side is gone; but it may have said why, and that is still to be read. The end comes
 * from the reading side: at once, or as silence. */
static void on_deaf(struct redis_link *link) {
    link->deaf = true;
    output_clear(&link->output);
}

void traffic_written(struct redis_link *link, bool written) {
    output_clear(&link->sending);
    if (!written) {
        on_deaf(link);
    }
}

/* The socket has taken `sent` bytes and is full: it keeps this buffer, commands go to the other. */
static void hand_over(struct redis_link *link, size_t sent) {
    struct output empty = link->sending;
    link->sending = link->output;
    link->output = empty;
    if (!stream_write(&link->stream, link->sending.data + sent, link->sending.size - sent)) {
        output_clear(&link->sending);
        on_deaf(link);
    }
}

/* Its being active is all: then the loop looks for more work, but does not sleep. */
static void on_idle(uv_idle_t *idle) {
    (void)idle;
}

static void gather(struct redis_link *link) {
    if (link->gathering_since_ns == 0) {
        link->gathering_since_ns = clock_monotonic_ns();
        uv_idle_start(&link->sleepless, on_idle);
    }
}

static void stop_gathering(struct redis_link *link) {
    if (link->gathering_since_ns != 0) {
        link->gathering_since_ns = 0;
        uv_idle_stop(&link->sleepless);
    }
}

static bool may_gather(const struct redis_link *link) {
    return link->state == LINK_UP && link->output.size < GATHER_MAX &&
           (link->gathering_since_ns == 0 ||
            clock_monotonic_ns() - link->gathering_since_ns < GATHER_NS);
}

bool link_flush(struct redis_link *link, bool more_may_come) {
    if (link->deaf) {
        output_clear(&link->output);
    }
    if (link->output.size == 0 || link->stream.is_writing || !speaks(link)) {
        stop_gathering(link);
        return !link->stream.is_writing;
    }
    if (more_may_come && may_gather(link)) {
        gather(link);
        return false;
    }
    stop_gathering(link);
    ssize_t sent = stream_send(&link->stream, link->output.data, link->output.size);
    if (sent < 0) {
        on_deaf(link);
    } else if (sent == (ssize_t)link->output.size) {
        output_clear(&link->output);
    } else {
        hand_over(link, (size_t)sent);
    }
    return true;
}

/* ---- in ---- */

static void on_uncalled(struct redis_link *link, const struct reply *reply) {
    char text[LINK_REASON_MAX];
    if (reply->type != REPLY_ERROR) {
        link_fail(link, STORE_TROUBLE_PROTOCOL, "a reply came without a command");
        return;
    }
    size_t size = reply->text.size < sizeof text ? reply->text.size : sizeof text - 1;
    memcpy(text, reply->text.data, size);
    text[size] = '\0';
    link_fail(link, redis_error_trouble(reply->text), text);
}

/* For the oldest command that waits. */
static void on_reply(struct redis_link *link, const struct reply *reply, bool too_big) {
    struct link_slot *slot = &link->slots[link->oldest & link->slot_mask];
    if (slot->trouble == STORE_TROUBLE_NONE) {
        slot->trouble = too_big                      ? STORE_TROUBLE_PROTOCOL
                        : reply->type == REPLY_ERROR ? redis_error_trouble(reply->text)
                                                     : STORE_TROUBLE_NONE;
    }
    bool is_end = slot->ends_at_text && !too_big && reply->type == REPLY_TEXT;
    if (--slot->replies != 0 && !is_end) {
        return;
    }
    if (slot->replies != 0) {
        slot->trouble = STORE_TROUBLE_NOAUTH;
    }
    const struct link_slot done = *slot; /* its place may be taken by what the handler sends */
    const struct link_result result = {too_big ? NULL : reply, done.trouble};
    link->oldest++;
    link->heard_ms = done.given_ms;
    if (done.on_reply != NULL) {
        done.on_reply(done.context, &result);
    }
}

/* A whole reply is the sign of life; bytes alone may go on for ever inside a length that was a lie,
 * and pushes while what was asked is not answered. */
static void dispatch(struct redis_link *link, const struct reply *reply, bool too_big) {
    if (reply->type != REPLY_PUSH) {
        link->silent_ticks = 0;
    }
    if (reply->type == REPLY_PUSH) {
        if (link->events.on_push != NULL) {
            link->events.on_push(link->context, too_big ? NULL : reply);
        }
    } else if (link_pending(link) == 0) {
        on_uncalled(link, reply);
    } else {
        on_reply(link, reply, too_big);
    }
}

void traffic_take(struct redis_link *link, struct slice input) {
    if (link->greeting_waits == GREETING_WAITS_FOR_HELLO) { /* half an answer is one */
        link->greeting_waits = GREETING_WAITS;
    }
    reply_reader_feed(link->reader, input);
    while (speaks(link)) { /* a handler may have ended the connection */
        const struct reply *reply;
        enum reply_progress progress = reply_reader_next(link->reader, &reply);
        if (progress == REPLY_NEED_MORE) {
            return;
        }
        if (progress == REPLY_BROKEN) {
            const char *stranger = link->state == LINK_GREETING ? redis_stranger(input) : NULL;
            link_fail(link, STORE_TROUBLE_PROTOCOL,
                      stranger != NULL ? stranger : reply_reader_error(link->reader));
            return;
        }
        dispatch(link, reply, progress == REPLY_TOO_BIG);
    }
}

void traffic_end(struct redis_link *link) {
    const struct link_result lost = {NULL, STORE_TROUBLE_DISCONNECTED};
    output_clear(&link->output);
    output_clear(&link->sending);
    while (link_pending(link) != 0) {
        const struct link_slot slot = link->slots[link->oldest++ & link->slot_mask];
        if (slot.on_reply != NULL) {
            slot.on_reply(slot.context, &lost);
        }
    }
}
