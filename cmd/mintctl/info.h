/* info.h: what Redis says of itself (INFO), field by field. */
#ifndef MINTCTL_INFO_H
#define MINTCTL_INFO_H

#include "clients/redis.h"

struct info {
    struct value *reply; /* NULL or an error: nothing is known */
};

/* Of one node. False: it does not answer any more, said. Where it refuses, there is no field. */
bool info_read(struct redis *redis, unsigned node, struct info *info);
void info_fini(struct info *info);
bool info_is_there(const struct info *info);

/* Absent where there is none. */
struct slice info_field(const struct info *info, const char *name);
uint64_t info_number(const struct info *info, const char *name);

/* The version of the server: of Valkey its own, not the one it is compatible with. */
struct slice info_version(const struct info *info);
bool info_is_valkey(const struct info *info);

#endif
