/* apply_memory.h: makes the clients of memory: what a file says. */
#ifndef MINTD_CLIENTS_APPLY_MEMORY_H
#define MINTD_CLIENTS_APPLY_MEMORY_H

#include "clients/apply_compare.h"
#include "mintd/local_store.h"

/* As apply_compare() and then apply_write(). Each client changes as a whole. */
enum status apply_to_memory(struct memory_data *memory, struct apply_file *file,
                            struct apply_plan *plan);

#endif
