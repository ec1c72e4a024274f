/* Answers of reads, kept in memory within a bound. */
#include "store/cache/cache.h"
#include "support/fault.h"
#include "unit/unit.h"
#include <stdio.h>
#include <stdlib.h>

#define ROOM CACHE_BYTES_MIN
#define ABSENT_ROOM (ROOM / 8)
#define FOUND_ROOM (ROOM - ABSENT_ROOM)
#define NOW 1000000u

struct world {
    struct cache *cache;
    struct cache_metrics metrics;
};

static const struct hash_seed seed = {{11, 12}};

static int set_up(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->cache = cache_new(ROOM, &seed, &world->metrics);
    assert_non_null(world->cache);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    cache_free(world->cache);
    free(world);
    return 0;
}

static uint64_t entries(const struct world *world) {
    return counter_read(&world->metrics.entries);
}

static uint64_t bytes(const struct world *world) {
    return counter_read(&world->metrics.bytes);
}

/* ---- putting and finding ---- */

/* The answer lies in memory that ends where it ends and is gone afterwards. */
static void put_text_at(struct world *world, struct slice key, struct slice value, uint64_t now) {
    char *storage = malloc(key.size + value.size + 1);
    assert_non_null(storage);
    memcpy(storage, key.data, key.size);
    memcpy(storage + key.size, value.data, value.size);
    struct store_operation answer = {.answer = STORE_FOUND,
                                     .value = slice_of(storage + key.size, value.size)};
    cache_put(world->cache, CACHE_TEXT, slice_of(storage, key.size), now, &answer);
    free(storage);
}

static void put_text(struct world *world, const char *key, const char *value) {
    put_text_at(world, slice_of_string(key), slice_of_string(value), NOW);
}

static void put_absent(struct world *world, enum cache_kind kind, const char *key) {
    struct store_operation answer = {.answer = STORE_ABSENT};
    cache_put(world->cache, kind, slice_of_string(key), NOW, &answer);
}

static bool find_at(struct world *world, enum cache_kind kind, const char *key, uint64_t now,
                    struct store_operation *found) {
    *found = (struct store_operation){.answer = STORE_UNKNOWN};
    return cache_find(world->cache, kind, slice_of_string(key), now, found);
}

static bool has(struct world *world, enum cache_kind kind, const char *key) {
    struct store_operation found;
    return find_at(world, kind, key, NOW, &found);
}

static void assert_text(struct world *world, const char *key, const char *value) {
    struct store_operation found;
    assert_true(find_at(world, CACHE_TEXT, key, NOW, &found));
    assert_int_equal(found.answer, STORE_FOUND);
    assert_slice(found.value, slice_of_string(value));
    assert_int_equal(found.field_count, 0);
}

static void text_is_found(void **state) {
    struct world *world = *state;
    assert_false(has(world, CACHE_TEXT, "k"));
    put_text(world, "k", "value");
    put_text(world, "empty", "");
    assert_text(world, "k", "value");
    assert_text(world, "empty", "");
    assert_false(has(world, CACHE_HASH, "k")); /* read as a hash it is another answer */
    assert_text(world, "k", "value");
    assert_false(has(world, CACHE_TEXT, "K"));
    assert_false(has(world, CACHE_TEXT, "k "));
    assert_false(has(world, CACHE_TEXT, ""));
    assert_int_equal(entries(world), 2);
}

static void hash_is_found(void **state) {
    struct world *world = *state;
    struct store_field fields[STORE_FIELDS_MAX];
    char names[STORE_FIELDS_MAX][8];
    struct store_operation found;
    for (size_t count = 1; count <= STORE_FIELDS_MAX; count *= 4) {
        for (size_t i = 0; i < count; i++) {
            snprintf(names[i], sizeof names[i], "f%zu", i);
            fields[i] = (struct store_field){slice_of_string(names[i]), S("a value")};
        }
        fields[count - 1].value = S("");
        struct store_operation answer = {
            .answer = STORE_FOUND, .fields = fields, .field_count = count};
        cache_put(world->cache, CACHE_HASH, S("client:svc-a"), NOW, &answer);
        memset(names, 'x', sizeof names);
        assert_true(find_at(world, CACHE_HASH, "client:svc-a", NOW, &found));
        assert_int_equal(found.answer, STORE_FOUND);
        assert_int_equal(found.field_count, count);
        for (size_t i = 0; i < count; i++) {
            char name[8];
            snprintf(name, sizeof name, "f%zu", i);
            assert_slice(found.fields[i].name, slice_of_string(name));
            assert_slice(found.fields[i].value, i == count - 1 ? S("") : S("a value"));
        }
        assert_false(has(world, CACHE_TEXT, "client:svc-a"));
    }
    assert_int_equal(entries(world), 1);
}

static void absence_is_an_answer(void **state) {
    struct world *world = *state;
    struct store_operation found;
    put_absent(world, CACHE_TEXT, "none");
    put_absent(world, CACHE_HASH, "no client");
    assert_true(find_at(world, CACHE_TEXT, "none", NOW, &found));
    assert_int_equal(found.answer, STORE_ABSENT);
    assert_true(slice_is_absent(found.value));
    assert_true(find_at(world, CACHE_HASH, "no client", NOW, &found));
    assert_int_equal(found.answer, STORE_ABSENT);
    assert_int_equal(found.field_count, 0);
}

/* Whatever was there before: text, hash or nothing. */
static void last_put_counts(void **state) {
    struct world *world = *state;
    const struct store_field field = {SLICE("f"), SLICE("v")};
    struct store_operation hash = {.answer = STORE_FOUND, .fields = &field, .field_count = 1};
    put_text(world, "k", "one");
    put_text(world, "k", "two");
    assert_text(world, "k", "two");
    cache_put(world->cache, CACHE_HASH, S("k"), NOW, &hash);
    assert_false(has(world, CACHE_TEXT, "k"));
    assert_true(has(world, CACHE_HASH, "k"));
    put_absent(world, CACHE_TEXT, "k");
    assert_true(has(world, CACHE_TEXT, "k"));
    put_text(world, "k", "three");
    assert_text(world, "k", "three");
    assert_int_equal(entries(world), 1);
    assert_true(cache_drop(world->cache, S("k")));
    assert_int_equal(entries(world), 0);
    assert_int_equal(bytes(world), 0);
}

static void dropped_is_gone(void **state) {
    struct world *world = *state;
    put_text(world, "k", "value");
    put_absent(world, CACHE_TEXT, "none");
    assert_true(cache_drop(world->cache, S("k")));
    assert_false(cache_drop(world->cache, S("k")));
    assert_false(has(world, CACHE_TEXT, "k"));
    assert_true(cache_drop(world->cache, S("none")));
    assert_false(has(world, CACHE_TEXT, "none"));
    assert_int_equal(bytes(world), 0);
}

static void emptied_is_all_gone(void **state) {
    struct world *world = *state;
    char key[16];
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "key:%d", i);
        put_text(world, key, "old");
    }
    put_absent(world, CACHE_TEXT, "none");
    cache_forget(world->cache, 0);
    assert_int_equal(counter_read(&world->metrics.emptied), 1);
    put_text(world, "key:7", "new");
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "key:%d", i);
        assert_int_equal(has(world, CACHE_TEXT, key), i == 7);
    }
    assert_false(has(world, CACHE_TEXT, "none"));
    assert_text(world, "key:7", "new");
    assert_int_equal(entries(world), 1); /* those that were looked for are given back */
}

/* What nobody looks for comes back bit by bit, as new ones come in; it does not count as room. */
static void memory_comes_back_after_emptying(void **state) {
    struct world *world = *state;
    char key[16];
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "old:%d", i);
        put_text(world, key, "value");
    }
    cache_forget(world->cache, 0);
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "new:%d", i);
        put_text(world, key, "value");
    }
    assert_int_equal(entries(world), 40);
    assert_int_equal(counter_read(&world->metrics.evicted), 0);
}

static void entry_has_an_age(void **state) {
    struct world *world = *state;
    struct store_operation found;
    put_text(world, "k", "value");
    assert_true(find_at(world, CACHE_TEXT, "k", NOW + CACHE_AGE_MAX_MS - 1, &found));
    assert_false(find_at(world, CACHE_TEXT, "k", NOW + CACHE_AGE_MAX_MS, &found));
    assert_int_equal(entries(world), 0);
    put_text_at(world, S("k"), S("again"), NOW + CACHE_AGE_MAX_MS);
    assert_true(find_at(world, CACHE_TEXT, "k", NOW + 2 * CACHE_AGE_MAX_MS - 1, &found));
}

/* The same of what is too old. */
static void memory_of_the_old_comes_back(void **state) {
    struct world *world = *state;
    char key[16];
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "old:%d", i);
        put_text(world, key, "value");
    }
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "new:%d", i);
        put_text_at(world, slice_of_string(key), S("value"), NOW + CACHE_AGE_MAX_MS);
    }
    assert_int_equal(entries(world), 40);
    assert_int_equal(counter_read(&world->metrics.evicted), 0);
}

/* ---- sweeping ---- */

static void sweep_takes_what_is_too_old(void **state) {
    struct world *world = *state;
    struct store_operation found;
    put_text(world, "a", "value");
    put_absent(world, CACHE_TEXT, "none");
    put_text_at(world, S("b"), S("value"), NOW + 10);
    cache_sweep(world->cache, NOW + CACHE_AGE_MAX_MS - 1);
    assert_int_equal(entries(world), 3);
    cache_sweep(world->cache, NOW + CACHE_AGE_MAX_MS);
    assert_int_equal(entries(world), 1);
    assert_true(find_at(world, CACHE_TEXT, "b", NOW + CACHE_AGE_MAX_MS, &found));
    cache_sweep(world->cache, NOW + CACHE_AGE_MAX_MS + 10);
    assert_int_equal(entries(world), 0);
    assert_int_equal(bytes(world), 0);
}

static void sweep_takes_what_was_forgotten(void **state) {
    struct world *world = *state;
    put_text(world, "a", "value");
    put_absent(world, CACHE_TEXT, "none");
    cache_forget(world->cache, 0);
    put_text(world, "b", "value");
    cache_sweep(world->cache, NOW);
    assert_int_equal(entries(world), 1);
    assert_text(world, "b", "value");
}

/* However much there is to take: a turn of the loop stays short. */
static void sweep_takes_a_thousand(void **state) {
    struct world *world = *state;
    char key[16];
    cache_free(world->cache);
    world->cache = cache_new(16 * ROOM, &seed, &world->metrics);
    assert_non_null(world->cache);
    for (int i = 0; i < 2500; i++) {
        snprintf(key, sizeof key, "old:%d", i);
        put_text(world, key, "value");
    }
    for (int left = 1500; left >= -500; left -= 1000) {
        cache_sweep(world->cache, NOW + CACHE_AGE_MAX_MS);
        assert_int_equal(entries(world), left > 0 ? left : 0);
    }
}

/* ---- the bound ---- */

static const char *numbered(const char *kind, unsigned i) {
    static char key[24];
    snprintf(key, sizeof key, "%s:%06u", kind, i);
    return key;
}

static unsigned fill(struct world *world, const char *value) {
    unsigned count = 0;
    while (counter_read(&world->metrics.evicted) == 0) {
        put_text(world, numbered("key", count++), value);
        assert_true(bytes(world) <= FOUND_ROOM);
    }
    return count;
}

static void room_is_bounded(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < 20000; i++) {
        put_text(world, numbered("key", i), "some value of usual size");
        put_absent(world, CACHE_TEXT, numbered("none", i));
        assert_true(bytes(world) <= ROOM);
    }
    assert_true(bytes(world) > ROOM - 512);
    assert_true(counter_read(&world->metrics.evicted) > 30000);
    assert_true(has(world, CACHE_TEXT, "key:019999"));
    assert_true(has(world, CACHE_TEXT, "none:019999"));
}

/* Strangers who ask for what is not there push out nothing that is. */
static void absence_has_an_eighth(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < 100; i++) {
        put_text(world, numbered("key", i), "value");
    }
    uint64_t before = bytes(world);
    for (unsigned i = 0; i < 20000; i++) {
        put_absent(world, CACHE_TEXT, numbered("none", i));
        assert_true(bytes(world) - before <= ABSENT_ROOM);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_true(has(world, CACHE_TEXT, numbered("key", i)));
    }
}

static void too_large_is_not_kept(void **state) {
    struct world *world = *state;
    static char large[FOUND_ROOM / 8];
    memset(large, 'x', sizeof large);
    put_text(world, "k", "small");
    put_text_at(world, S("k"), slice_of(large, sizeof large), NOW);
    assert_false(has(world, CACHE_TEXT, "k")); /* nor is what it was before */
    assert_int_equal(bytes(world), 0);
    put_text_at(world, S("k"), slice_of(large, sizeof large - 256), NOW);
    assert_true(has(world, CACHE_TEXT, "k"));
}

static uint64_t bytes_of(struct world *world, struct slice value) {
    put_text_at(world, S("k"), value, NOW);
    return bytes(world);
}

/* An eighth of the room, to the byte; what the heap takes for it comes on top. */
static void largest_is_an_eighth(void **state) {
    enum { HEAP = 16 };
    struct world *world = *state;
    static char large[FOUND_ROOM / 8];
    memset(large, 'x', sizeof large);
    size_t head = bytes_of(world, S("")) - HEAP;
    assert_int_equal(bytes_of(world, slice_of(large, FOUND_ROOM / 8 - head)),
                     FOUND_ROOM / 8 + HEAP);
    assert_int_equal(bytes_of(world, slice_of(large, FOUND_ROOM / 8 - head + 1)), 0);
}

/* Nothing goes before the room is full to the byte. */
static void room_is_used_whole(void **state) {
    struct world *world = *state;
    static char value[FOUND_ROOM / 8];
    memset(value, 'x', sizeof value);
    size_t head = bytes_of(world, S(""));
    assert_true(cache_drop(world->cache, S("k")));
    struct slice eighth = slice_of(value, FOUND_ROOM / 8 - head);
    for (unsigned i = 0; i < 8; i++) {
        put_text_at(world, slice_of_string(&"a\0b\0c\0d\0e\0f\0g\0h"[2 * i]), eighth, NOW);
    }
    assert_int_equal(bytes(world), FOUND_ROOM);
    assert_int_equal(counter_read(&world->metrics.evicted), 0);
    put_text_at(world, S("i"), S(""), NOW);
    assert_int_equal(counter_read(&world->metrics.evicted), 1);
}

static void room_has_a_least(void **state) {
    struct world *world = *state;
    cache_free(world->cache);
    world->cache = cache_new(1, &seed, &world->metrics);
    assert_non_null(world->cache);
    unsigned count = fill(world, "value");
    assert_true(count > 100);
}

/* ---- who goes (SIEVE) ---- */

static void what_was_asked_for_stays(void **state) {
    struct world *world = *state;
    unsigned count = fill(world, "value"); /* key 0 has gone, the hand is on key 1 */
    assert_false(has(world, CACHE_TEXT, numbered("key", 0)));
    assert_true(has(world, CACHE_TEXT, numbered("key", 1)));
    assert_true(has(world, CACHE_TEXT, numbered("key", 3)));
    put_text(world, numbered("key", count), "value");
    cache_drop(world->cache, S("nothing"));
    /* Passed over 1, took 2; the hand is on 3. */
    put_text(world, numbered("key", count + 1), "value");
    /* Passed over 3, took 4; the hand is on 5, which goes another way: the hand moves on to 6. */
    assert_true(cache_drop(world->cache, slice_of_string(numbered("key", 5))));
    put_text(world, numbered("key", count + 2), "value"); /* takes the room of 5 */
    put_text(world, numbered("key", count + 3), "value");
    assert_int_equal(counter_read(&world->metrics.evicted), 4);
    static const bool stays[] = {false, true, false, true, false, false, false, true, true};
    for (unsigned i = 0; i < COUNT_OF(stays); i++) {
        assert_int_equal(has(world, CACHE_TEXT, numbered("key", i)), stays[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_true(has(world, CACHE_TEXT, numbered("key", count + i)));
    }
}

/* At the newest end the hand begins anew at the oldest. */
static void hand_comes_round(void **state) {
    struct world *world = *state;
    static char value[3000];
    memset(value, 'v', sizeof value - 1);
    unsigned count = fill(world, value);
    assert_in_range(count, 10, 40);
    for (unsigned i = 1; i < count; i++) {
        assert_true(has(world, CACHE_TEXT, numbered("key", i)));
    }
    put_text(world, numbered("key", count), value); /* all were visited: once round, then key 1 */
    assert_false(has(world, CACHE_TEXT, numbered("key", 1)));
    for (unsigned i = 2; i <= count; i++) {
        assert_true(has(world, CACHE_TEXT, numbered("key", i)));
    }
}

/* However many were asked for, the hand takes 64 steps at most, and then what is under it. */
static void hand_takes_few_steps(void **state) {
    struct world *world = *state;
    unsigned count = fill(world, "value");
    assert_true(count > 200);
    for (unsigned i = 1; i < count; i++) {
        assert_true(has(world, CACHE_TEXT, numbered("key", i)));
    }
    put_text(world, numbered("key", count), "value");
    assert_int_equal(counter_read(&world->metrics.evicted), 2);
    for (unsigned i = 1; i <= count; i++) {
        assert_int_equal(has(world, CACHE_TEXT, numbered("key", i)), i != 65);
    }
}

static void scan_goes_first(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < 50; i++) {
        put_text(world, numbered("hot", i), "value");
    }
    for (unsigned i = 0; i < 20000; i++) {
        if (i % 100 == 0) {
            for (unsigned hot = 0; hot < 50; hot++) {
                assert_true(has(world, CACHE_TEXT, numbered("hot", hot)));
            }
        }
        put_text(world, numbered("scan", i), "value");
    }
}

/* ---- without memory ---- */

static void without_memory_there_is_no_cache(void **state) {
    struct cache_metrics metrics = {0};
    (void)state;
    fault_fail_at(1);
    struct cache *cache = cache_new(ROOM, &seed, &metrics);
    fault_disarm();
    assert_null(cache);
    cache_free(NULL);
}

/* Nor is the old answer kept, which is wrong by now. */
static void without_memory_nothing_is_kept(void **state) {
    struct world *world = *state;
    put_text(world, "k", "old");
    struct store_operation answer = {.answer = STORE_FOUND, .value = S("new")};
    fault_fail_at(1);
    cache_put(world->cache, CACHE_TEXT, S("k"), NOW, &answer);
    fault_disarm();
    assert_false(has(world, CACHE_TEXT, "k"));
    assert_int_equal(entries(world), 0);
    assert_int_equal(bytes(world), 0);
    put_text(world, "k", "new");
    assert_text(world, "k", "new");
}

/* ---- against a model ---- */

#define KEYS 600u

/* What may be found of a key: nothing, or exactly this. */
struct model {
    bool kept, absent;
    enum cache_kind kind;
    uint64_t filled_ms;
    unsigned number, padding;
};

static uint32_t random_state = 20260101;

static unsigned dice(unsigned sides) {
    random_state = random_state * 1664525u + 1013904223u;
    return (unsigned)(((uint64_t)random_state * sides) >> 32);
}

static char padding[5000];

static void model_put(struct world *world, struct model *model, const char *key, uint64_t now) {
    char text[16];
    *model = (struct model){.kept = true,
                            .absent = dice(4) == 0,
                            .kind = dice(2) == 0 ? CACHE_TEXT : CACHE_HASH,
                            .filled_ms = now,
                            .number = dice(1000000),
                            .padding = dice(dice(20) == 0 ? sizeof padding : 100)};
    snprintf(text, sizeof text, "%u", model->number);
    const struct store_field fields[] = {{S("number"), slice_of_string(text)},
                                         {S("padding"), slice_of(padding, model->padding)}};
    struct store_operation answer = {.answer = model->absent ? STORE_ABSENT : STORE_FOUND};
    if (!model->absent && model->kind == CACHE_HASH) {
        answer.fields = fields;
        answer.field_count = COUNT_OF(fields);
    } else if (!model->absent) {
        answer.value = slice_of_string(text);
    }
    cache_put(world->cache, model->kind, slice_of_string(key), now, &answer);
}

static bool model_find(struct world *world, const struct model *model, const char *key,
                       uint64_t now) {
    enum cache_kind kind = dice(10) == 0 ? (enum cache_kind)dice(2) : model->kind;
    struct store_operation found;
    char text[16];
    if (!find_at(world, kind, key, now, &found)) {
        return false;
    }
    assert_true(model->kept);
    assert_int_equal(kind, model->kind);
    assert_true(now - model->filled_ms < CACHE_AGE_MAX_MS);
    assert_int_equal(found.answer, model->absent ? STORE_ABSENT : STORE_FOUND);
    snprintf(text, sizeof text, "%u", model->number);
    if (!model->absent && model->kind == CACHE_HASH) {
        assert_int_equal(found.field_count, 2);
        assert_slice(found.fields[0].value, slice_of_string(text));
        assert_slice(found.fields[1].value, slice_of(padding, model->padding));
    } else if (!model->absent) {
        assert_slice(found.value, slice_of_string(text));
    }
    return true;
}

static void nothing_wrong_is_ever_found(void **state) {
    struct world *world = *state;
    static struct model models[KEYS];
    uint64_t now = NOW, hits = 0, finds = 0;
    memset(padding, 'p', sizeof padding);
    for (unsigned step = 0; step < 200000; step++) {
        unsigned i = dice(2) == 0 ? dice(KEYS) : dice(50);
        const char *key = numbered("key", i);
        unsigned what = dice(1000);
        if (what < 600) {
            finds++;
            hits += model_find(world, &models[i], key, now);
        } else if (what < 900) {
            model_put(world, &models[i], key, now);
        } else if (what < 999) {
            bool was_there = cache_drop(world->cache, slice_of_string(key));
            assert_true(!was_there || models[i].filled_ms != 0);
            models[i].kept = false;
        } else if (what == 999 && dice(3) == 0) {
            cache_forget(world->cache, 0);
            for (unsigned k = 0; k < KEYS; k++) {
                models[k].kept = false;
            }
        }
        now += dice(20);
        assert_true(bytes(world) <= ROOM);
    }
    assert_true(hits > finds / 10); /* it does remember */
    for (unsigned i = 0; i < KEYS; i++) {
        cache_drop(world->cache, slice_of_string(numbered("key", i)));
    }
    assert_int_equal(entries(world), 0);
    assert_int_equal(bytes(world), 0);
}

/* ---- copies ---- */

static struct store_copy copy_of(struct world *world, const char *key) {
    struct store_operation found;
    assert_true(find_at(world, CACHE_TEXT, key, NOW, &found));
    return found.copy;
}

static void a_copy_holds_until_it_is_gone(void **state) {
    struct world *world = *state;
    put_text(world, "k", "v");
    put_text(world, "other", "v");
    struct store_copy copy = copy_of(world, "k"), other = copy_of(world, "other");
    assert_true(cache_holds(world->cache, &copy));
    cache_drop(world->cache, S("k"));
    assert_false(cache_holds(world->cache, &copy));
    assert_true(cache_holds(world->cache, &other));
    cache_forget(world->cache, 0);
    assert_false(cache_holds(world->cache, &other));
}

/* The same text once more is another copy: in between it may have been another. */
static void a_copy_is_not_the_next_one(void **state) {
    struct world *world = *state;
    struct store_operation answer = {.answer = STORE_FOUND, .value = S("v")};
    cache_put(world->cache, CACHE_TEXT, S("k"), NOW, &answer);
    struct store_copy first = answer.copy;
    assert_true(cache_holds(world->cache, &first));
    cache_put(world->cache, CACHE_TEXT, S("k"), NOW, &answer);
    assert_true(cache_holds(world->cache, &answer.copy));
    assert_false(cache_holds(world->cache, &first));
    cache_forget(world->cache, 0);
    cache_put(world->cache, CACHE_TEXT, S("k"), NOW, &answer);
    assert_true(cache_holds(world->cache, &answer.copy));
}

static void a_copy_that_was_evicted_does_not_hold(void **state) {
    struct world *world = *state;
    struct store_operation answer = {.answer = STORE_FOUND, .value = S("v")};
    cache_put(world->cache, CACHE_TEXT, S("k"), NOW, &answer);
    struct store_copy copy = answer.copy;
    for (unsigned i = 0; cache_holds(world->cache, &copy); i++) {
        assert_in_range(i, 0, 100000);
        put_text(world, numbered("key", i), "v");
    }
    assert_true(counter_read(&world->metrics.evicted) > 0);
    assert_false(has(world, CACHE_TEXT, "k"));
}

static void an_origin_is_forgotten_alone(void **state) {
    struct world *world = *state;
    struct store_operation a = {.answer = STORE_FOUND, .value = S("a"), .origin = 7};
    struct store_operation b = {.answer = STORE_FOUND, .value = S("b"), .origin = 254};
    struct store_operation found;
    cache_put(world->cache, CACHE_TEXT, S("a"), NOW, &a);
    cache_put(world->cache, CACHE_TEXT, S("b"), NOW, &b);
    assert_true(cache_find(world->cache, CACHE_TEXT, S("a"), NOW, &found));
    assert_int_equal(found.origin, 7);
    cache_forget(world->cache, 7);
    assert_false(has(world, CACHE_TEXT, "a"));
    assert_false(cache_holds(world->cache, &a.copy));
    assert_true(cache_holds(world->cache, &b.copy));
    assert_true(cache_find(world->cache, CACHE_TEXT, S("b"), NOW, &found));
    assert_int_equal(found.origin, 254);
    cache_put(world->cache, CACHE_TEXT, S("a"), NOW, &a); /* what comes later is good */
    assert_true(has(world, CACHE_TEXT, "a"));
}

static void what_is_not_kept_is_no_copy(void **state) {
    struct world *world = *state;
    static char large[CACHE_BYTES_MIN];
    struct store_operation answer = {.answer = STORE_FOUND, .value = slice_of(large, sizeof large)};
    answer.copy.number = 7;
    cache_put(world->cache, CACHE_TEXT, S("k"), NOW, &answer);
    assert_int_equal(answer.copy.number, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(text_is_found),
        TEST(hash_is_found),
        TEST(absence_is_an_answer),
        TEST(last_put_counts),
        TEST(dropped_is_gone),
        TEST(emptied_is_all_gone),
        TEST(memory_comes_back_after_emptying),
        TEST(entry_has_an_age),
        TEST(memory_of_the_old_comes_back),
        TEST(sweep_takes_what_is_too_old),
        TEST(sweep_takes_what_was_forgotten),
        TEST(sweep_takes_a_thousand),
        TEST(room_is_bounded),
        TEST(absence_has_an_eighth),
        TEST(too_large_is_not_kept),
        TEST(largest_is_an_eighth),
        TEST(room_is_used_whole),
        TEST(room_has_a_least),
        TEST(what_was_asked_for_stays),
        TEST(hand_comes_round),
        TEST(hand_takes_few_steps),
        TEST(scan_goes_first),
        cmocka_unit_test(without_memory_there_is_no_cache),
        TEST(without_memory_nothing_is_kept),
        TEST(nothing_wrong_is_ever_found),
        TEST(a_copy_holds_until_it_is_gone),
        TEST(a_copy_is_not_the_next_one),
        TEST(a_copy_that_was_evicted_does_not_hold),
        TEST(an_origin_is_forgotten_alone),
        TEST(what_is_not_kept_is_no_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
