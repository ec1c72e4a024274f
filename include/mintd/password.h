/* password.h: how secrets are stored, and a bounded pool of threads for the slow way.
 *
 * There are two kinds, FAST and SLOW, both in PHC string format:
 *
 *     $sha256$<64 hex digits>                 FAST: for secrets of 256 random bits that we
 *                                             generated. Their plain SHA-256, checked in under 1 us
 *     $scrypt$ln=15,r=8,p=1$<salt>$<hash>     SLOW: for secrets that a person chose. RFC 7914,
 *                                             about 80 ms and 32 MiB; base64 without padding
 *     $argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>
 *                                             SLOW: only checked, not made; needs OpenSSL 3.2 or
 *                                             later */
#ifndef MINTD_PASSWORD_H
#define MINTD_PASSWORD_H

#include "mintd/buffer.h"
#include "mintd/crypto.h"

#define PASSWORD_STORED_MAX 256u  /* bytes of a stored secret */
#define PASSWORD_SECRET_MAX 1024u /* bytes of a secret */

enum password_kind {
    PASSWORD_MALFORMED, /* no stored secret, an unknown algorithm, or a cost beyond our limits */
    PASSWORD_FAST,
    PASSWORD_SLOW,
};

enum password_kind password_kind_of(struct slice stored);

/* The digest of a secret, in the form of a FAST stored one, so that it can be compared with
 * several. Wipe it. */
struct password_digest {
    char hex[2 * CRYPTO_DIGEST_SIZE];
};
bool password_digest_of(struct crypto *crypto, struct slice secret, struct password_digest *digest);
/* Whether `stored` is FAST and fits the secret. The time depends neither on the two texts nor on
 * the kind of `stored`, which may be absent. */
bool password_digest_matches(const struct password_digest *digest, struct slice stored);

/* Readies OpenSSL for slow hashes, ahead of the first. OpenSSL makes all methods of a kind as it
 * looks for the first one; what memory is too short for then, it never finds in that process. An
 * OpenSSL that has no scrypt (a FIPS provider alone) is no reason not to start: slow secrets cannot
 * be checked there. False: memory was short, and the process should not go on. */
bool password_start(void);

enum password_verdict {
    PASSWORD_WRONG, /* or nothing matches what is stored: it is malformed */
    PASSWORD_RIGHT,
    PASSWORD_NOT_CHECKED, /* memory was short: nobody knows */
};

/* Checks a secret against a stored one of any kind. It blocks for as long as the stored parameters
 * demand: never call it on an event loop. */
enum password_verdict password_verify(struct slice stored, struct slice secret);

/* Appends "$scrypt$…" with a fresh salt; it blocks. False: memory or randomness failed, or the
 * secret is longer than PASSWORD_SECRET_MAX or ends with NUL: scrypt cannot tell a secret that
 * ends with NUL from the one without it. */
bool password_hash_slow(struct slice secret, struct buffer *stored);
/* Appends "$sha256$…". */
bool password_hash_fast(struct slice secret, struct buffer *stored);

/* A stored secret that nothing matches, with the cost of a fresh slow hash. A failed attempt is
 * checked against it where slow secrets are in use, so that it costs as much as any other. */
extern const struct slice password_slow_decoy;

/* ---- the pool ----
 *
 * Threads are few and a slow check is long, so a source (an address) that asks for much must not
 * keep the others out. The rank of a job is what its source has under way, plus how often it has
 * lately asked in vain. The rank does not depend on the client that the job is about: a check of a
 * client that does not exist waits like one of a client that does.
 *
 * Jobs of a low rank go into the lane ahead. The others go into the lane behind, which has half as
 * many places and half of the threads (at least one), and gets one turn in four while both lanes
 * wait. Within a lane the job of the lowest rank is next. A job that finds its lane full takes the
 * place of the last one there, if that has a higher rank. */

struct password_pool;
struct password_inbox;
struct password_source;

enum password_lane { PASSWORD_AHEAD, PASSWORD_BEHIND, PASSWORD_LANES };

#define PASSWORD_AHEAD_RANKS 4u /* a job of this rank or a higher one goes behind */

/* One verification. The caller owns it, and must not touch it from password_pool_submit() to its
 * callback. Both texts are copied into it, since they outlive the request's bytes. The secret is
 * wiped before the callback. */
struct password_job {
    /* set by the caller before */
    void (*on_done)(struct password_job *job);
    struct slice source; /* read only by password_pool_submit(); absent: rank 0, not counted */
    /* A thread begins with it by then (clock_monotonic_ns()), or no thread does. 0: no deadline. */
    uint64_t deadline_ns;
    /* the result */
    /* False: its deadline has passed, another job took its place, there was no time left, or memory
     * was short. Nobody knows whether the secret is right. */
    bool was_checked;
    bool matches;       /* where it was checked: whether the secret is right */
    uint64_t waited_ns; /* how long it waited for a thread, or until it was given up */
    /* the pool's own; the owner may read the lane */
    enum password_lane lane;
    unsigned rank;
    struct password_source *counted_at; /* NULL: it is not counted */
    uint64_t submitted_ns;
    struct password_job *next;
    struct password_inbox *inbox;
    size_t stored_size, secret_size;
    char stored[PASSWORD_STORED_MAX];
    char secret[PASSWORD_SECRET_MAX];
};

/* Starts `threads` threads, which sleep until there is work. At most `places` jobs wait in the
 * lane ahead. NULL: no memory, or no thread. */
struct password_pool *password_pool_new(unsigned threads, unsigned places);
/* Waits for the jobs that run, gives up those that wait, and joins the threads. Drain every inbox
 * once more afterwards. */
void password_pool_free(struct password_pool *pool);
/* How many jobs wait or run now. For any thread. */
unsigned password_pool_load(struct password_pool *pool);
/* How many jobs wait in that lane now. For any thread. */
unsigned password_pool_waiting(struct password_pool *pool, enum password_lane lane);

/* The inbox is where one thread (an event loop's) gets its finished jobs. `wake` is called on a
 * thread of the pool, or on the thread of another inbox. It must only make the owner call
 * password_inbox_drain() soon, as uv_async_send does. NULL: no memory. */
struct password_inbox *password_inbox_new(void (*wake)(void *context), void *context);
void password_inbox_free(struct password_inbox *inbox); /* after password_pool_free() */
/* Calls on_done of each finished job. Only for the owner. */
void password_inbox_drain(struct password_inbox *inbox);

/* Only for the owner of the inbox. Copies both texts into the job and queues it. True: on_done is
 * called once, from password_inbox_drain(). False: the lane is full of jobs of no higher rank, a
 * text is too long, or the inbox takes no more jobs. Then nothing is kept, and on_done is never
 * called. */
bool password_pool_submit(struct password_pool *pool, struct password_inbox *inbox,
                          struct password_job *job, struct slice stored, struct slice secret);

/* Counts an attempt that took slow checks, or found no room for one, and did not succeed. For any
 * thread. It is called once for each such attempt, whatever the reason and however many checks it
 * took, so that the rank does not tell them apart. Absent: nothing is counted. */
void password_pool_count_failure(struct password_pool *pool, struct slice source);

/* Only for the owner of the inbox. Gives up its jobs that no thread has begun and whose deadline
 * is now_ns or earlier. They come back, not checked, from password_inbox_drain(). It calls no
 * callback itself, and does not wait. Jobs of other inboxes stay. */
void password_pool_give_up_late(struct password_pool *pool, struct password_inbox *inbox,
                                uint64_t now_ns);
/* The same for all jobs of the inbox that no thread has begun, when the owner has no time left.
 * The inbox takes no more jobs from then on. Jobs that a thread has begun or ended come back
 * checked. */
void password_pool_give_up(struct password_pool *pool, struct password_inbox *inbox);

#endif
