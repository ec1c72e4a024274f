/* heartbeat.h: an instance's record in the store: that it lives, what it is, how it does.
 *
 *      instance:<name>     a JSON object (docs/redis.md), gone 20 s after the last beat
 *      instances           the set of names, so that nobody has to look through all keys for them
 *
 * One for a process, on the loop of one worker. Every 5 s it counts what all workers have done
 * since the last beat, writes the record and puts the name into the set; at the end it takes both
 * away. A set that cannot be written is told once, and harms nothing else. */
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
    /* its own */
    struct heartbeat_options options;
    struct flow flow; /* a beat, or the end */
    struct store_operation operation;
    uint64_t now_ns, due_ns, list_due_ns;
    struct heartbeat_totals totals; /* at the last beat, which was at: */
    uint64_t counted_ns;
    unsigned written;   /* beats whose record was written */
    unsigned strangers; /* looks that found another's record under our name */
    bool is_open;
    bool list_refusal_told;
    enum { HEARTBEAT_BEATS, HEARTBEAT_IS_LEAVING, HEARTBEAT_HAS_LEFT } life;
};

void heartbeat_init(struct heartbeat *heartbeat, const struct heartbeat_options *options);
/* Some times a second: beats where it is time and the store is up. */
void heartbeat_tick(struct heartbeat *heartbeat, uint64_t now_ns);
/* No more beats; the record and the name are taken away, as far as the store answers. */
void heartbeat_leave(struct heartbeat *heartbeat);
bool heartbeat_has_left(const struct heartbeat *heartbeat);

#endif
