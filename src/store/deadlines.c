#include "store/deadlines.h"

#include "mintd/clock.h"

#define NS_PER_MS 1000000u
#define NOT_ARMED UINT64_MAX

static void on_timer(uv_timer_t *timer);

static void arm(struct deadlines *deadlines, uint64_t now_ns) {
    uint64_t deadline_ns = deadlines->first->deadline_ns;
    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    /* Rounded up; the loop's own clock may lag behind, then it fires too early and is armed again.
     */
    uv_timer_start(&deadlines->timer, on_timer, (wait_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
    deadlines->armed_ns = deadline_ns;
}

static void on_timer(uv_timer_t *timer) {
    struct deadlines *deadlines = timer->data;
    uint64_t now_ns = clock_monotonic_ns();
    deadlines->armed_ns = NOT_ARMED;
    while (deadlines->first != NULL && deadlines->first->deadline_ns <= now_ns) {
        struct store_operation *operation = deadlines->first;
        deadlines_remove(deadlines, operation);
        deadlines->on_expired(deadlines->context, operation);
    }
    if (deadlines->first != NULL && !uv_is_closing((uv_handle_t *)timer)) {
        arm(deadlines, now_ns);
    }
}

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop, unsigned timeout_ms) {
    uv_timer_init(loop, &deadlines->timer); /* cannot fail */
    deadlines->timer.data = deadlines;
    deadlines->armed_ns = NOT_ARMED;
    deadlines->timeout_ns = (uint64_t)timeout_ms * NS_PER_MS;
}

/* Behind all that end no later: mostly at the end of the line, since most wait equally long. */
static void insert(struct deadlines *deadlines, struct store_operation *operation) {
    struct store_operation *before = deadlines->last;
    while (before != NULL && before->deadline_ns > operation->deadline_ns) {
        before = before->previous;
    }
    operation->previous = before;
    operation->next = before == NULL ? deadlines->first : before->next;
    *(before == NULL ? &deadlines->first : &before->next) = operation;
    *(operation->next == NULL ? &deadlines->last : &operation->next->previous) = operation;
    deadlines->count++;
}

void deadlines_add(struct deadlines *deadlines, struct store_operation *operation) {
    operation->started_ns = clock_monotonic_ns();
    if (operation->deadline_ns == 0) {
        operation->deadline_ns = operation->started_ns + deadlines->timeout_ns;
    }
    insert(deadlines, operation);
    if (operation->deadline_ns < deadlines->armed_ns) {
        arm(deadlines, operation->started_ns);
    }
}

void deadlines_remove(struct deadlines *deadlines, struct store_operation *operation) {
    if (operation->previous != NULL) {
        operation->previous->next = operation->next;
    } else {
        deadlines->first = operation->next;
    }
    if (operation->next != NULL) {
        operation->next->previous = operation->previous;
    } else {
        deadlines->last = operation->previous;
    }
    operation->next = operation->previous = NULL;
    deadlines->count--;
}
