/* clock.h: Redis' clock, which all instances share, asked for when a link is greeted and once
 * a minute (TIME): the process goes by it (clock_shared_ms()), and more than 2 s between it and
 * this machine's clock is told, once for each change. Where the user may not ask, nothing is said,
 * and the process goes by its own clock. After any other error it goes on by what was known. */
#ifndef MINTD_STORE_REDIS_CLOCK_H
#define MINTD_STORE_REDIS_CLOCK_H

#include "store/link/link.h"
#include <uv.h>

struct redis_clock {
    struct redis_link *link;
    bool is_asked;    /* false: nothing is done at all */
    uint64_t sent_ns; /* of the last question */
    int64_t told_ms;  /* the skew that was told last; 0: none */
    uv_timer_t timer;
};

/* Cannot fail; timer.data is the caller's from redis_clock_close() on. */
void redis_clock_init(struct redis_clock *clock, uv_loop_t *loop, struct redis_link *link,
                      bool is_asked);
/* A greeted link. */
void redis_clock_start(struct redis_clock *clock);
/* The link is lost. */
void redis_clock_stop(struct redis_clock *clock);
void redis_clock_close(struct redis_clock *clock, void *data, uv_close_cb on_closed);

#endif
