/* password_queue.h: the jobs that wait for a thread of the pool, in two bounded lanes. Not locked.
 *
 * Within a lane the job of the lower rank goes first, and of equal ranks the one that came first. A
 * full lane gives up its last job for one of a lower rank. */
#ifndef MINTD_PASSWORD_QUEUE_H
#define MINTD_PASSWORD_QUEUE_H

#include "mintd/password.h"

struct password_lane_queue {
    struct password_job *first;
    unsigned count, places;
};

struct password_queue {
    struct password_lane_queue lanes[PASSWORD_LANES];
    unsigned ahead_in_a_row; /* taken since the lane behind had its turn */
};

/* `places` ahead, half as many behind, but one at least. */
void password_queue_init(struct password_queue *queue, unsigned places);
unsigned password_queue_count(const struct password_queue *queue);
/* By job->lane and job->rank. False where there is no room; else *pushed_out is the job that had to
 * leave for it, or NULL. */
bool password_queue_add(struct password_queue *queue, struct password_job *job,
                        struct password_job **pushed_out);
/* The next job; NULL: none. Without may_take_behind only of the lane ahead; with it, of four jobs
 * that are taken while both lanes wait one is of the lane behind. */
struct password_job *password_queue_take(struct password_queue *queue, bool may_take_behind);
/* Takes out what has its deadline at now_ns or before (UINT64_MAX: everything) and belongs to the
 * inbox (NULL: any). A list by `next`. */
struct password_job *password_queue_take_late(struct password_queue *queue,
                                              const struct password_inbox *inbox, uint64_t now_ns);

#endif
