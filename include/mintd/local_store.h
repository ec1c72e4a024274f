/* local_store.h: a store inside the process, for trying things out: one instance, gone at exit.
 *
 * The data is one, under a lock; each worker opens a store of its own on it. Every verb is DONE at
 * once. */
#ifndef MINTD_LOCAL_STORE_H
#define MINTD_LOCAL_STORE_H

#include "mintd/store.h"

struct memory_data;

/* At most max_keys keys; more are UNKNOWN (OOM). now_ms gives the time that TTLs are counted with.
 * NULL: no memory. */
struct memory_data *memory_data_new(size_t max_keys, uint64_t (*now_ms)(void));
void memory_data_free(struct memory_data *data);

/* Its on_closed is called by store_flush(). */
struct store *local_store_new(struct memory_data *data, struct store_metrics *metrics);

#endif
