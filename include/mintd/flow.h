/* flow.h: work in steps, any of which may have to wait.
 *
 * One function a step, one loop that runs them. The law "now or later, never both" lives here: an
 * operation embeds a struct flow, sets `step` to its first step and calls flow_start(), which gives
 *
 *   PROGRESS_DONE     all steps ran; the result is in the operation; on_done is not called
 *   PROGRESS_PENDING  on_done is called exactly once, on a later turn of the loop
 *
 * A step ends by setting the next step (NULL after the last) and returning PROGRESS_DONE, or by
 * returning PROGRESS_PENDING once it has started something whose callback calls flow_resume(). */
#ifndef MINTD_FLOW_H
#define MINTD_FLOW_H

#include <stddef.h>

enum progress { PROGRESS_DONE, PROGRESS_PENDING };

struct flow {
    enum progress (*step)(struct flow *flow);
    void (*on_done)(struct flow *flow); /* set by whoever starts the operation */
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

/* From the callback of what a step waited for. */
static inline void flow_resume(struct flow *flow) {
    if (flow_start(flow) == PROGRESS_DONE) {
        flow->on_done(flow);
    }
}

#endif
