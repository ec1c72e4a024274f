/* member.h: one worker's place in the group of memories (mintd/cache_group.h).
 *
 * Happy path: cache_notice_send() puts a notice into each other member's inbox and wakes it; each
 * forgets the key and says so; when the last one has, the teller is woken and its on_told is
 * called.
 *
 * Failure modes: a member that leaves counts as having forgotten (it answers nobody any more); a
 * teller that does not want to wait any longer drops its notice. A member whose loop stands still
 * is waited for: the operation's deadline bounds that. One lock for the group; revocations alone
 * take it. */
#ifndef MINTD_STORE_CACHE_MEMBER_H
#define MINTD_STORE_CACHE_MEMBER_H

#include "mintd/cache_group.h"
#include "mintd/slice.h"

struct cache_member;
struct cache_notice;

struct cache_member_events {
    /* On any thread, with the group's lock held: makes the owner call cache_member_drain() soon. */
    void (*wake)(void *context);
    /* From cache_member_drain(): forget this key. */
    void (*on_notice)(void *context, struct slice key);
    /* From cache_member_drain(): all have forgotten it, and the notice is gone. */
    void (*on_told)(void *context, void *told);
};

/* NULL: the group is full. The events outlive the member. */
struct cache_member *cache_member_join(struct cache_group *group,
                                       const struct cache_member_events *events, void *context);
/* Nothing of it is called any more; those that it has sent are dropped before. */
void cache_member_leave(struct cache_member *member);

/* A notice about this key (copied), not sent yet; NULL: no memory. */
struct cache_notice *cache_notice_new(struct cache_member *member, struct slice key, void *told);
struct slice cache_notice_key(const struct cache_notice *notice);
/* Tells all others to forget the key; on_told(told) is called once, from a later drain, unless the
 * notice is dropped before. */
void cache_notice_send(struct cache_notice *notice);
/* Sent or not, nobody waits for it any more. */
void cache_notice_drop(struct cache_notice *notice);
/* On the owner's thread, after it was woken. */
void cache_member_drain(struct cache_member *member);

#endif
