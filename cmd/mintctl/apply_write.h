/* apply_write.h: makes the clients what a file says, some hundred at a time. */
#ifndef MINTCTL_APPLY_WRITE_H
#define MINTCTL_APPLY_WRITE_H

#include "apply_file.h"
#include "client_names.h"

/* Changes, or makes, the clients of the entries that differ. Each group of them changes as a whole,
 * or not at all. */
enum status apply_write(struct redis *redis, const struct apply_file *file);
/* Removes the clients that the file does not have. */
enum status apply_remove_others(struct redis *redis, const struct apply_file *file,
                                const struct client_names *names);

#endif
