/* apply_write.h: makes the clients what a file says, some hundred at a time. */
#ifndef MINTD_CLIENTS_APPLY_WRITE_H
#define MINTD_CLIENTS_APPLY_WRITE_H

#include "clients/apply_file.h"
#include "clients/redis.h"

/* Changes, or makes, the clients of the entries that differ. Each group of them changes as a whole,
 * or not at all. */
enum status apply_write(struct redis *redis, const struct apply_file *file);

#endif
