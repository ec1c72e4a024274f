/* heartbeat.c: happy path: heartbeat_tick() starts a flow: write the record (SETEX), list the name
 * (SADD). Soon after the start it looks first whose record is there: a name that two instances bear
 * at once would be noticed by nobody else.
 *
 * Failure: a record that could not be written is written again after a second; a name that may not
 * be listed is tried again after a minute, since Redis' user may be given the right. */
#include "mintd/heartbeat.h"
#include "api/api_internal.h"
#include "api/heartbeat_record.h"
#include "mintd/heartbeat_view.h"
#include "mintd/log.h"

#define SECOND_NS 1000000000ull
#define RETRY_NS SECOND_NS
#define LIST_RETRY_NS (60 * SECOND_NS)
/* The looks for a stranger are ahead of these beats; as many must find one, so that another that is
 * about to end is not told of. */
#define LOOK_FROM 1u
#define LOOKS 2u

/* ---- rates ---- */

static void set_rate(struct counter *rate, uint64_t before, uint64_t now, uint64_t span_ns) {
    uint64_t span_us = span_ns / 1000;
    counter_set(rate, ((now - before) * 10 * 1000000 + span_us / 2) / span_us);
}

static void measure(struct heartbeat *h) {
    struct api_rates *rates = &h->options.process->rates;
    struct heartbeat_totals now = heartbeat_count(h->options.process);
    uint64_t span_ns = h->now_ns - h->counted_ns;
    if (span_ns < SECOND_NS / 2) {
        return; /* too short to tell: the last ones stand */
    }
    set_rate(&rates->minted, h->totals.minted, now.minted, span_ns);
    set_rate(&rates->validated, h->totals.validated, now.validated, span_ns);
    set_rate(&rates->refused, h->totals.refused, now.refused, span_ns);
    set_rate(&rates->answered, h->totals.answered, now.answered, span_ns);
    h->totals = now;
    h->counted_ns = h->now_ns;
}

/* Whether the record that was read is of another process. */
static bool is_strangers(const struct heartbeat *h) {
    const struct store_operation *seen = &h->operation;
    return seen->answer == STORE_FOUND && memmem(seen->value.data, seen->value.size,
                                                 h->options.process->run, API_RUN_SIZE) == NULL;
}

/* ---- the end ---- */

static struct heartbeat *heartbeat_of(struct flow *flow) {
    return container_of(flow, struct heartbeat, flow);
}

static void on_ended(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    h->is_open = false;
    if (h->life == HEARTBEAT_IS_LEAVING) {
        heartbeat_leave(h);
    }
}

static void start(struct heartbeat *h, enum progress (*step)(struct flow *flow)) {
    h->is_open = true;
    h->operation.deadline_ns = 0;
    h->flow.on_done = on_ended;
    h->flow.step = step;
    if (flow_start(&h->flow) == PROGRESS_DONE) {
        on_ended(&h->flow);
    }
}

static enum progress end(struct flow *flow) {
    flow->step = NULL;
    return PROGRESS_DONE;
}

static enum progress end_life(struct flow *flow) {
    heartbeat_of(flow)->life = HEARTBEAT_HAS_LEFT;
    return end(flow);
}

static enum progress take_name_away(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    flow->step = end_life;
    return store_remove_member(h->options.store, S(HEARTBEAT_NAMES),
                               slice_of_string(h->options.process->name), &h->operation);
}

static enum progress take_key_away(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    char storage[HEARTBEAT_KEY_MAX];
    flow->step = take_name_away;
    return store_delete(h->options.store, heartbeat_key(h->options.process, storage),
                        &h->operation);
}

/* Another that has taken over the name is not taken away with it. */
static enum progress take_last_look(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    flow->step = is_strangers(h) ? end_life : take_key_away;
    return PROGRESS_DONE;
}

static enum progress look_before_leaving(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    char storage[HEARTBEAT_KEY_MAX];
    flow->step = take_last_look;
    return store_get(h->options.store, heartbeat_key(h->options.process, storage), &h->operation);
}

void heartbeat_leave(struct heartbeat *h) {
    if (h->life == HEARTBEAT_HAS_LEFT) {
        return;
    }
    h->life = HEARTBEAT_IS_LEAVING;
    if (h->written == 0) {
        h->life = HEARTBEAT_HAS_LEFT;
    } else if (!h->is_open) {
        start(h, look_before_leaving);
    }
}

bool heartbeat_has_left(const struct heartbeat *h) {
    return h->life == HEARTBEAT_HAS_LEFT;
}

/* ---- a beat ---- */

static void on_answer(struct store_operation *operation) {
    flow_resume(&container_of(operation, struct heartbeat, operation)->flow);
}

static enum progress take_listing(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    if (h->operation.answer == STORE_UNKNOWN && h->operation.trouble == STORE_TROUBLE_NOPERM) {
        h->list_due_ns = h->now_ns + LIST_RETRY_NS;
        if (!h->list_refusal_told) {
            log_warning("mintctl status does not see this instance: give the user of --redis the "
                        "right to SADD and SREM");
        }
        h->list_refusal_told = true;
    }
    return end(flow);
}

static enum progress take_writing(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    readiness_note_write(h->options.process, h->options.store, &h->operation);
    if (h->operation.answer == STORE_UNKNOWN) {
        h->due_ns = h->now_ns + RETRY_NS;
        return end(flow);
    }
    h->written++;
    if (h->now_ns < h->list_due_ns) {
        return end(flow);
    }
    flow->step = take_listing;
    return store_add_member(h->options.store, S(HEARTBEAT_NAMES),
                            slice_of_string(h->options.process->name), &h->operation);
}

static enum progress write_record(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    char key_storage[HEARTBEAT_KEY_MAX], storage[HEARTBEAT_TEXT_MAX];
    struct buffer json = buffer_of(storage, sizeof storage);
    heartbeat_write(h->options.process, h->options.wall_ms(), &json);
    flow->step = take_writing;
    return store_set(h->options.store, heartbeat_key(h->options.process, key_storage),
                     buffer_slice(&json), HEARTBEAT_TTL_S, &h->operation);
}

static enum progress take_look(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    bool is_another = is_strangers(h);
    h->strangers += is_another ? 1 : 0;
    if (is_another && h->strangers == LOOKS) {
        log_warning("another instance has the same name: give each its own --name, since mintctl "
                    "status sees one of them only",
                    LOG_STRING("name", h->options.process->name));
    }
    flow->step = write_record;
    return PROGRESS_DONE;
}

static enum progress look(struct flow *flow) {
    struct heartbeat *h = heartbeat_of(flow);
    char storage[HEARTBEAT_KEY_MAX];
    if (h->written < LOOK_FROM || h->written >= LOOK_FROM + LOOKS) {
        flow->step = write_record;
        return PROGRESS_DONE;
    }
    flow->step = take_look;
    return store_get(h->options.store, heartbeat_key(h->options.process, storage), &h->operation);
}

void heartbeat_init(struct heartbeat *h, const struct heartbeat_options *options) {
    *h = (struct heartbeat){
        .options = *options,
        .operation.on_done = on_answer,
        .counted_ns = options->process->started_ns,
    };
}

void heartbeat_tick(struct heartbeat *h, uint64_t now_ns) {
    if (h->is_open || h->life != HEARTBEAT_BEATS || now_ns < h->due_ns ||
        store_trouble_now(h->options.store) != STORE_TROUBLE_NONE) {
        return;
    }
    h->now_ns = now_ns;
    h->due_ns = now_ns + HEARTBEAT_EVERY_S * SECOND_NS;
    measure(h);
    start(h, look);
}
