/* stranger.h: a server that is no Redis, by what it says. */
#ifndef MINTD_REDIS_STRANGER_H
#define MINTD_REDIS_STRANGER_H

#include "mintd/slice.h"

/* In words, of bytes that are no RESP: which protocol they begin; NULL: they may be a broken
 * Redis'.
 */
const char *redis_stranger(struct slice said);

#endif
