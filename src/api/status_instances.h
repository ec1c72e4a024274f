/* status_instances.h: the instances that /status shows: their heartbeats, read from the store.
 *
 * Happy path: instances_refresh() reads the set of names, then the record of each, some at a time;
 * all by one deadline. Whoever asks meanwhile waits for the same answer, and for a second after
 * nothing is read: many viewers cost the store no more than one.
 *
 * Failure: what could not be read stays as it was, and `trouble` says why. One that was seen and
 * whose record is gone (it was killed) stays, and is said to be gone, for an hour. */
#ifndef MINTD_STATUS_INSTANCES_H
#define MINTD_STATUS_INSTANCES_H

#include "mintd/api.h"

#define INSTANCES_SHOWN STORE_MEMBERS_MAX
#define INSTANCES_READ_TOGETHER 8u
#define INSTANCES_NAME_MAX 64u
#define INSTANCES_GOOD_FOR_NS 1000000000ull
#define INSTANCES_GONE_FOR_NS (3600 * 1000000000ull)

/* What of a heartbeat is shown. Texts end with a NUL. */
struct instance_view {
    char name[INSTANCES_NAME_MAX + 1];
    bool was_seen, is_named, is_gone;
    uint64_t gone_ns; /* since when; clock_monotonic_ns() */
    char version[32], commit[48], host[INSTANCES_NAME_MAX + 1], notices[160];
    uint64_t started, uptime, seen; /* seconds */
    unsigned workers, links, caching, connections;
    bool is_draining;
    double minted, validated, refused, answered; /* a second */
};

struct instances_read {
    struct store_operation operation;
    struct instances *instances;
    char name[INSTANCES_NAME_MAX + 1]; /* whose record it reads */
    bool is_open;
};

struct instances {
    struct store *store;
    const char *own_name; /* not read: it is known */
    struct instance_view views[INSTANCES_SHOWN];
    unsigned count;
    bool has_more; /* than are shown */
    struct store_operation names;
    struct instances_read reads[INSTANCES_READ_TOGETHER];
    unsigned next, open; /* the next view to be read, and reads under way */
    bool is_open;        /* a refresh is under way */
    uint64_t began_ns;   /* the last one; 0: never */
    uint64_t read_ms;    /* epoch: when the last good one ended; 0: never */
    uint64_t (*wall_ms)(void);
    enum store_trouble trouble; /* of the last refresh */
    void (*on_refreshed)(struct instances *instances);
};

void instances_init(struct instances *instances, struct store *store, const char *own_name,
                    uint64_t (*wall_ms)(void));
/* DONE: there is nothing to wait for. PENDING: on_refreshed is called once all is read, or could
 * not be. */
enum progress instances_refresh(struct instances *instances);

/* Fills in what a record says. False: it is no JSON object, or there is no memory. */
bool instance_view_read(struct instance_view *view, struct slice record);

#endif
