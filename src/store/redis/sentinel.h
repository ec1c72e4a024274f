/* sentinel.h: which Redis is the master, as Sentinels tell it.
 *
 * Happy path: one small link to each Sentinel. Once a second one of them is asked, each in turn, so
 * that one that was cut off cannot be the only one that is heard; all of them at once, twice a
 * second and with each attempt, while the owner seeks the master, and when it has found it: a
 * connection to one that stood still may be older than the news. Each says an address and the
 * epoch of its knowledge (config-epoch): of the newest answers those of the highest epoch count.
 * There may be two such for a moment, since the Sentinel that leads a fail-over names the new
 * master before the epoch moves. While the owner has a master, the word of a Sentinel that has gone
 * counts on: one that knows less does not lead back.
 *
 * Failure modes: a Sentinel that is away, that does not know the name or refuses to tell has no
 * answer, and the others have; where none has one, that is said. What a Sentinel names is not
 * believed: whether that Redis is the master its own greeting tells (role.c). */
#ifndef MINTD_REDIS_SENTINEL_H
#define MINTD_REDIS_SENTINEL_H

#include "store/link/link.h"
#include <uv.h>

#define SENTINEL_POLL_MS 1000u
#define SENTINEL_SEEK_MS 500u
#define SENTINEL_REASON_MAX 160u

struct sentinels;

struct sentinels_options {
    char *input;                 /* as each link takes it (link.h) */
    const struct redis_url *url; /* with Sentinels; copied */
    struct tls_context *tls;     /* each link takes a reference of its own; NULL: plain */
    struct slice tls_name;       /* copied; absent: each one's host */
    struct slice user, password; /* of the Sentinels; copied; absent: none */
    struct slice name;           /* copied; for CLIENT SETNAME */
    struct store_metrics *metrics;
    struct redis_told *told; /* outlives them; NULL: nobody else has Sentinels */
    /* One of them has answered. Not from inside a call of ours. */
    void (*on_told)(void *context);
    void *context;
};

/* NULL: no memory. */
struct sentinels *sentinels_new(uv_loop_t *loop, const struct sentinels_options *options);
/* Begins to connect; from now on it is to be closed ahead of sentinels_free(). */
void sentinels_start(struct sentinels *sentinels);
/* on_closed once, later; on_told is not called any more. */
void sentinels_close(struct sentinels *sentinels, void (*on_closed)(void *), void *context);
void sentinels_free(struct sentinels *sentinels);
/* Handshakes from now on are made with this; each link takes a reference of its own. */
void sentinels_use_tls(struct sentinels *sentinels, struct tls_context *tls);
/* Once a turn: what was asked is sent. */
void sentinels_flush(struct sentinels *sentinels);

/* The owner has no master: all are asked, now and until sentinels_found(). */
void sentinels_seek(struct sentinels *sentinels);
/* The owner's link is up: this is the master, for as long as no higher epoch names another. */
void sentinels_found(struct sentinels *sentinels);

/* Where the master is, of the addresses that are named the next one at each call; while no Sentinel
 * is there at all, the one that was found last. NULL: nobody has answered since sentinels_seek(),
 * or none is named. */
const struct redis_endpoint *sentinels_master(struct sentinels *sentinels);
/* Whether what sentinels_master() gave is still what is named, or nobody names any. While the owner
 * seeks: another address is to be tried ahead of the one that was lost. */
bool sentinels_agree(const struct sentinels *sentinels);
/* Every Sentinel that answers, and one at least, says that there is no master of that name, or
 * refuses to tell. */
bool sentinels_deny(const struct sentinels *sentinels);
void sentinels_look(const struct sentinels *sentinels, store_visit *visit, void *context);
/* In words, why there is no master; without a password. */
const char *sentinels_reason(struct sentinels *sentinels);

#endif
