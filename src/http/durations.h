/* durations.h: how long requests take, for next to nothing: the clock is read once for many.
 *
 * durations_now() is the time of the turn: read when it is first asked for, and kept. What was
 * answered is noted, and recorded by one more look at the clock: when DURATIONS_NOTED of them have
 * come together, and at the end of the turn. So a duration is never too short; it is too long by
 * the time of DURATIONS_NOTED answers or of a turn, whichever is less. */
#ifndef MINTD_HTTP_DURATIONS_H
#define MINTD_HTTP_DURATIONS_H

#include "mintd/counter.h"

#define DURATIONS_NOTED 16u

struct durations {
    uint64_t now_ns; /* 0: not asked for in this turn */
    unsigned noted;
    struct {
        uint64_t started_ns;
        struct histogram *histogram;
    } notes[DURATIONS_NOTED];
};

uint64_t durations_look(struct durations *d);
/* Records what was noted, and goes on from now. */
void durations_settle(struct durations *d);

static inline uint64_t durations_now(struct durations *d) {
    return d->now_ns != 0 ? d->now_ns : durations_look(d);
}

/* A request that started then has been answered. */
static inline void durations_note(struct durations *d, uint64_t started_ns,
                                  struct histogram *histogram) {
    d->notes[d->noted].started_ns = started_ns;
    d->notes[d->noted].histogram = histogram;
    if (++d->noted == DURATIONS_NOTED) {
        durations_settle(d);
    }
}

/* Returns the time. */
static inline uint64_t durations_end_turn(struct durations *d) {
    if (d->noted != 0) {
        durations_settle(d);
    } else {
        durations_look(d);
    }
    uint64_t now_ns = d->now_ns;
    d->now_ns = 0;
    return now_ns;
}

#endif
