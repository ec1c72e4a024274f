/* heartbeat.h: an instance's record in the store: that it lives, what it is, and how it does.
 *
 *     instance:<name>     a JSON object (docs/redis.md), gone 20 s after the last beat
 *     instances           the set of names, so that a reader need not look through all keys for
 * them
 *
 * A process has one heartbeat, on the loop of one worker. Every 5 s it counts what all workers
 * have done since the last beat, writes the record and puts the name into the set. At the end it
 * takes both away. If the set cannot be written, the log says so once, and nothing else is
 * harmed. */
#ifndef MINTD_HEARTBEAT_H
#define MINTD_HEARTBEAT_H

#include "mintd/api.h"
#include "mintd/flow.h"
#include "mintd/store.h"

#define HEARTBEAT_EVERY_S 5u
#define HEARTBEAT_TTL_S 20u

struct heartbeat_options {
    struct api_process *process;
    struct store *store;
    uint64_t (*wall_ms)(void);
};

struct heartbeat_totals {
    uint64_t minted, validated, refused, answered;
};

struct heartbeat {
    /* its own; nobody else touches it */
    struct heartbeat_options options;
    struct flow flow; /* runs a beat, or the end */
    struct store_operation operation;
    uint64_t now_ns, due_ns, list_due_ns;
    struct heartbeat_totals totals; /* as they were at the last beat */
    uint64_t counted_ns;
    unsigned written;   /* beats whose record was written */
    unsigned strangers; /* how often another instance's record stood under our name */
    bool is_open;
    bool list_refusal_told;
    enum { HEARTBEAT_BEATS, HEARTBEAT_IS_LEAVING, HEARTBEAT_HAS_LEFT } life;
};

void heartbeat_init(struct heartbeat *heartbeat, const struct heartbeat_options *options);
/* Beats where it is time and the store is up. The worker calls it ten times a second. */
void heartbeat_tick(struct heartbeat *heartbeat, uint64_t now_ns);
/* Ends the beats, and takes the record and the name away, as far as the store answers; not if
 * another instance has written the record last, which bears the name now. heartbeat_has_left()
 * tells when it is over. */
void heartbeat_leave(struct heartbeat *heartbeat);
bool heartbeat_has_left(const struct heartbeat *heartbeat);

#endif
