#include "store/link/traffic.h"

#include "mintd/clock.h"
#include "store/link/error.h"
#include "store/link/stranger.h"
#include <stdlib.h>

#define SLOTS_FIRST 64u
#define GATHER_NS 1000000u /* how long a command may wait for others */
#define GATHER_MAX (64u * 1024u)

static void lose(struct traffic *traffic, enum store_trouble trouble, const char *reason) {
    if (traffic->speaks) { /* else its owner is done with it already */
        traffic->events->on_lost(traffic->context, trouble, reason);
    }
}

/* ---- life ---- */

bool traffic_init(struct traffic *traffic, uv_loop_t *loop, struct redis_stream *stream,
                  const struct traffic_options *options) {
    *traffic = (struct traffic){
        .loop = loop,
        .stream = stream,
        .events = options->events,
        .context = options->context,
        .keeps_commands = options->keeps_commands,
        .pending_max = options->pending_max,
        .slot_mask = SLOTS_FIRST - 1,
        .slots = calloc(SLOTS_FIRST, sizeof *traffic->slots),
        .reader = reply_reader_new(options->reply_nodes_max, options->reply_text_max),
    };
    output_init(&traffic->output, TRAFFIC_OUTPUT_MAX);
    output_init(&traffic->sending, TRAFFIC_OUTPUT_MAX);
    if (traffic->slots == NULL || traffic->reader == NULL) {
        traffic_fini(traffic);
        return false;
    }
    return true;
}

static void drop_kept(struct traffic *traffic) {
    while (traffic->kept.first != NULL) {
        kept_drop_first(&traffic->kept, &traffic->output);
    }
}

void traffic_fini(struct traffic *traffic) {
    drop_kept(traffic);
    output_fini(&traffic->output);
    output_fini(&traffic->sending);
    reply_reader_free(traffic->reader);
    free(traffic->slots);
}

void traffic_open(struct traffic *traffic) {
    uv_idle_init(traffic->loop, &traffic->sleepless); /* cannot fail */
    traffic->sleepless.data = traffic;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct traffic *traffic = handle->data;
    traffic->events->on_closed(traffic->context);
}

void traffic_close(struct traffic *traffic) {
    uv_close((uv_handle_t *)&traffic->sleepless, on_handle_closed);
}

bool traffic_start(struct traffic *traffic) {
    traffic->deaf = false;
    traffic->silent_ticks = 0;
    traffic->speaks = reply_reader_reset(traffic->reader);
    return traffic->speaks;
}

void traffic_drop(struct traffic *traffic) {
    const struct link_result lost = {.reply = NULL, .trouble = STORE_TROUBLE_DISCONNECTED};
    drop_kept(traffic);
    output_clear(&traffic->output);
    output_clear(&traffic->sending);
    while (traffic_pending(traffic) != 0) {
        const struct traffic_slot slot = traffic->slots[traffic->oldest++ & traffic->slot_mask];
        if (slot.on_reply != NULL) {
            slot.on_reply(slot.context, &lost);
        }
    }
}

/* ---- what was sent ---- */

static void drop_answered(struct traffic *traffic) {
    while (traffic->kept.first != NULL && (int)(traffic->oldest - traffic->kept.first->end) >= 0) {
        kept_drop_first(&traffic->kept, &traffic->output);
    }
}

/* All of `bytes` has been taken. The replies to it may have been read ahead of that news. */
static void take_sent(struct traffic *traffic, struct output *bytes, unsigned end) {
    if (traffic->keeps_commands && kept_add(&traffic->kept, bytes, end)) {
        drop_answered(traffic);
        return;
    }
    output_clear(bytes);
    if (traffic->keeps_commands) {
        lose(traffic, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

/* Of the oldest that waits. */
static struct slice command_of(const struct traffic *traffic, const struct traffic_slot *slot) {
    const struct kept_commands *kept = traffic->kept.first;
    const struct output *bytes = kept != NULL ? &kept->bytes : &traffic->sending;
    bool is_there = kept != NULL || (traffic->sending.size != 0 && traffic->keeps_commands &&
                                     (int)(traffic->oldest - traffic->sending_end) < 0);
    return is_there ? slice_of(bytes->data + slot->start, slot->size) : SLICE_ABSENT;
}

/* ---- commands ---- */

struct output *traffic_begin(struct traffic *traffic) {
    if (!traffic->speaks || traffic_pending(traffic) >= traffic->pending_max) {
        return NULL;
    }
    return traffic_ask_begin(traffic);
}

/* One is always free after it. False: no memory. */
static bool make_room(struct traffic *traffic) {
    unsigned size = traffic->slot_mask + 1;
    if (traffic_pending(traffic) < size) {
        return true;
    }
    struct traffic_slot *slots = calloc(2 * (size_t)size, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (unsigned i = traffic->oldest; i != traffic->newest; i++) {
        slots[i & (2 * size - 1)] = traffic->slots[i & traffic->slot_mask];
    }
    free(traffic->slots);
    traffic->slots = slots;
    traffic->slot_mask = 2 * size - 1;
    return true;
}

bool traffic_end(struct traffic *traffic, const struct link_handler *handler, unsigned *slot) {
    if (traffic->output.failed || !make_room(traffic)) {
        output_cut(&traffic->output, traffic->command_start);
        return false;
    }
    *slot = traffic->newest++;
    traffic->slots[*slot & traffic->slot_mask] = (struct traffic_slot){
        .on_reply = handler->on_reply,
        .context = handler->context,
        .given_ms = uv_now(traffic->loop),
        .start = (uint32_t)traffic->command_start,
        .size = (uint32_t)(traffic->output.size - traffic->command_start),
        .replies = handler->replies,
        .trouble = STORE_TROUBLE_NONE,
    };
    return true;
}

struct output *traffic_ask_begin(struct traffic *traffic) {
    traffic->command_start = traffic->output.size;
    return &traffic->output;
}

void traffic_ask_end(struct traffic *traffic,
                     void (*on_reply)(void *context, const struct link_result *result),
                     void *context) {
    const struct link_handler handler = {.on_reply = on_reply, .context = context, .replies = 1};
    unsigned slot;
    if (!traffic_end(traffic, &handler, &slot)) {
        lose(traffic, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

void traffic_hand_over(struct traffic *traffic, unsigned slot,
                       void (*on_reply)(void *context, const struct link_result *result),
                       void *context) {
    traffic->slots[slot & traffic->slot_mask].on_reply = on_reply;
    traffic->slots[slot & traffic->slot_mask].context = context;
}

/* ---- out ---- */

/* The other side is gone. */
static void on_deaf(struct traffic *traffic) {
    traffic->deaf = true;
    output_clear(&traffic->output);
}

void traffic_written(struct traffic *traffic, bool written) {
    if (written && traffic->sending.size == 0) {
        return; /* over TLS the stream takes all at once: nothing was handed over */
    }
    if (written) {
        take_sent(traffic, &traffic->sending, traffic->sending_end);
    } else {
        output_clear(&traffic->sending);
        on_deaf(traffic);
    }
}

/* The socket has taken `sent` bytes and is full: it keeps this buffer, commands go to the other. */
static void hand_over(struct traffic *traffic, size_t sent) {
    struct output empty = traffic->sending;
    traffic->sending = traffic->output;
    traffic->output = empty;
    traffic->sending_end = traffic->newest;
    if (!stream_write(traffic->stream, traffic->sending.data + sent,
                      traffic->sending.size - sent)) {
        output_clear(&traffic->sending);
        on_deaf(traffic);
    }
}

/* Its being active is all: then the loop looks for more work, but does not sleep. */
static void on_idle(uv_idle_t *idle) {
    (void)idle;
}

static void gather(struct traffic *traffic) {
    if (traffic->gathering_since_ns == 0) {
        traffic->gathering_since_ns = clock_monotonic_ns();
        uv_idle_start(&traffic->sleepless, on_idle);
    }
}

static void stop_gathering(struct traffic *traffic) {
    if (traffic->gathering_since_ns != 0) {
        traffic->gathering_since_ns = 0;
        uv_idle_stop(&traffic->sleepless);
    }
}

static bool may_gather(const struct traffic *traffic) {
    return traffic->is_up && traffic->output.size < GATHER_MAX &&
           (traffic->gathering_since_ns == 0 ||
            clock_monotonic_ns() - traffic->gathering_since_ns < GATHER_NS);
}

bool traffic_flush(struct traffic *traffic, bool more_may_come) {
    if (traffic->deaf) {
        output_clear(&traffic->output);
    }
    if (traffic->output.size == 0 || traffic->stream->is_writing || !traffic->speaks) {
        stop_gathering(traffic);
        return !traffic->stream->is_writing;
    }
    if (more_may_come && may_gather(traffic)) {
        gather(traffic);
        return false;
    }
    stop_gathering(traffic);
    ssize_t sent = stream_send(traffic->stream, traffic->output.data, traffic->output.size);
    if (sent < 0) {
        on_deaf(traffic);
    } else if (sent == (ssize_t)traffic->output.size) {
        take_sent(traffic, &traffic->output, traffic->newest);
    } else {
        hand_over(traffic, (size_t)sent);
    }
    return true;
}

/* ---- in ---- */

static void on_uncalled(struct traffic *traffic, const struct reply *reply) {
    char text[STREAM_REASON_MAX];
    if (reply->type != REPLY_ERROR) {
        lose(traffic, STORE_TROUBLE_PROTOCOL, "a reply came without a command");
        return;
    }
    size_t size = reply->text.size < sizeof text ? reply->text.size : sizeof text - 1;
    memcpy(text, reply->text.data, size);
    text[size] = '\0';
    lose(traffic, redis_error_trouble(reply->text), text);
}

static void keep_error(struct traffic *traffic, const struct reply *reply) {
    traffic->error_size = 0;
    if (traffic->keeps_commands && reply->type == REPLY_ERROR) {
        traffic->error_size =
            reply->text.size < sizeof traffic->error ? reply->text.size : sizeof traffic->error;
        memcpy(traffic->error, reply->text.data, traffic->error_size);
    }
}

/* For the oldest command that waits. */
static void on_reply(struct traffic *traffic, const struct reply *reply, bool too_big) {
    struct traffic_slot *slot = &traffic->slots[traffic->oldest & traffic->slot_mask];
    if (slot->trouble == STORE_TROUBLE_NONE) {
        keep_error(traffic, reply);
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
    const struct traffic_slot done = *slot; /* its place may be taken by what the handler sends */
    struct link_result result = {.reply = too_big ? NULL : reply, .trouble = done.trouble};
    if (traffic->keeps_commands) {
        result.command = command_of(traffic, &done);
    }
    if (traffic->keeps_commands && result.trouble != STORE_TROUBLE_NONE) {
        result.error = slice_of(traffic->error, traffic->error_size);
    }
    traffic->oldest++;
    traffic->heard_ms = done.given_ms;
    if (done.on_reply != NULL) {
        done.on_reply(done.context, &result);
    }
    drop_answered(traffic);
}

/* A whole reply is the sign of life; bytes alone may go on for ever inside a length that was a lie,
 * and pushes while what was asked is not answered. */
static void dispatch(struct traffic *traffic, const struct reply *reply, bool too_big) {
    if (reply->type != REPLY_PUSH) {
        traffic->silent_ticks = 0;
    }
    if (reply->type == REPLY_PUSH) {
        traffic->events->on_push(traffic->context, too_big ? NULL : reply);
    } else if (traffic_pending(traffic) == 0) {
        on_uncalled(traffic, reply);
    } else {
        on_reply(traffic, reply, too_big);
    }
}

void traffic_take(struct traffic *traffic, struct slice input) {
    reply_reader_feed(traffic->reader, input);
    while (traffic->speaks) { /* a handler may have ended the connection */
        const struct reply *reply;
        enum reply_progress progress = reply_reader_next(traffic->reader, &reply);
        if (progress == REPLY_NEED_MORE) {
            return;
        }
        if (progress == REPLY_BROKEN) {
            const char *stranger = traffic->is_up ? NULL : redis_stranger(input);
            lose(traffic, STORE_TROUBLE_PROTOCOL,
                 stranger != NULL ? stranger : reply_reader_error(traffic->reader));
            return;
        }
        dispatch(traffic, reply, progress == REPLY_TOO_BIG);
    }
}
