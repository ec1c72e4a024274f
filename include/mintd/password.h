/* password.h: how secrets are stored, and a bounded pool of threads for the slow way.
 *
 * Two kinds, both in PHC string format:
 *
 *      $sha256$<64 hex digits>                 for secrets of 256 random bits that we generated:
 *                                              their plain SHA-256, checked in under 1 us
 *      $scrypt$ln=15,r=8,p=1$<salt>$<hash>     for secrets that a person chose: RFC 7914, about
 *                                              80 ms and 32 MiB; base64 without padding
 *      $argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>
 *                                              is checked too where OpenSSL has it (3.2 and later)
 */
#ifndef MINTD_PASSWORD_H
#define MINTD_PASSWORD_H

#include "mintd/buffer.h"
#include "mintd/crypto.h"

#define PASSWORD_STORED_MAX 256u  /* bytes of a stored secret */
#define PASSWORD_SECRET_MAX 1024u /* bytes of a secret */

enum password_kind {
    PASSWORD_MALFORMED, /* not a stored secret, an unknown algorithm, or a cost beyond our limits */
    PASSWORD_FAST,
    PASSWORD_SLOW,
};

enum password_kind password_kind_of(struct slice stored);

/* A secret as a FAST stored one has it, so that it can be compared with several. Wipe it. */
struct password_digest {
    char hex[2 * CRYPTO_DIGEST_SIZE];
};
bool password_digest_of(struct crypto *crypto, struct slice secret, struct password_digest *digest);
/* Whether `stored` is FAST and of that secret, in a time that does not depend on either, nor on the
 * kind of `stored`, which may be absent. */
bool password_digest_matches(const struct password_digest *digest, struct slice stored);

/* Any kind; blocks for as long as the stored parameters say. Never on an event loop. */
bool password_verify(struct slice stored, struct slice secret);

/* Appends "$scrypt$…" with a fresh salt; blocks. False where memory or randomness fails, and for a
 * secret that is over PASSWORD_SECRET_MAX or ends with NUL, which scrypt cannot tell from none. */
bool password_hash_slow(struct slice secret, struct buffer *stored);
/* Appends "$sha256$…". */
bool password_hash_fast(struct slice secret, struct buffer *stored);

/* A stored secret that nothing matches, with the cost of a fresh slow hash: what a failed attempt
 * is made to cost where slow secrets are in use. */
extern const struct slice password_slow_decoy;

/* ---- the pool ----
 *
 * Threads are few and a slow check is long, so who asks for much must not keep the others out. A
 * job's rank is what its source (an address) has under way, and how often it has asked in vain of
 * late. It says nothing of whom the job is about: a check of a client that does not exist waits
 * like one of a client that does. Jobs of a low rank have the lane ahead. The others have the lane
 * behind: half as many places, half of the threads (one at least), and one turn in four while both
 * lanes wait. Within a lane the lowest rank is next, and has the last one's place where there is
 * none left. */

struct password_pool;
struct password_inbox;
struct password_source;

enum password_lane { PASSWORD_AHEAD, PASSWORD_BEHIND, PASSWORD_LANES };

#define PASSWORD_AHEAD_RANKS 4u /* a job of this rank or a higher one goes behind */

/* One verification. The caller's, and untouched by it from password_pool_submit() to its callback.
 * Both texts are copied in, since they outlive the request's bytes; the secret is wiped before the
 * callback. */
struct password_job {
    /* the caller's, set before */
    void (*on_done)(struct password_job *job);
    struct slice source;  /* only read by password_pool_submit(); absent: of rank 0, not counted */
    uint64_t deadline_ns; /* a thread has begun by then (clock_monotonic_ns), or none does; 0: no
                             deadline */
    /* the result */
    bool was_checked; /* false: its deadline has passed, another one had its place, or there was no
                         time left; nobody knows whether the secret is right */
    bool matches;     /* where it was checked */
    uint64_t waited_ns; /* for a thread, or until it was given up */
    /* the pool's own; the owner may look at the lane */
    enum password_lane lane;
    unsigned rank;
    struct password_source *counted_at; /* NULL: nowhere */
    uint64_t submitted_ns;
    struct password_job *next;
    struct password_inbox *inbox;
    size_t stored_size, secret_size;
    char stored[PASSWORD_STORED_MAX];
    char secret[PASSWORD_SECRET_MAX];
};

/* `threads` threads (they sleep until there is work) and at most `places` jobs waiting in the lane
 * ahead. NULL on failure. */
struct password_pool *password_pool_new(unsigned threads, unsigned places);
/* Waits for the jobs that run, gives up those that wait, joins the threads. Every inbox is to be
 * drained once more afterwards. */
void password_pool_free(struct password_pool *pool);
/* Jobs waiting or running now; any thread. */
unsigned password_pool_load(struct password_pool *pool);
/* Jobs waiting in that lane now; any thread. */
unsigned password_pool_waiting(struct password_pool *pool, enum password_lane lane);

/* Where one thread (an event loop's) gets its finished jobs. `wake` is called on a pool thread, or
 * on that of another inbox, and must only make the owner call password_inbox_drain() soon
 * (uv_async_send does). NULL on failure. */
struct password_inbox *password_inbox_new(void (*wake)(void *context), void *context);
void password_inbox_free(struct password_inbox *inbox); /* after the pool is gone */
/* Calls on_done of each finished job; for the owner alone. */
void password_inbox_drain(struct password_inbox *inbox);

/* For the owner of the inbox alone. Copies both texts into the job and queues it. False, with
 * nothing kept, where the lane is full of jobs of no higher rank, a text is too long or the inbox
 * takes no more jobs; on_done is then never called. Otherwise one call of on_done comes, from
 * password_inbox_drain(). */
bool password_pool_submit(struct password_pool *pool, struct password_inbox *inbox,
                          struct password_job *job, struct slice stored, struct slice secret);

/* Counts an attempt that took slow checks, or found no room for one, and did not succeed; any
 * thread. One for each attempt, whatever the reason and however many checks it took, so that the
 * rank does not tell them apart. Absent: not counted. */
void password_pool_count_failure(struct password_pool *pool, struct slice source);

/* For the owner of the inbox alone: gives up its jobs that no thread has begun and whose deadline
 * is now_ns or earlier. They come back from password_inbox_drain(), not checked. Calls nobody back
 * by itself; does not wait. Jobs of other inboxes stay. */
void password_pool_give_up_late(struct password_pool *pool, struct password_inbox *inbox,
                                uint64_t now_ns);
/* The same for all of them, when the owner has no time left; and the inbox takes no more jobs.
 * Those that a thread has begun or ended are still checked. */
void password_pool_give_up(struct password_pool *pool, struct password_inbox *inbox);

#endif
