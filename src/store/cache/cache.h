/* cache.h: answers of reads, kept in memory within a bound of bytes.
 *
 * It knows nothing of where the answers come from: whoever fills it says when an entry is wrong
 * (cache_drop), and when all that came from one origin, a number, may be (cache_forget). An entry
 * lives CACHE_AGE_MAX_MS at most.
 *
 * Two queues share one table: keys that are there, and keys that are not (an eighth of the bytes),
 * so that a stranger who asks for what does not exist pushes out nothing else. Each is a SIEVE
 * queue (Zhang et al., NSDI 2024): a hit sets one bit, and only if it is not set; nothing moves.
 * New entries come in at the head; a hand goes from the tail to the head, passes over (and unmarks)
 * what was asked for since it last came by, and evicts what was not. So keys that are asked for
 * once, like a scan, go first, and a hit writes next to nothing. */
#ifndef MINTD_STORE_CACHE_H
#define MINTD_STORE_CACHE_H

#include "mintd/hash.h"
#include "mintd/store.h"

#define CACHE_AGE_MAX_MS 60000u
#define CACHE_ORIGINS_MAX 256u
#define CACHE_BYTES_MIN (64u * 1024u)

enum cache_kind { CACHE_TEXT, CACHE_HASH }; /* of store_get, of store_read_hash */

struct cache;

/* `bytes`: the room for entries, CACHE_BYTES_MIN at least, all that belongs to them counted; the
 * table takes up to a sixteenth of it on top. NULL: no memory. */
struct cache *cache_new(size_t bytes, const struct hash_seed *seed, struct cache_metrics *metrics);
void cache_free(struct cache *cache); /* wipes nothing: no secret is in it; NULL is fine */

/* True: the operation has the answer (FOUND or ABSENT, value or fields), its copy and its origin.
 * What it
 * points at lies in the cache, and is valid until the next cache_put, cache_drop or cache_find.
 * `now_ms` never goes back. */
bool cache_find(struct cache *cache, enum cache_kind kind, struct slice key, uint64_t now_ms,
                struct store_operation *operation);
/* Keeps a copy of a FOUND or ABSENT answer that came from answer->origin (below CACHE_ORIGINS_MAX),
 * in place of what was there; answer->copy is that copy. An answer that is too large (an eighth of
 * the room), or for which there is no memory, is not kept, and has none. */
void cache_put(struct cache *cache, enum cache_kind kind, struct slice key, uint64_t now_ms,
               struct store_operation *answer);
/* Whether this very copy has been in memory ever since. One that was evicted has not. */
bool cache_holds(const struct cache *cache, const struct store_copy *copy);
/* Forgets a key; whether there was anything to forget. */
bool cache_drop(struct cache *cache, struct slice key);
/* Forgets all that came from this origin, at once; the memory comes back bit by bit. */
void cache_forget(struct cache *cache, unsigned origin);
/* Gives back the memory of entries that are too old or were forgotten, a thousand or two at a time.
 * To be called now and then: what nobody asks for again would stay until its room is needed. */
void cache_sweep(struct cache *cache, uint64_t now_ms);

#endif
