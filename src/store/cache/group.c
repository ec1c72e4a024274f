#include "store/cache/member.h"

#include <pthread.h>
#include <stdlib.h>

/* What lies in a member's inbox: a notice that it has to act on. */
struct envelope {
    struct envelope *next;
    struct cache_notice *notice;
};

struct cache_notice {
    struct cache_notice *next; /* in the teller's `told` */
    struct cache_group *group;
    struct cache_member *teller; /* NULL: nobody waits any more */
    void *told;                  /* NULL: the same */
    bool is_sent;
    unsigned missing; /* members that have not forgotten the key yet */
    size_t key_size;
    char *key;
    struct envelope envelopes[]; /* one a member of the group */
};

struct cache_member {
    struct cache_group *group;
    const struct cache_member_events *events;
    void *context;
    bool present;
    struct envelope *inbox;
    struct cache_notice *told; /* by this member, and all have forgotten */
};

struct cache_group {
    pthread_mutex_t lock; /* over all below */
    unsigned present;
    unsigned joined, members_max;
    struct cache_member members[];
};

struct cache_group *cache_group_new(unsigned members_max) {
    struct cache_group *group = calloc(1, sizeof *group + members_max * sizeof *group->members);
    if (group == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&group->lock, NULL) != 0) {
        free(group);
        return NULL;
    }
    group->members_max = members_max;
    return group;
}

void cache_group_free(struct cache_group *group) {
    if (group != NULL) {
        pthread_mutex_destroy(&group->lock);
        free(group);
    }
}

/* ---- with the lock ---- */

static void notice_end(struct cache_notice *notice) {
    struct cache_member *teller = notice->teller;
    if (teller == NULL) {
        free(notice);
        return;
    }
    notice->next = teller->told;
    teller->told = notice;
    teller->events->wake(teller->context);
}

static void notice_forgotten_by_one(struct cache_notice *notice) {
    if (--notice->missing == 0) {
        notice_end(notice);
    }
}

/* ---- without ---- */

static struct cache_notice *take_told(struct cache_member *member) {
    pthread_mutex_lock(&member->group->lock);
    struct cache_notice *notice = member->told;
    if (notice != NULL) {
        member->told = notice->next;
    }
    pthread_mutex_unlock(&member->group->lock);
    return notice;
}

struct cache_member *cache_member_join(struct cache_group *group,
                                       const struct cache_member_events *events, void *context) {
    struct cache_member *member = NULL;
    pthread_mutex_lock(&group->lock);
    if (group->joined < group->members_max) {
        member = &group->members[group->joined++];
        *member = (struct cache_member){
            .group = group, .events = events, .context = context, .present = true};
        group->present++;
    }
    pthread_mutex_unlock(&group->lock);
    return member;
}

void cache_member_leave(struct cache_member *member) {
    struct cache_group *group = member->group;
    pthread_mutex_lock(&group->lock);
    member->present = false;
    group->present--;
    while (member->inbox != NULL) {
        struct envelope *envelope = member->inbox;
        member->inbox = envelope->next;
        notice_forgotten_by_one(envelope->notice);
    }
    pthread_mutex_unlock(&group->lock);
    struct cache_notice *notice;
    while ((notice = take_told(member)) != NULL) { /* dropped, all of them */
        free(notice);
    }
}

struct cache_notice *cache_notice_new(struct cache_member *member, struct slice key, void *told) {
    unsigned envelopes = member->group->members_max;
    size_t head = sizeof(struct cache_notice) + envelopes * sizeof(struct envelope);
    struct cache_notice *notice = malloc(head + key.size);
    if (notice == NULL) {
        return NULL;
    }
    *notice = (struct cache_notice){
        .group = member->group, .teller = member, .told = told, .key_size = key.size};
    notice->key = (char *)notice + head;
    memcpy(notice->key, key.data, key.size);
    return notice;
}

void cache_notice_send(struct cache_notice *notice) {
    struct cache_group *group = notice->group;
    pthread_mutex_lock(&group->lock);
    notice->is_sent = true;
    notice->missing = 1; /* until all are told */
    for (unsigned i = 0; i < group->joined; i++) {
        struct cache_member *other = &group->members[i];
        if (other == notice->teller || !other->present) {
            continue;
        }
        struct envelope *envelope = &notice->envelopes[i];
        *envelope = (struct envelope){other->inbox, notice};
        other->inbox = envelope;
        notice->missing++;
        other->events->wake(other->context);
    }
    notice_forgotten_by_one(notice);
    pthread_mutex_unlock(&group->lock);
}

struct slice cache_notice_key(const struct cache_notice *notice) {
    return slice_of(notice->key, notice->key_size);
}

void cache_notice_drop(struct cache_notice *notice) {
    struct cache_group *group = notice->group;
    if (!notice->is_sent) {
        free(notice);
        return;
    }
    pthread_mutex_lock(&group->lock);
    if (notice->missing != 0) {
        notice->teller = NULL; /* whoever is the last frees it */
    } else {
        notice->told = NULL; /* it lies there for the drain, which frees it */
    }
    pthread_mutex_unlock(&group->lock);
}

static void act_on_inbox(struct cache_member *member) {
    struct cache_group *group = member->group;
    pthread_mutex_lock(&group->lock);
    while (member->inbox != NULL) {
        struct envelope *envelope = member->inbox;
        struct cache_notice *notice = envelope->notice;
        member->inbox = envelope->next;
        pthread_mutex_unlock(&group->lock);
        /* It cannot go: it misses this member still. */
        member->events->on_notice(member->context, slice_of(notice->key, notice->key_size));
        pthread_mutex_lock(&group->lock);
        notice_forgotten_by_one(notice);
    }
    pthread_mutex_unlock(&group->lock);
}

void cache_member_drain(struct cache_member *member) {
    act_on_inbox(member);
    struct cache_notice *notice;
    while ((notice = take_told(member)) != NULL) {
        void *told = notice->told;
        free(notice);
        if (told != NULL) {
            member->events->on_told(member->context, told);
        }
    }
}
