/* deadlines.h: operations that wait, in the order of their deadlines, and the one timer for the
 * oldest.
 *
 * Most wait equally long, so the order of deadlines is nearly the order of starts. The timer is
 * armed for the first to end and looks for the next when it fires: an operation that is answered in
 * time does not touch it. */
#ifndef MINTD_STORE_DEADLINES_H
#define MINTD_STORE_DEADLINES_H

#include "mintd/store.h"
#include <uv.h>

struct deadlines {
    struct store_operation *first, *last;
    unsigned count;
    uint64_t armed_ns; /* when the timer fires: at the first to end, or before it */
    uint64_t timeout_ns;
    uv_timer_t timer;
    void (*on_expired)(void *context, struct store_operation *operation); /* taken out already */
    void *context;
};

/* The timer is the owner's to close. */
void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop, unsigned timeout_ms);
/* Starts to wait, until its deadline_ns, or for the usual time where that is 0. */
void deadlines_add(struct deadlines *deadlines, struct store_operation *operation);
/* It was answered. */
void deadlines_remove(struct deadlines *deadlines, struct store_operation *operation);

#endif
