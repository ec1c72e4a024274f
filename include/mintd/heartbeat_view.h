/* heartbeat_view.h: what the record of an instance says, for those that read it out of Redis.
 * heartbeat.h writes it; docs/redis.md has its members. Anybody may have written there: a member
 * that is missing, or has another type, counts as empty.
 *
 * A record is a JSON object of cJSON. Its reader may also look into it directly. */
#ifndef MINTD_HEARTBEAT_VIEW_H
#define MINTD_HEARTBEAT_VIEW_H

#include "mintd/slice.h"
#include <stdbool.h>
#include <stdint.h>

#define HEARTBEAT_NAMES "instances"  /* the key of the set of names */
#define HEARTBEAT_RECORD "instance:" /* with a name behind it, the key of a record */

struct cJSON;

/* Parses a record. The caller owns it and calls cJSON_Delete(). NULL: it is no JSON object, or
 * there is no memory. */
struct cJSON *heartbeat_parse(struct slice record);

/* The text of a member; "" where it is no text. It lives as long as the record. */
const char *heartbeat_text(const struct cJSON *record, const char *member);
/* The number of a member, rounded down; 0 where it is no number from 0 to 9e15. */
uint64_t heartbeat_number(const struct cJSON *record, const char *member);
/* Whether the member is true. */
bool heartbeat_is(const struct cJSON *record, const char *member);
/* One of the rates ("minted", "validated", "refused", "answered"), per second; 0 where it is
 * missing. */
double heartbeat_rate(const struct cJSON *record, const char *name);
/* More than an instance has: who writes more into a record does not make a reader look for long. */
#define HEARTBEAT_NOTICES_MAX 32u
/* The notices of the instance (API_NOTICES), one for each index from 0 on. NULL: there is no more,
 * or there were HEARTBEAT_NOTICES_MAX. "": that one is no text. */
const char *heartbeat_notice(const struct cJSON *record, unsigned index);

#endif
