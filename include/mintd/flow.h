/* flow.h: work in steps, any of which may have to wait.
 *
 * There is one function for each step, and one loop that runs them. The law "now or later, never
 * both" lives here. An operation embeds a struct flow, sets `step` to its first step and calls
 * flow_start(), which returns
 *
 *  PROGRESS_DONE     all steps ran; the result is in the operation; on_done is not called
 *  PROGRESS_PENDING  on_done is called exactly once, on a later turn of the loop
 *
 * A step ends in one of two ways. It sets the next step (NULL after the last) and returns
 * PROGRESS_DONE. Or it has started something whose callback calls flow_resume(), and returns
 * PROGRESS_PENDING. */
#ifndef MINTD_FLOW_H
#define MINTD_FLOW_H

#include <stddef.h>

enum progress { PROGRESS_DONE, PROGRESS_PENDING };

struct flow {
    enum progress (*step)(struct flow *flow);
    void (*on_done)(struct flow *flow); /* set by the caller who starts the operation */
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline enum progress flow_start(struct flow *flow) {
    while (flow->step != NULL) {
        if (flow->step(flow) == PROGRESS_PENDING) {
            return PROGRESS_PENDING;
        }
    }
    return PROGRESS_DONE;
}

/* Call it from the callback of what a step waited for. */
static inline void flow_resume(struct flow *flow) {
    if (flow_start(flow) == PROGRESS_DONE) {
        flow->on_done(flow);
    }
}

#endif
