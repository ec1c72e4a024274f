/* store.c: the cache, replies of Redis, commands to it. */
#include "micro.h"
#include "store/cache/cache.h"
#include "store/link/output.h"
#include "store/link/reply.h"
#include <stdlib.h>

#define KEY_SIZE 38u /* "token:" and 32 hex digits */
#define FEW 1000u
#define MANY 100000u
#define ENTRY_OVERHEAD 128u /* more than there is: all `live` entries have room */
#define VALUE S(MICRO_RECORD)

/* ---- the cache ----
 *
 * 2 * live keys: the even ones are put in, the odd ones are not. */

static struct cache *cache;
static char *keys;
static unsigned live;

static struct slice key_at(unsigned index) {
    return slice_of(keys + (size_t)index * KEY_SIZE, KEY_SIZE);
}

static void make_keys(unsigned count) {
    static const char digits[] = "0123456789abcdef";
    keys = realloc(keys, (size_t)count * KEY_SIZE);
    MICRO_REQUIRE(keys != NULL);
    for (unsigned i = 0; i < count; i++) {
        char *key = keys + (size_t)i * KEY_SIZE;
        uint64_t bits = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        memcpy(key, "token:", 6);
        for (unsigned d = 0; d < 32; d++) {
            key[6 + d] = digits[bits >> (4 * (d % 16)) & 0xf];
        }
    }
}

static void put(unsigned index) {
    struct store_operation answer = {.answer = STORE_FOUND, .value = VALUE};
    cache_put(cache, CACHE_TEXT, key_at(index), MICRO_NOW_MS, &answer);
}

static void fill(unsigned count) {
    static struct cache_metrics metrics;
    static const struct hash_seed seed = {{1, 2}};
    size_t entry = KEY_SIZE + VALUE.size + ENTRY_OVERHEAD;
    if (live == count) {
        return;
    }
    live = count;
    make_keys(2 * count);
    cache_free(cache);
    cache = cache_new(count * entry * 8 / 7 + CACHE_BYTES_MIN, &seed, &metrics);
    MICRO_REQUIRE(cache != NULL);
    for (unsigned i = 0; i < count; i++) {
        put(2 * i);
    }
    MICRO_REQUIRE(counter_read(&metrics.entries) == count);
}

static void fill_few(void) {
    fill(FEW);
}

static void fill_many(void) {
    fill(MANY);
}

/* All over the place, each in its turn. */
static unsigned scattered(unsigned i) {
    return (unsigned)((uint64_t)i * 7919 % live);
}

static void find_what_is_there(unsigned i) {
    struct store_operation found;
    MICRO_REQUIRE(cache_find(cache, CACHE_TEXT, key_at(2 * scattered(i)), MICRO_NOW_MS, &found));
    MICRO_REQUIRE(found.value.size == VALUE.size);
}

static void find_what_is_not(unsigned i) {
    struct store_operation found;
    MICRO_REQUIRE(
        !cache_find(cache, CACHE_TEXT, key_at(2 * scattered(i) + 1), MICRO_NOW_MS, &found));
}

/* A cache that is full, with `live` entries about: each new one pushes one out. */
static struct cache_metrics full_metrics;

static void fill_up(unsigned count) {
    static const struct hash_seed seed = {{1, 2}};
    size_t entry = KEY_SIZE + VALUE.size + ENTRY_OVERHEAD / 2;
    live = count;
    make_keys(4 * count);
    cache_free(cache);
    full_metrics = (struct cache_metrics){.entries = {0}};
    cache = cache_new(count * entry * 8 / 7, &seed, &full_metrics);
    MICRO_REQUIRE(cache != NULL);
    for (unsigned i = 0; counter_read(&full_metrics.evicted) == 0; i++) {
        MICRO_REQUIRE(i < 2 * count);
        put(2 * count + i);
    }
}

static void fill_up_few(void) {
    fill_up(FEW);
}

static void fill_up_many(void) {
    fill_up(MANY);
}

static void put_and_evict(unsigned i) {
    uint64_t evicted = counter_read(&full_metrics.evicted);
    put(i % (2 * live));
    MICRO_REQUIRE(counter_read(&full_metrics.evicted) == evicted + 1);
}

/* ---- Redis ---- */

#define REPLY_TEXT                                                                                 \
    "%7\r\n$5\r\nscope\r\n$10\r\nread write\r\n$13\r\ndefault_scope\r\n$4\r\nread\r\n"             \
    "$3\r\ngen\r\n$16\r\n1234567890123456\r\n$7\r\ncreated\r\n$10\r\n1750000000\r\n"               \
    "$8\r\nsecret:1\r\n$72\r\n$sha256$"                                                            \
    "f891deff4e8971e17915c6f13fc0ff2192958f95d221dca546126ff2838cbce3\r\n"                         \
    "$13\r\nsecret:1:made\r\n$10\r\n1750000000\r\n"                                                \
    "$13\r\nsecret:1:used\r\n$10\r\n1795467590\r\n"

static struct reply_reader *reader;
static struct output output;

static void prepare_reader(void) {
    if (reader == NULL) {
        reader = reply_reader_new(160, 65536);
    }
    MICRO_REQUIRE(reader != NULL && reply_reader_reset(reader));
}

static void read_one(struct slice input, enum reply_type type) {
    const struct reply *reply;
    reply_reader_feed(reader, input);
    MICRO_REQUIRE(reply_reader_next(reader, &reply) == REPLY_READY && reply->type == type);
    MICRO_REQUIRE(reply_reader_next(reader, &reply) == REPLY_NEED_MORE);
}

static void read_status(unsigned i) {
    (void)i;
    read_one(S("+OK\r\n"), REPLY_STATUS);
}

static void read_map(unsigned i) {
    (void)i;
    read_one(S(REPLY_TEXT), REPLY_MAP);
}

static void prepare_output(void) {
    output_init(&output, 65536);
}

static void write_get(unsigned i) {
    (void)i;
    output_command(&output, 2);
    output_argument(&output, S("GET"));
    output_joined(&output, S("mintd:"), S("token:0123456789abcdef0123456789abcdef"));
    MICRO_REQUIRE(!output.failed && output.size != 0);
    output_clear(&output);
}

static void write_setex(unsigned i) {
    (void)i;
    output_command(&output, 4);
    output_argument(&output, S("SETEX"));
    output_joined(&output, S("mintd:"), S("token:0123456789abcdef0123456789abcdef"));
    output_number(&output, 3600);
    output_argument(&output, VALUE);
    MICRO_REQUIRE(!output.failed && output.size != 0);
    output_clear(&output);
}

const struct micro_scenario micro_store[] = {
    {"cache_hit_of_1000", 1000, fill_few, find_what_is_there},
    {"cache_miss_of_1000", 1000, fill_few, find_what_is_not},
    {"cache_hit_of_100000", 10000, fill_many, find_what_is_there},
    {"cache_miss_of_100000", 10000, fill_many, find_what_is_not},
    {"cache_put_full_of_1000", 1000, fill_up_few, put_and_evict},
    {"cache_put_full_of_100000", 10000, fill_up_many, put_and_evict},
    {"redis_reply_status", 1000, prepare_reader, read_status},
    {"redis_reply_client", 1000, prepare_reader, read_map},
    {"redis_command_get", 1000, prepare_output, write_get},
    {"redis_command_setex", 1000, prepare_output, write_setex},
    {.name = NULL},
};
