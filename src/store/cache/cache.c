#include "store/cache/cache.h"

#include <stdlib.h>

#define BYTES_A_BUCKET 256u /* about an entry */
#define HAND_STEPS_MAX 64u  /* then whatever is under the hand goes */
#define RECLAIM_STEPS 2u    /* dead entries given back for each new one, */
#define SWEEP_STEPS 1000u   /* and for each sweep */
#define ABSENT_PART 8u
#define LARGEST_PART 8u
#define HEAP_OVERHEAD 16u

struct entry {
    struct entry *next;          /* in its bucket */
    struct entry *newer, *older; /* in its queue */
    uint64_t hash;
    uint64_t filled_ms;
    uint32_t epoch;
    uint32_t stamp; /* of all that were put, in turn */
    uint32_t bytes;
    uint32_t value_size; /* of a text */
    uint16_t key_size;
    uint8_t field_count; /* of a hash */
    uint8_t kind;        /* enum cache_kind */
    uint8_t origin;
    bool is_absent;
    bool visited;
    /* fields of a hash; the key; the value, or what the fields point at */
    struct store_field fields[];
};

_Static_assert(STORE_FIELDS_MAX <= UINT8_MAX && STORE_KEY_MAX <= UINT16_MAX, "counts fit");

struct queue {
    struct entry *newest, *oldest, *hand;
    size_t bytes, bytes_max;
};

struct cache {
    struct hash_seed seed;
    struct cache_metrics *metrics;
    struct queue found, absent;
    uint32_t epoch;                     /* the newest that an origin has */
    uint32_t epochs[CACHE_ORIGINS_MAX]; /* of each origin: a copy of an older one is dead */
    uint32_t stamp;                     /* the last one that was given; never 0 or UINT32_MAX */
    size_t entries;
    size_t bucket_mask;
    struct entry *buckets[];
};

/* ---- entries ---- */

static char *entry_key_data(struct entry *entry) {
    return (char *)(entry->fields + entry->field_count);
}

static struct slice entry_key(struct entry *entry) {
    return slice_of(entry_key_data(entry), entry->key_size);
}

static char *copy(char *place, struct slice source, struct slice *kept) {
    if (source.size != 0) {
        memcpy(place, source.data, source.size);
    }
    *kept = slice_of(place, source.size);
    return place + source.size;
}

static size_t size_of_entry(struct slice key, const struct store_operation *answer) {
    size_t size = sizeof(struct entry) + key.size + answer->value.size;
    for (size_t i = 0; i < answer->field_count; i++) {
        size +=
            sizeof(struct store_field) + answer->fields[i].name.size + answer->fields[i].value.size;
    }
    return size;
}

static struct entry *entry_new(enum cache_kind kind, struct slice key,
                               const struct store_operation *answer, size_t size) {
    struct entry *entry = malloc(size);
    if (entry == NULL) {
        return NULL;
    }
    entry->bytes = (uint32_t)size + HEAP_OVERHEAD;
    entry->kind = (uint8_t)kind;
    entry->is_absent = answer->answer == STORE_ABSENT;
    entry->visited = false;
    entry->key_size = (uint16_t)key.size;
    entry->value_size = (uint32_t)answer->value.size;
    entry->field_count = (uint8_t)answer->field_count;
    struct slice kept;
    char *place = copy(entry_key_data(entry), key, &kept);
    place = copy(place, answer->value, &kept);
    for (size_t i = 0; i < answer->field_count; i++) {
        place = copy(place, answer->fields[i].name, &entry->fields[i].name);
        place = copy(place, answer->fields[i].value, &entry->fields[i].value);
    }
    return entry;
}

static struct store_copy copy_of(const struct entry *entry) {
    return (struct store_copy){entry->hash, (uint64_t)entry->epoch << 32 | entry->stamp};
}

static void hand_out(struct entry *entry, struct store_operation *operation) {
    operation->copy = copy_of(entry);
    operation->answer = entry->is_absent ? STORE_ABSENT : STORE_FOUND;
    if (!entry->is_absent && entry->kind == CACHE_HASH) {
        operation->fields = entry->fields;
        operation->field_count = entry->field_count;
    } else if (!entry->is_absent) {
        operation->value = slice_of(entry_key_data(entry) + entry->key_size, entry->value_size);
    }
}

/* ---- queues ---- */

static struct queue *queue_of(struct cache *cache, const struct entry *entry) {
    return entry->is_absent ? &cache->absent : &cache->found;
}

static void queue_add(struct queue *queue, struct entry *entry) {
    entry->newer = NULL;
    entry->older = queue->newest;
    *(queue->newest == NULL ? &queue->oldest : &queue->newest->newer) = entry;
    queue->newest = entry;
    queue->bytes += entry->bytes;
}

static void queue_remove(struct queue *queue, struct entry *entry) {
    if (queue->hand == entry) {
        queue->hand = entry->newer;
    }
    *(entry->newer == NULL ? &queue->newest : &entry->newer->older) = entry->older;
    *(entry->older == NULL ? &queue->oldest : &entry->older->newer) = entry->newer;
    queue->bytes -= entry->bytes;
}

/* ---- the table ---- */

static struct entry **find_place(struct cache *cache, struct slice key, uint64_t hash) {
    struct entry **place = &cache->buckets[hash & cache->bucket_mask];
    while (*place != NULL && ((*place)->hash != hash || !slice_equal(entry_key(*place), key))) {
        place = &(*place)->next;
    }
    return place;
}

static void tell_sizes(struct cache *cache) {
    counter_set(&cache->metrics->entries, cache->entries);
    counter_set(&cache->metrics->bytes, cache->found.bytes + cache->absent.bytes);
}

static void remove_at(struct cache *cache, struct entry **place) {
    struct entry *entry = *place;
    *place = entry->next;
    queue_remove(queue_of(cache, entry), entry);
    cache->entries--;
    free(entry);
}

static void remove_entry(struct cache *cache, struct entry *entry) {
    struct entry **place = &cache->buckets[entry->hash & cache->bucket_mask];
    while (*place != entry) {
        place = &(*place)->next;
    }
    remove_at(cache, place);
}

static bool is_forgotten(const struct cache *cache, const struct entry *entry) {
    return entry->epoch != cache->epochs[entry->origin];
}

/* SIEVE's hand, in a bounded number of steps. */
static void evict_one(struct cache *cache, struct queue *queue) {
    struct entry *entry = queue->hand != NULL ? queue->hand : queue->oldest;
    for (unsigned steps = 0; steps < HAND_STEPS_MAX; steps++) {
        if (!entry->visited || is_forgotten(cache, entry)) {
            break;
        }
        entry->visited = false;
        entry = entry->newer != NULL ? entry->newer : queue->oldest;
    }
    queue->hand = entry;
    counter_add(&cache->metrics->evicted, 1);
    remove_entry(cache, entry); /* moves the hand on */
}

static bool is_dead(const struct cache *cache, const struct entry *entry, uint64_t now_ms) {
    return is_forgotten(cache, entry) || now_ms - entry->filled_ms >= CACHE_AGE_MAX_MS;
}

/* A queue is in the order of filling: the dead ones are the oldest. */
static void reclaim(struct cache *cache, struct queue *queue, uint64_t now_ms, unsigned steps) {
    while (steps-- != 0 && queue->oldest != NULL && is_dead(cache, queue->oldest, now_ms)) {
        remove_entry(cache, queue->oldest);
    }
}

/* ---- the contract ---- */

struct cache *cache_new(size_t bytes, const struct hash_seed *seed, struct cache_metrics *metrics) {
    size_t buckets = CACHE_BYTES_MIN / BYTES_A_BUCKET;
    bytes = bytes < CACHE_BYTES_MIN ? CACHE_BYTES_MIN : bytes;
    while (buckets < bytes / BYTES_A_BUCKET) {
        buckets *= 2;
    }
    /* Large: zero pages, which cost nothing until they are used. */
    struct cache *cache = calloc(1, sizeof *cache + buckets * sizeof(struct entry *));
    if (cache == NULL) {
        return NULL;
    }
    cache->seed = *seed;
    cache->metrics = metrics;
    cache->bucket_mask = buckets - 1;
    cache->absent.bytes_max = bytes / ABSENT_PART;
    cache->found.bytes_max = bytes - cache->absent.bytes_max;
    return cache;
}

static void free_queue(struct queue *queue) {
    while (queue->oldest != NULL) {
        struct entry *entry = queue->oldest;
        queue->oldest = entry->newer;
        free(entry);
    }
}

void cache_free(struct cache *cache) {
    if (cache != NULL) {
        free_queue(&cache->found);
        free_queue(&cache->absent);
        free(cache);
    }
}

bool cache_find(struct cache *cache, enum cache_kind kind, struct slice key, uint64_t now_ms,
                struct store_operation *operation) {
    struct entry **place = find_place(cache, key, hash_bytes(key, &cache->seed));
    struct entry *entry = *place;
    if (entry == NULL || entry->kind != (uint8_t)kind) {
        return false;
    }
    if (is_dead(cache, entry, now_ms)) {
        remove_at(cache, place);
        tell_sizes(cache);
        return false;
    }
    if (!entry->visited) {
        entry->visited = true;
    }
    hand_out(entry, operation);
    operation->origin = entry->origin;
    return true;
}

static uint32_t next_stamp(struct cache *cache) {
    cache->stamp = cache->stamp >= UINT32_MAX - 1 ? 1 : cache->stamp + 1;
    return cache->stamp;
}

void cache_put(struct cache *cache, enum cache_kind kind, struct slice key, uint64_t now_ms,
               struct store_operation *answer) {
    uint64_t hash = hash_bytes(key, &cache->seed);
    size_t size = size_of_entry(key, answer);
    struct entry **place = find_place(cache, key, hash);
    if (*place != NULL) {
        remove_at(cache, place);
    }
    answer->copy = (struct store_copy){0, 0};
    struct queue *queue = answer->answer == STORE_ABSENT ? &cache->absent : &cache->found;
    struct entry *entry =
        size <= queue->bytes_max / LARGEST_PART ? entry_new(kind, key, answer, size) : NULL;
    if (entry != NULL) {
        entry->hash = hash;
        entry->filled_ms = now_ms;
        entry->origin = answer->origin;
        entry->epoch = cache->epochs[answer->origin];
        entry->stamp = next_stamp(cache);
        answer->copy = copy_of(entry);
        reclaim(cache, queue, now_ms, RECLAIM_STEPS);
        while (queue->bytes + entry->bytes > queue->bytes_max) {
            evict_one(cache, queue);
        }
        struct entry **bucket = &cache->buckets[hash & cache->bucket_mask];
        entry->next = *bucket;
        *bucket = entry;
        queue_add(queue, entry);
        cache->entries++;
    }
    tell_sizes(cache);
}

bool cache_holds(const struct cache *cache, const struct store_copy *copy) {
    const struct entry *entry = cache->buckets[copy->key_hash & cache->bucket_mask];
    uint32_t epoch = (uint32_t)(copy->number >> 32), stamp = (uint32_t)copy->number;
    while (entry != NULL && (entry->hash != copy->key_hash || entry->stamp != stamp)) {
        entry = entry->next;
    }
    return entry != NULL && entry->epoch == epoch && !is_forgotten(cache, entry);
}

bool cache_drop(struct cache *cache, struct slice key) {
    struct entry **place = find_place(cache, key, hash_bytes(key, &cache->seed));
    if (*place == NULL) {
        return false;
    }
    remove_at(cache, place);
    tell_sizes(cache);
    return true;
}

void cache_forget(struct cache *cache, unsigned origin) {
    cache->epochs[origin] = ++cache->epoch;
    counter_add(&cache->metrics->emptied, 1);
}

void cache_sweep(struct cache *cache, uint64_t now_ms) {
    reclaim(cache, &cache->found, now_ms, SWEEP_STEPS);
    reclaim(cache, &cache->absent, now_ms, SWEEP_STEPS);
    tell_sizes(cache);
}
