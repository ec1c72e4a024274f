/* cache_group.h: the memories of the workers of one process: what one worker deletes in Redis is
 * forgotten by all of them before anybody is told that it is gone.
 *
 * One a process, given to each worker's store (redis_store.h), which joins it. */
#ifndef MINTD_CACHE_GROUP_H
#define MINTD_CACHE_GROUP_H

struct cache_group;

/* NULL: no memory. */
struct cache_group *cache_group_new(unsigned members_max);
/* After all stores that joined are closed. NULL is fine. */
void cache_group_free(struct cache_group *group);

#endif
