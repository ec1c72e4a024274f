/* What is remembered of reads: for how long what was heard counts, and what a decision rests on. */
#include "store/redis/cluster_internal.h"
#include "support/still_clock.h"
#include "unit/unit.h"

#include "mintd/clock.h"

#define TRUST_MS 1900u /* under 2 s, with the coarse clock's lag */

static void heard_counts_for_its_time_to_the_millisecond(void **state) {
    (void)state;
    uint64_t asked_ms = clock_monotonic_ms();
    assert_true(copies_is_recent(asked_ms));
    assert_true(copies_is_recent(asked_ms + 1)); /* a coarse clock may be behind */
    still_clock_move(TRUST_MS - 1);
    assert_true(copies_is_recent(asked_ms));
    still_clock_move(1);
    assert_false(copies_is_recent(asked_ms));
    assert_true(copies_is_recent(asked_ms + 1));
    assert_false(copies_is_recent(0));
}

/* ---- trust ---- */

static uint64_t heard_ms; /* in place of what a link tells */

uint64_t __wrap_link_heard_ms(const struct redis_link *link);
uint64_t __wrap_link_heard_ms(const struct redis_link *link) {
    (void)link;
    return heard_ms;
}

struct world {
    struct redis_cluster cluster;
    struct redis_store store;
    struct redis_node node;
};

/* One whose copies are trusted. */
static struct world *trusted(bool in_a_cluster) {
    static struct world world;
    memset(&world, 0, sizeof world);
    heard_ms = clock_monotonic_ms();
    world.node.store = &world.store;
    world.node.is_tracked = true;
    world.store.schema_is_ours = true;
    if (in_a_cluster) {
        world.store.cluster = &world.cluster;
        world.node.has_view = true;
        world.node.owned_ms = heard_ms;
    }
    assert_true(copies_is_trusted(&world.node));
    return &world;
}

static void trust_wants_all_of_it(void **state) {
    (void)state;
    for (int in_a_cluster = 0; in_a_cluster < 2; in_a_cluster++) {
        struct world *world = trusted(in_a_cluster);
        world->node.is_tracked = false;
        assert_false(copies_is_trusted(&world->node));

        world = trusted(in_a_cluster);
        world->store.schema_is_ours = false;
        assert_false(copies_is_trusted(&world->node));

        world = trusted(in_a_cluster);
        world->store.identity.pinned[0] = 'x'; /* and nothing is known of it */
        assert_false(copies_is_trusted(&world->node));

        world = trusted(in_a_cluster);
        heard_ms -= TRUST_MS;
        assert_false(copies_is_trusted(&world->node));
    }
}

/* Heard of it is not enough there: it has to say that the slots are its own. */
static void node_of_a_cluster_says_lately_what_it_has(void **state) {
    (void)state;
    struct world *world = trusted(true);
    world->node.has_view = false;
    assert_false(copies_is_trusted(&world->node));
    world = trusted(true);
    world->node.owned_ms -= TRUST_MS;
    assert_false(copies_is_trusted(&world->node));
    world->node.owned_ms++;
    assert_true(copies_is_trusted(&world->node));
}

/* ---- forgetting ---- */

static const struct hash_seed seed = {{1, 2}};

static struct store_copy put(struct redis_store *store, const char *key) {
    struct store_operation answer = {.answer = STORE_FOUND, .value = S("v")};
    cache_put(store->copies.cache, CACHE_TEXT, slice_of_string(key), 1, &answer);
    return answer.copy;
}

static bool has(const struct world *world, const char *key) {
    struct store_operation found;
    return cache_find(world->store.copies.cache, CACHE_TEXT, slice_of_string(key), 1, &found);
}

static bool is_spoiled(struct world *world, const char *key) {
    return flights_find(&world->store.copies.flights, REDIS_GET, slice_of_string(key)) == NULL;
}

/* The node has told the identity, and has the copies of a and b, which are asked for, too. */
static struct world *with_copies(void) {
    static struct store_metrics metrics;
    struct world *world = trusted(false);
    struct redis_store *store = &world->store;
    memset(&metrics, 0, sizeof metrics);
    store->metrics = &metrics;
    store->prefix = S("mintd:");
    store->nodes[0] = &world->node;
    store->node_count = 1;
    store->identity.is_watched = true;
    store->copies.flights.seed = seed;
    store->copies.cache = cache_new(CACHE_BYTES_MIN, &seed, &metrics.cache);
    assert_non_null(store->copies.cache);
    for (const char *key = "a\0b\0"; *key != '\0'; key += 2) {
        put(store, key);
        assert_non_null(
            flights_add(&store->copies.flights, world, REDIS_GET, slice_of_string(key)));
    }
    return world;
}

static void free_copies(struct world *world) {
    struct flights *flights = &world->store.copies.flights;
    for (unsigned i = 0; i < FLIGHTS_BUCKETS; i++) {
        while (flights->buckets[i] != NULL) {
            flights_remove(flights, flights->buckets[i]);
        }
    }
    cache_free(world->store.copies.cache);
}

static struct reply_reader *read_reply(const char *text, unsigned nodes,
                                       const struct reply **reply) {
    struct reply_reader *reader = reply_reader_new(nodes, 256);
    assert_true(reader != NULL && reply_reader_reset(reader));
    reply_reader_feed(reader, slice_of_string(text));
    assert_int_equal(reply_reader_next(reader, reply), REPLY_READY);
    return reader;
}

/* The push lies in memory that ends where it ends. */
static void push(struct world *world, const char *text) {
    const struct reply *reply;
    struct reply_reader *reader = read_reply(text, 16, &reply);
    unsigned nodes = 1 + reply->below;
    reply_reader_free(reader);
    reader = read_reply(text, nodes, &reply);
    copies_on_push(&world->node, reply);
    reply_reader_free(reader);
}

static uint64_t invalidated(const struct world *world) {
    return counter_read(&world->store.metrics->cache.invalidated);
}

static void push_forgets_the_keys_that_it_names(void **state) {
    (void)state;
    struct world *world = with_copies();
    push(world, ">2\r\n$10\r\ninvalidate\r\n*3\r\n$7\r\nother:b\r\n$1\r\nb\r\n$7\r\nmintd:a\r\n");
    assert_false(has(world, "a"));
    assert_true(is_spoiled(world, "a"));
    assert_true(has(world, "b"));
    assert_false(is_spoiled(world, "b"));
    assert_int_equal(invalidated(world), 1);
    assert_true(world->store.identity.is_watched);
    push(world, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\nmintd:c\r\n");
    assert_int_equal(invalidated(world), 1); /* there was nothing */
    push(world, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$14\r\nmintd:identity\r\n");
    assert_false(world->store.identity.is_watched);
    free_copies(world);
}

static void push_of_another_kind_forgets_nothing(void **state) {
    (void)state;
    struct world *world = with_copies();
    push(world, ">2\r\n$10\r\nsomething!\r\n*1\r\n$7\r\nmintd:a\r\n");
    world->node.is_tracked = false; /* nothing of it counts */
    push(world, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\nmintd:a\r\n");
    push(world, ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    assert_true(has(world, "a") && has(world, "b"));
    assert_false(is_spoiled(world, "a") || is_spoiled(world, "b"));
    assert_int_equal(invalidated(world), 0);
    free_copies(world);
}

static void assert_all_is_forgotten(struct world *world) {
    assert_false(has(world, "a") || has(world, "b"));
    assert_true(is_spoiled(world, "a") && is_spoiled(world, "b"));
    assert_false(world->store.identity.is_watched);
    free_copies(world);
}

/* FLUSHALL, or what is not understood. */
static void push_of_everything_forgets_everything(void **state) {
    static const char *const texts[] = {">2\r\n$10\r\ninvalidate\r\n_\r\n",
                                        ">1\r\n$10\r\ninvalidate\r\n",
                                        ">3\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n:1\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct world *world = with_copies();
        push(world, texts[i]);
        assert_all_is_forgotten(world);
    }
    struct world *world = with_copies();
    copies_on_push(&world->node, NULL); /* too much to be read */
    assert_all_is_forgotten(world);
    world = with_copies();
    copies_forget_all(&world->store);
    assert_all_is_forgotten(world);
}

/* Its own copies go; whoever else has told the identity still watches it. */
static void what_another_node_has_stays(void **state) {
    (void)state;
    struct world *world = with_copies();
    struct redis_node other = {.store = &world->store, .index = 1, .link = (struct redis_link *)1};
    copies_forget_node(&other);
    assert_true(has(world, "a") && has(world, "b"));
    assert_true(is_spoiled(world, "a")); /* asked for once more */
    assert_true(world->store.identity.is_watched);
    other.index = NODE_NONE;
    copies_forget_node(&other);
    assert_true(has(world, "a") && has(world, "b"));
    free_copies(world);
}

static void without_a_cache_reads_are_spoiled_all_the_same(void **state) {
    (void)state;
    struct world *world = with_copies();
    cache_free(world->store.copies.cache);
    world->store.copies.cache = NULL;
    copies_forget_key(&world->store, S("a"));
    assert_true(is_spoiled(world, "a"));
    assert_false(is_spoiled(world, "b"));
    copies_forget_node(&world->node);
    assert_true(is_spoiled(world, "b"));
    free_copies(world);
}

/* ---- premises ---- */

static bool holds(const struct redis_store *store, struct store_operation *operation) {
    copies_judge_premises(store, operation);
    return operation->holds;
}

/* Each of them has to be in memory still; what rests on nothing holds. */
static void decision_holds_while_all_its_premises_do(void **state) {
    (void)state;
    static struct redis_store store;
    struct cache_metrics metrics = {0};
    struct store_premise premises[STORE_PREMISES_MAX] = {0};
    struct store_operation operation;
    memset(&operation, 0xa5, sizeof operation);
    store.copies.cache = cache_new(CACHE_BYTES_MIN, &seed, &metrics);
    assert_non_null(store.copies.cache);
    for (unsigned lost = 0; lost < STORE_PREMISES_MAX; lost++) {
        for (unsigned i = 0; i < STORE_PREMISES_MAX; i++) {
            char key[2] = {(char)('a' + (int)i), '\0'};
            premises[i].copy = put(&store, key);
        }
        copies_rest_on(&operation, premises, STORE_PREMISES_MAX);
        assert_true(holds(&store, &operation));
        char key[2] = {(char)('a' + (int)lost), '\0'};
        assert_true(cache_drop(store.copies.cache, slice_of_string(key)));
        assert_false(holds(&store, &operation));
        copies_rest_on(&operation, premises, lost); /* those ahead of it */
        assert_true(holds(&store, &operation));
        copies_rest_on(&operation, premises, 0);
        assert_true(holds(&store, &operation));
    }
    cache_free(store.copies.cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heard_counts_for_its_time_to_the_millisecond),
        cmocka_unit_test(trust_wants_all_of_it),
        cmocka_unit_test(node_of_a_cluster_says_lately_what_it_has),
        cmocka_unit_test(push_forgets_the_keys_that_it_names),
        cmocka_unit_test(push_of_another_kind_forgets_nothing),
        cmocka_unit_test(push_of_everything_forgets_everything),
        cmocka_unit_test(what_another_node_has_stays),
        cmocka_unit_test(without_a_cache_reads_are_spoiled_all_the_same),
        cmocka_unit_test(decision_holds_while_all_its_premises_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
