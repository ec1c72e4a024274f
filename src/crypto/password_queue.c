#include "password_queue.h"

#define AHEAD_IN_A_ROW 3u

void password_queue_init(struct password_queue *queue, unsigned places) {
    *queue = (struct password_queue){0};
    queue->lanes[PASSWORD_AHEAD].places = places;
    queue->lanes[PASSWORD_BEHIND].places = (places + 1) / 2;
}

unsigned password_queue_count(const struct password_queue *queue) {
    return queue->lanes[PASSWORD_AHEAD].count + queue->lanes[PASSWORD_BEHIND].count;
}

static void put_in_order(struct password_lane_queue *lane, struct password_job *job) {
    struct password_job **place = &lane->first;
    while (*place != NULL && (*place)->rank <= job->rank) {
        place = &(*place)->next;
    }
    job->next = *place;
    *place = job;
    lane->count++;
}

/* Takes the last job out where its rank is higher. */
static struct password_job *push_out(struct password_lane_queue *lane, unsigned rank) {
    struct password_job **place = &lane->first;
    while ((*place)->next != NULL) {
        place = &(*place)->next;
    }
    struct password_job *last = *place;
    if (last->rank <= rank) {
        return NULL;
    }
    *place = NULL;
    lane->count--;
    return last;
}

bool password_queue_add(struct password_queue *queue, struct password_job *job,
                        struct password_job **pushed_out) {
    struct password_lane_queue *lane = &queue->lanes[job->lane];
    *pushed_out = NULL;
    if (lane->count == lane->places) {
        *pushed_out = push_out(lane, job->rank);
        if (*pushed_out == NULL) {
            return false;
        }
    }
    put_in_order(lane, job);
    return true;
}

static struct password_job *take_first(struct password_lane_queue *lane) {
    struct password_job *job = lane->first;
    lane->first = job->next;
    lane->count--;
    return job;
}

struct password_job *password_queue_take(struct password_queue *queue, bool may_take_behind) {
    struct password_lane_queue *ahead = &queue->lanes[PASSWORD_AHEAD];
    struct password_lane_queue *behind = &queue->lanes[PASSWORD_BEHIND];
    bool can_take_behind = may_take_behind && behind->count != 0;
    if (can_take_behind && (ahead->count == 0 || queue->ahead_in_a_row >= AHEAD_IN_A_ROW)) {
        queue->ahead_in_a_row = 0;
        return take_first(behind);
    }
    if (ahead->count == 0) {
        return NULL;
    }
    queue->ahead_in_a_row = behind->count == 0 ? 0 : queue->ahead_in_a_row + 1;
    return take_first(ahead);
}

struct password_job *password_queue_take_late(struct password_queue *queue,
                                              const struct password_inbox *inbox, uint64_t now_ns) {
    struct password_job *taken = NULL, **end = &taken;
    for (unsigned i = 0; i < PASSWORD_LANES; i++) {
        struct password_lane_queue *lane = &queue->lanes[i];
        struct password_job **place = &lane->first;
        while (*place != NULL) {
            struct password_job *job = *place;
            if (job->deadline_ns > now_ns || (inbox != NULL && job->inbox != inbox)) {
                place = &job->next;
                continue;
            }
            *place = job->next;
            lane->count--;
            job->next = NULL;
            *end = job;
            end = &job->next;
        }
    }
    return taken;
}
