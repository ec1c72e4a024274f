/* local_store.h: a store inside the process, for trying things out. It serves one instance, and is
 * gone at exit.
 *
 * All workers share the data, which is behind a lock; each opens its own store on it. Every verb
 * is DONE at once. */
#ifndef MINTD_LOCAL_STORE_H
#define MINTD_LOCAL_STORE_H

#include "mintd/store.h"

struct memory_data;

/* Holds at most max_keys keys; a write of one more is UNKNOWN (OOM). now_ms gives the time that
 * TTLs are counted with. NULL: no memory. */
struct memory_data *memory_data_new(size_t max_keys, uint64_t (*now_ms)(void));
void memory_data_free(struct memory_data *data);

/* Opens a store on the data. Its on_closed is called by store_flush(). NULL: no memory. */
struct store *local_store_new(struct memory_data *data, struct store_metrics *metrics);

/* Replaces the hash that is there with these fields, in one step. ABSENT: there is no hash, and
 * nothing was changed. DONE, as all verbs are. */
enum progress local_store_replace_hash(struct store *store, struct slice key,
                                       const struct store_field *fields, size_t count,
                                       struct store_operation *operation);

#endif
