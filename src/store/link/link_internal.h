/* link_internal.h: the link's inside, for link.c (life), connect.c (attempts), say.c (what the log
 * says) and heart.c (is the server there still, and the master still). They own the parts below
 * them, which know nothing of a link: what these report is made a state here, and ends the
 * connection in link_fail(). */
#ifndef MINTD_REDIS_LINK_INTERNAL_H
#define MINTD_REDIS_LINK_INTERNAL_H

#include "store/link/greeting.h"
#include "store/link/link.h"
#include "store/link/role.h"
#include "store/link/stream.h"
#include "store/link/traffic.h"
#include <uv.h>

struct redis_link {
    struct traffic traffic;
    struct redis_stream stream;
    struct role role;
    struct greeting greeting;

    enum link_state state;
    struct link_events events;
    void *context;
    struct redis_url url;
    enum link_peer peer;
    bool is_second;
    char address[REDIS_NAME_MAX + 8]; /* for the log */
    uv_loop_t *loop;
    uv_timer_t timer;    /* DOWN: back-off; RESOLVING to GREETING: the attempt's deadline */
    uv_timer_t heart;    /* UP: counts silence, asks for the role */
    unsigned open_parts; /* of the two timers and the traffic */
    void (*on_closed)(void *);
    void *on_closed_context;

    /* attempts */
    bool seeks; /* RESOLVING: the owner is to say where the attempt leads */
    /* which of a name's addresses is next; moves on when one does not greet */
    unsigned address_turn;
    unsigned backoff_ms;
    bool hurries; /* DOWN, while its socket closes: the next attempt is not to wait */

    uint64_t beat_ms;        /* loop time: of the last one */
    uint64_t lost_ms, up_ms; /* loop time */
    bool has_been_up;
    enum store_trouble trouble;
    char reason[STREAM_REASON_MAX]; /* why it is DOWN, as logged last */
};

/* link.c */
/* The one writer of the state. An illegal edge ends the process at the edge, also where assertions
 * are compiled out. */
void link_set_state(struct redis_link *link, enum link_state state, const char *reason);
/* The stream is idle again: its socket is closed, or the resolver has come to its end. */
void link_take_idle(struct redis_link *link, bool had_socket);

/* say.c */
/* Ahead of DOWN: once when it is lost, once whenever the reason changes, which is kept; not for
 * each attempt. */
void link_say_failure(struct redis_link *link, enum store_trouble trouble, const char *reason);
void link_say_up(const struct redis_link *link);

/* connect.c */
extern const struct stream_events link_stream_events;
/* DOWN, without a socket: leads to GREETING or to link_fail(). */
void link_begin_attempt(struct redis_link *link);
/* DOWN, without a socket: the next attempt, after the back-off. */
void link_retry_later(struct redis_link *link);

/* heart.c */
/* UP: from now on a silent server, or one that is no master any more, is left. */
void heart_start(struct redis_link *link);

#endif
