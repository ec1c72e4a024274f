/* supervision.h: looks after the workers of an instance, and tells the service manager (notify.h):
 * READY=1 at the start, a status in words when it changes, WATCHDOG=1 as long as the loop of every
 * worker turns. All of it on the main thread; without a service manager it does nothing. */
#ifndef MINTD_INSTANCE_SUPERVISION_H
#define MINTD_INSTANCE_SUPERVISION_H

#include "instance/notify.h"
#include <uv.h>

#define SUPERVISION_LOOK_MS 1000u
/* A loop ticks ten times a second. One that has not for this long, or for half of the watchdog's
 * time where that is longer, hangs. */
#define SUPERVISION_HANG_MS 1000u

struct worker;

struct supervision {
    struct notify notify;
    uv_timer_t timer;
    const struct worker *workers;
    unsigned count;
    bool in_memory; /* the store: there is no Redis to tell of */
    uint64_t look_ms;
    unsigned looks_a_sign, looks; /* a sign of life is due each so many looks */
    bool sign_due, is_ready, is_stopping, told_hang;
};

/* Ahead of all threads: takes what the environment says. */
void supervision_init(struct supervision *supervision);
/* False: the loop refuses. The workers outlive it. */
bool supervision_open(struct supervision *supervision, uv_loop_t *loop,
                      const struct worker *workers, unsigned count, bool in_memory);
/* All listeners are open, and all workers run. */
void supervision_ready(struct supervision *supervision);
/* Around a reload, which takes no turn of the loop. */
void supervision_reload_begins(struct supervision *supervision);
void supervision_reload_ends(struct supervision *supervision);
void supervision_stopping(struct supervision *supervision);
void supervision_close(struct supervision *supervision); /* before the loop ends */
void supervision_fini(struct supervision *supervision);

#endif
