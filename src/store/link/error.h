/* error.h: what an error reply of Redis means for a store. */
#ifndef MINTD_REDIS_ERROR_H
#define MINTD_REDIS_ERROR_H

#include "mintd/store.h"

/* The code an error reply begins with: "READONLY You can't write ..." gives "READONLY". */
struct slice redis_error_code(struct slice text);

/* By the code; PROTOCOL for one that stands for nothing of our own. */
enum store_trouble redis_error_trouble(struct slice text);

/* In words, where the trouble is one of a server that is no master, or has no data yet; else NULL.
 */
const char *redis_error_no_master(enum store_trouble trouble);

#endif
