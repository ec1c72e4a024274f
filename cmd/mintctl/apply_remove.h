/* apply_remove.h: clients that a file does not have go (--prune). */
#ifndef MINTCTL_APPLY_REMOVE_H
#define MINTCTL_APPLY_REMOVE_H

#include "clients/apply_file.h"
#include "clients/client_ids.h"

enum status apply_remove_others(struct redis *redis, const struct apply_file *file,
                                const struct client_ids *ids);

#endif
