#include "instance/supervision.h"
#include "instance/worker.h"
#include "mintd/clock.h"
#include "mintd/log.h"
#include <stdio.h>

void supervision_init(struct supervision *supervision) {
    notify_open(&supervision->notify);
}

void supervision_fini(struct supervision *supervision) {
    notify_close(&supervision->notify);
}

/* ---- what is seen of the workers ---- */

/* 0: it ticks, or has ended as it was told to. */
static uint64_t silence_ms(const struct worker *worker) {
    uint64_t ticked_ns = atomic_load(&worker->ticked_ns), now_ns = clock_monotonic_ns();
    bool is_over = atomic_load(&worker->is_over) || ticked_ns == 0 || ticked_ns > now_ns;
    return is_over ? 0 : (now_ns - ticked_ns) / 1000000;
}

static bool all_tick(struct supervision *s) {
    uint64_t half_ms = s->notify.watchdog_ms / 2, silent_ms = 0;
    uint64_t most_ms = half_ms > SUPERVISION_HANG_MS ? half_ms : SUPERVISION_HANG_MS;
    unsigned index = 0;
    for (unsigned i = 0; i < s->count && silent_ms <= most_ms; i++) {
        silent_ms = silence_ms(&s->workers[i]);
        index = i;
    }
    bool ok = silent_ms <= most_ms;
    if (!ok && !s->told_hang) {
        log_error("the loop of a worker hangs: the watchdog gets no sign of life",
                  LOG_NUMBER("worker", index), LOG_NUMBER("silent_ms", silent_ms));
    } else if (ok && s->told_hang) {
        log_info("the loops of all workers turn again");
    }
    s->told_hang = !ok;
    return ok;
}

static unsigned workers_with_store(const struct supervision *s, enum store_trouble *trouble) {
    unsigned up = 0;
    *trouble = STORE_TROUBLE_NONE;
    for (unsigned i = 0; i < s->count; i++) {
        enum store_trouble seen = (enum store_trouble)atomic_load(&s->workers[i].trouble);
        bool has_ticked = atomic_load(&s->workers[i].ticked_ns) != 0;
        up += has_ticked && seen == STORE_TROUBLE_NONE;
        *trouble = has_ticked && seen != STORE_TROUBLE_NONE ? seen : *trouble;
    }
    return up;
}

static void describe(const struct supervision *s, char status[NOTIFY_STATUS_MAX]) {
    enum store_trouble trouble;
    unsigned up = workers_with_store(s, &trouble);
    if (s->is_stopping) {
        snprintf(status, NOTIFY_STATUS_MAX, "Draining");
    } else if (s->told_hang) {
        snprintf(status, NOTIFY_STATUS_MAX, "The loop of a worker hangs");
    } else if (s->in_memory) {
        snprintf(status, NOTIFY_STATUS_MAX, "Serving; the store is memory");
    } else if (up == s->count) {
        snprintf(status, NOTIFY_STATUS_MAX, "Serving; Redis is up");
    } else {
        snprintf(status, NOTIFY_STATUS_MAX, "Serving; %u of %u workers have a link to Redis%s%s%s",
                 up, s->count, trouble == STORE_TROUBLE_NONE ? "" : " (",
                 trouble == STORE_TROUBLE_NONE ? "" : store_trouble_name(trouble),
                 trouble == STORE_TROUBLE_NONE ? "" : ")");
    }
}

/* ---- what is told ---- */

static void on_look(uv_timer_t *timer) {
    struct supervision *s = timer->data;
    char status[NOTIFY_STATUS_MAX];
    bool ok = all_tick(s);
    s->looks++;
    s->sign_due = s->sign_due || (s->looks_a_sign != 0 && s->looks % s->looks_a_sign == 0);
    if (ok && s->sign_due) {
        s->sign_due = !notify_alive(&s->notify);
    }
    describe(s, status);
    notify_status(&s->notify, status);
}

/* Signs of life go out at half of the watchdog's time; one that was due and could not be given is
 * given at the first look that finds all well. */
static void plan_looks(struct supervision *s) {
    uint64_t half_ms = s->notify.watchdog_ms / 2;
    s->looks_a_sign =
        (unsigned)((half_ms + SUPERVISION_LOOK_MS - 1) / SUPERVISION_LOOK_MS); /* 0: no watchdog */
    s->look_ms = s->looks_a_sign == 0 ? SUPERVISION_LOOK_MS : half_ms / s->looks_a_sign;
}

bool supervision_open(struct supervision *s, uv_loop_t *loop, const struct worker *workers,
                      unsigned count, bool in_memory) {
    s->workers = workers;
    s->count = count;
    s->in_memory = in_memory;
    s->timer.data = s;
    plan_looks(s);
    return uv_timer_init(loop, &s->timer) == 0;
}

void supervision_ready(struct supervision *s) {
    char status[NOTIFY_STATUS_MAX];
    s->is_ready = true;
    if (notify_is_on(&s->notify)) {
        describe(s, status);
        notify_ready(&s->notify, status);
        uv_timer_start(&s->timer, on_look, s->look_ms, s->look_ms);
    }
}

void supervision_reload_begins(struct supervision *s) {
    if (s->is_ready && !s->is_stopping) {
        notify_reloading(&s->notify, "Reloading");
    }
}

void supervision_reload_ends(struct supervision *s) {
    char status[NOTIFY_STATUS_MAX];
    if (s->is_ready && !s->is_stopping) {
        describe(s, status);
        notify_ready(&s->notify, status);
    }
}

void supervision_stopping(struct supervision *s) {
    s->is_stopping = true;
    notify_stopping(&s->notify, "Draining");
}

void supervision_close(struct supervision *s) {
    uv_close((uv_handle_t *)&s->timer, NULL);
}
