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

/* ---- the pool ---- */

struct password_pool;
struct password_inbox;

/* One verification. The caller's, and untouched by it from password_pool_submit() to its callback.
 * Both texts are copied in, since they outlive the request's bytes; the secret is wiped before the
 * callback. */
struct password_job {
    void (*on_done)(struct password_job *job);
    bool matches; /* the result */
    /* the pool's own */
    struct password_job *next;
    struct password_inbox *inbox;
    size_t stored_size, secret_size;
    char stored[PASSWORD_STORED_MAX];
    char secret[PASSWORD_SECRET_MAX];
};

/* `threads` threads (they sleep until there is work) and at most `queue_max` jobs waiting. NULL on
 * failure. */
struct password_pool *password_pool_new(unsigned threads, unsigned queue_max);
/* Waits for the jobs that run, answers those that wait with "does not match", joins the threads.
 * Every inbox is to be drained once more afterwards. */
void password_pool_free(struct password_pool *pool);
/* Jobs waiting or running now; any thread. */
unsigned password_pool_load(struct password_pool *pool);

/* Where one thread (an event loop's) gets its finished jobs. `wake` is called on a pool thread, and
 * must only make the owner call password_inbox_drain() soon (uv_async_send does). NULL on failure.
 */
struct password_inbox *password_inbox_new(void (*wake)(void *context), void *context);
void password_inbox_free(struct password_inbox *inbox); /* after the pool is gone */
/* Calls on_done of each finished job; for the owner alone. */
void password_inbox_drain(struct password_inbox *inbox);

/* For the owner of the inbox alone. Copies both texts into the job and queues it. False, with
 * nothing kept, where the queue is full, a text is too long or the inbox takes no more jobs;
 * on_done is then never called. Otherwise one call comes, from password_inbox_drain(): on_done, or
 * what password_pool_give_back() says. */
bool password_pool_submit(struct password_pool *pool, struct password_inbox *inbox,
                          struct password_job *job, struct slice stored, struct slice secret);

/* For the owner of the inbox alone, when it has no time left: the inbox takes no more jobs, and
 * those that no thread has begun are given back unchecked. Each of these gets, from
 * password_inbox_drain() and once, on_given_back in place of its on_done; it says nothing about the
 * secret, so it is to be refused as one that the queue had no room for. Those that a thread has
 * begun or ended get their on_done. Calls nobody back by itself; does not wait. Jobs of other
 * inboxes stay. */
void password_pool_give_back(struct password_pool *pool, struct password_inbox *inbox,
                             void (*on_given_back)(struct password_job *job));

#endif
