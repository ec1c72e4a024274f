/* The bytes of a link, and their order: a ring of commands that wait, one buffer out, one reader
 * in.
 */
#include "store/link/link_internal.h"

#include "mintd/clock.h"
#include "store/link/error.h"
#include "store/link/stranger.h"
#include <stdlib.h>

#define SLOTS_FIRST 64u
#define GATHER_NS 1000000u /* how long a command may wait for others */
#define GATHER_MAX (64u * 1024u)

/* ---- what was sent, where it is kept ---- */

/* Its room is that of the next ones, where they have none yet. */
static void drop_first_sent(struct redis_link *link) {
    struct sent_commands *sent = link->sent;
    link->sent = sent->next;
    output_clear(&sent->bytes);
    if (link->output.capacity == 0) {
        link->output = sent->bytes;
    } else {
        output_fini(&sent->bytes);
    }
    free(sent);
}

/* All of `bytes` has been taken; its buffer goes over. */
static void take_sent(struct redis_link *link, struct output *bytes, unsigned end) {
    struct sent_commands *sent = link->keeps_commands ? malloc(sizeof *sent) : NULL;
    if (sent == NULL) {
        output_clear(bytes);
        if (link->keeps_commands) {
            link_fail(link, STORE_TROUBLE_DISCONNECTED, "out of memory");
        }
        return;
    }
    *sent = (struct sent_commands){.bytes = *bytes, .end = end};
    *(link->sent == NULL ? &link->sent : &link->sent_last->next) = sent;
    link->sent_last = sent;
    output_init(bytes, LINK_OUTPUT_MAX);
}

static void drop_answered(struct redis_link *link) {
    while (link->sent != NULL && (int)(link->oldest - link->sent->end) >= 0) {
        drop_first_sent(link);
    }
}

/* Of the oldest that waits. */
static struct slice command_of(const struct redis_link *link, const struct link_slot *slot) {
    const struct output *bytes = link->sent != NULL ? &link->sent->bytes : &link->sending;
    bool is_there = link->sent != NULL || (link->sending.size != 0 && link->keeps_commands &&
                                           (int)(link->oldest - link->sending_end) < 0);
    return is_there ? slice_of(bytes->data + slot->start, slot->size) : SLICE_ABSENT;
}

bool traffic_init(struct redis_link *link, const struct link_options *options) {
    link->pending_max = options->pending_max != 0 ? options->pending_max : LINK_PENDING_DEFAULT;
    link->keeps_commands = options->keeps_commands;
    link->slot_mask = SLOTS_FIRST - 1;
    link->slots = calloc(SLOTS_FIRST, sizeof *link->slots);
    link->reader = reply_reader_new(
        options->reply_nodes_max != 0 ? options->reply_nodes_max : LINK_REPLY_NODES,
        options->reply_text_max != 0 ? options->reply_text_max : LINK_REPLY_TEXT);
    output_init(&link->output, LINK_OUTPUT_MAX);
    output_init(&link->sending, LINK_OUTPUT_MAX);
    if (link->slots == NULL || link->reader == NULL) {
        traffic_fini(link);
        return false;
    }
    return true;
}

void traffic_fini(struct redis_link *link) {
    while (link->sent != NULL) {
        drop_first_sent(link);
    }
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

/* One is always free after it. False: no memory. */
static bool make_room(struct redis_link *link) {
    unsigned size = link->slot_mask + 1;
    if (link_pending(link) < size) {
        return true;
    }
    struct link_slot *slots = calloc(2 * (size_t)size, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (unsigned i = link->oldest; i != link->newest; i++) {
        slots[i & (2 * size - 1)] = link->slots[i & link->slot_mask];
    }
    free(link->slots);
    link->slots = slots;
    link->slot_mask = 2 * size - 1;
    return true;
}

bool link_end(struct redis_link *link, const struct link_handler *handler, unsigned *slot) {
    if (link->output.failed || !make_room(link)) {
        output_cut(&link->output, link->command_start);
        return false;
    }
    *slot = link->newest++;
    link->slots[*slot & link->slot_mask] = (struct link_slot){
        .on_reply = handler->on_reply,
        .context = handler->context,
        .given_ms = uv_now(link->loop),
        .start = (uint32_t)link->command_start,
        .size = (uint32_t)(link->output.size - link->command_start),
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
    if (written) {
        take_sent(link, &link->sending, link->sending_end);
    } else {
        output_clear(&link->sending);
        on_deaf(link);
    }
}

/* The socket has taken `sent` bytes and is full: it keeps this buffer, commands go to the other. */
static void hand_over(struct redis_link *link, size_t sent) {
    struct output empty = link->sending;
    link->sending = link->output;
    link->output = empty;
    link->sending_end = link->newest;
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
        take_sent(link, &link->output, link->newest);
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

static void keep_error(struct redis_link *link, const struct reply *reply) {
    link->error_size = 0;
    if (link->keeps_commands && reply->type == REPLY_ERROR) {
        link->error_size =
            reply->text.size < sizeof link->error ? reply->text.size : sizeof link->error;
        memcpy(link->error, reply->text.data, link->error_size);
    }
}

/* For the oldest command that waits. */
static void on_reply(struct redis_link *link, const struct reply *reply, bool too_big) {
    struct link_slot *slot = &link->slots[link->oldest & link->slot_mask];
    if (slot->trouble == STORE_TROUBLE_NONE) {
        keep_error(link, reply);
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
    struct link_result result = {.reply = too_big ? NULL : reply, .trouble = done.trouble};
    if (link->keeps_commands && result.trouble != STORE_TROUBLE_NONE) {
        result.command = command_of(link, &done);
        result.error = slice_of(link->error, link->error_size);
    }
    link->oldest++;
    link->heard_ms = done.given_ms;
    if (done.on_reply != NULL) {
        done.on_reply(done.context, &result);
    }
    drop_answered(link);
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
    const struct link_result lost = {.reply = NULL, .trouble = STORE_TROUBLE_DISCONNECTED};
    while (link->sent != NULL) {
        drop_first_sent(link);
    }
    output_clear(&link->output);
    output_clear(&link->sending);
    while (link_pending(link) != 0) {
        const struct link_slot slot = link->slots[link->oldest++ & link->slot_mask];
        if (slot.on_reply != NULL) {
            slot.on_reply(slot.context, &lost);
        }
    }
}
