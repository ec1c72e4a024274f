/* lag.h: how long requests wait, and whether that is an overload.
 *
 * A request waits in its socket until the loop gets round to it: for what was left of the turn
 * that was under way as it came, and for all that is ahead of it in this one. So it has waited
 *
 *      for as long as the turn before took (where the poll slept behind it: not at all)
 *      + since the poll of this turn returned
 *
 * at most. That is its lag; no connection keeps a time for it. What its handler asks the store for
 * takes time too: all that are under way, the crowd, are ahead of it. So a request is late where
 * its lag is over LAG_MAX_NS, or where the crowd is over LAG_CROWD and over what was answered
 * within the last LAG_MAX_NS.
 *
 * The law: requests that are late one and all, for LAG_PATIENCE_NS, are an overload. From then on
 * half of either bound is enough, and a request that is late is to be refused where its work costs
 * more than a refusal. What is not late is served, also then: so mintd does as much as it can
 * beside the refusals. The overload ends LAG_QUIET_NS after the last late request.
 *
 * A refusal costs the loop nearly what a mint costs it. Clients that ask again at once, whatever
 * Retry-After says, would have it do little else. So where the loop is what is short (its lag is
 * over a quarter of the bound) no more are refused than half of what is answered; the others are
 * served, late as they are.
 *
 * One long turn is no overload, however long: a machine that was suspended, a page that had to be
 * read from a disk. Nor are many requests at one moment. Those are served.
 *
 * The times are passed in. */
#ifndef MINTD_HTTP_LAG_H
#define MINTD_HTTP_LAG_H

#include <stdbool.h>
#include <stdint.h>

#define LAG_MAX_NS UINT64_C(100000000)
#define LAG_PATIENCE_NS UINT64_C(200000000)
#define LAG_QUIET_NS UINT64_C(1000000000)
#define LAG_CROWD 1024u
#define LAG_SLEEP_NS UINT64_C(2000000) /* between a turn's end and the poll's return: it slept */
#define LAG_LOOKS 16u                  /* requests for one look at the clock */

/* All of it 0 to begin with. */
struct http_lag {
    uint64_t began_ns;  /* when the poll of this turn returned; 0: nothing was there yet */
    uint64_t ended_ns;  /* when the turn before ended */
    uint64_t before_ns; /* how long it took; 0: the poll slept behind it */

    unsigned crowd;      /* requests that their handlers have not answered yet */
    unsigned answered;   /* of such, since then: */
    uint64_t counted_ns; /* when a crowd_max was made of them last */
    uint64_t crowd_max;
    unsigned refused; /* since then, too */

    uint64_t late_since_ns; /* the first of the late requests in a row; 0: the last was none */
    uint64_t late_last_ns;
    bool is_overload;

    unsigned looks_left; /* requests until the clock is looked at again ... */
    bool is_late;        /* ... which go by these until then: late, in an overload */
    bool is_busy;        /* the loop is what is short */
    bool was_asked;      /* in this turn */
};

/* The poll has returned at that time, and something was there. Once a turn. */
void lag_begin_turn(struct http_lag *lag, uint64_t polled_ns);
void lag_end_turn(struct http_lag *lag, uint64_t now_ns);
/* Looks whether the request whose turn it is at that time is late in an overload: is_late. */
void lag_look(struct http_lag *lag, uint64_t now_ns);
/* Whether the caller may refuse the request. Then it does, and that is counted. */
bool lag_refuse(struct http_lag *lag);

/* A handler has returned without an answer; it has answered such a request. */
static inline void lag_enter_crowd(struct http_lag *lag) {
    lag->crowd++;
}
static inline void lag_leave_crowd(struct http_lag *lag) {
    lag->crowd--;
    lag->answered++;
}

#endif
