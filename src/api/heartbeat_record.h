/* heartbeat_record.h: the record of an instance, as text. */
#ifndef MINTD_HEARTBEAT_RECORD_H
#define MINTD_HEARTBEAT_RECORD_H

#include "mintd/heartbeat.h"

#define HEARTBEAT_TEXT_MAX 16384u /* the longest record: most of it the addresses */
#define HEARTBEAT_KEY_MAX 80u

/* The record as of now, and its key in storage of HEARTBEAT_KEY_MAX bytes. Any worker may write it:
 * all that is in it is the process's. */
void heartbeat_write(const struct api_process *process, uint64_t wall_ms, struct buffer *json);
struct slice heartbeat_key(const struct api_process *process, char *storage);

/* What all workers have done so far. */
struct heartbeat_totals heartbeat_count(const struct api_process *process);

#endif
