/* cache_group.h: the caches of the workers of one process. What one worker deletes in Redis, all
 * of them forget before anybody is told that it is gone.
 *
 * A process has one. It is given to each worker's store (redis_store.h), which joins it. */
#ifndef MINTD_CACHE_GROUP_H
#define MINTD_CACHE_GROUP_H

struct cache_group;

/* At most members_max stores may join. NULL: no memory. */
struct cache_group *cache_group_new(unsigned members_max);
/* To be called after all stores that joined are closed. NULL is fine. */
void cache_group_free(struct cache_group *group);

#endif
