/* What a node of a cluster says of slots (the answer to CLUSTER SLOTS), whatever it is. It is taken
 * as a whole or not at all; then each slot has one node, which there is.
 *
 * Input: what the node sends, ' ' for the end of a line. Nothing is connected: the loop only runs
 * to its end. */
#include "fuzz/fuzz.h"
#include "mintd/log.h"
#include "store/link/reply.h"
#include "store/redis/cluster_internal.h"
#include <uv.h>

#define SIZE_MAX_OF_INPUT 4096u

/* In place of libuv's: no name is looked up, which would take long. */
int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb on_done,
                   const char *node, const char *service, const struct addrinfo *hints) {
    (void)loop, (void)request, (void)on_done, (void)node, (void)service, (void)hints;
    return UV_EAI_FAIL;
}

static void on_closed(void *context) {
    *(bool *)context = true;
}

static struct redis_store *open_store(uv_loop_t *loop) {
    static struct store_metrics metrics;
    struct redis_store_options options = {
        .url = {.topology = REDIS_CLUSTER, .is_unix = true, .seed_count = 1},
        .prefix = S("mintd:"),
        .timeout_ms = 600,
        .metrics = &metrics,
    };
    memcpy(options.url.seeds[0].host, "/nowhere/seed", sizeof "/nowhere/seed");
    FUZZ_REQUIRE(uv_loop_init(loop) == 0);
    struct redis_store *store = redis_store_of(redis_store_new(loop, &options));
    FUZZ_REQUIRE(store != NULL);
    return store;
}

static void close_store(struct redis_store *store, uv_loop_t *loop) {
    bool closed = false;
    store_close(&store->base, on_closed, &closed);
    while (!closed) {
        uv_run(loop, UV_RUN_ONCE);
    }
    store_free(&store->base);
    FUZZ_REQUIRE(uv_loop_close(loop) == 0);
}

static struct redis_node *meet(struct redis_store *store, char name) {
    char host[2] = {name, '\0'}, id[NODE_ID_SIZE];
    memset(id, name, sizeof id);
    struct redis_node *node = cluster_meet(
        store, &(struct node_facts){
                   .host = slice_of_string(host), .id = slice_of(id, sizeof id), .port = 7000});
    FUZZ_REQUIRE(node != NULL);
    return node;
}

static void require_view(const struct redis_store *store, const struct redis_node *node) {
    for (unsigned i = 0; i < node->view_count; i++) {
        const struct slot_range *range = &node->view[i];
        FUZZ_REQUIRE(range->first <= range->last && range->last < CLUSTER_SLOTS);
        FUZZ_REQUIRE(i == 0 || node->view[i - 1].last < range->first);
        FUZZ_REQUIRE(range->node < store->node_count && store->nodes[range->node] != NULL);
    }
}

static void require_map(const struct redis_store *store) {
    unsigned slots[NODES_MAX + 1u] = {0};
    for (unsigned slot = 0; slot < CLUSTER_SLOTS; slot++) {
        unsigned owner = store->cluster->node_of[slot];
        FUZZ_REQUIRE(owner == NODE_NONE || store->nodes[owner] != NULL);
        slots[owner]++;
    }
    for (unsigned i = 0; i < store->node_count; i++) {
        FUZZ_REQUIRE(slots[i] == store->cluster->slots_of[i]);
    }
}

static void feed(struct reply_reader *reader, struct slice input) {
    static char bytes[2 * SIZE_MAX_OF_INPUT];
    struct buffer text = buffer_of(bytes, sizeof bytes);
    for (size_t i = 0; i < input.size; i++) {
        buffer_append(&text, input.data[i] == ' ' ? S("\r\n") : slice_of(&input.data[i], 1));
    }
    reply_reader_feed(reader, buffer_slice(&text));
}

/* Kept while nothing is taken, since to make one takes long. */
static struct world {
    uv_loop_t loop;
    struct redis_store *store; /* NULL: to be made */
    struct redis_node *a, *b;
} world;

static void open_world(void) {
    if (world.store == NULL) {
        world.store = open_store(&world.loop);
        world.a = meet(world.store, 'a');
        world.b = meet(world.store, 'b');
    }
}

/* True: it was taken, so that there may be nodes that there were not. */
static bool take(const struct reply *reply) {
    struct redis_node *a = world.a;
    bool before = a->has_view;
    unsigned count = a->view_count;
    if (!cluster_take_view(a, reply)) {
        FUZZ_REQUIRE(a->has_view == before && a->view_count == count);
        return false;
    }
    FUZZ_REQUIRE(a->has_view);
    require_view(world.store, a);
    cluster_take_view(world.b, reply);
    cluster_vote(world.store);
    require_map(world.store);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct reply_reader *reader;
    const struct reply *reply = NULL;
    bool is_taken = false;
    if (reader == NULL) {
        log_set_level(LOG_SILENT);
        reader = reply_reader_new(32768, 256 * 1024);
    }
    if (size > SIZE_MAX_OF_INPUT || reader == NULL || !reply_reader_reset(reader)) {
        return 0;
    }
    feed(reader, fuzz_input(data, size));
    while (reply_reader_next(reader, &reply) == REPLY_READY) {
        open_world();
        is_taken = take(reply) || is_taken;
    }
    if (is_taken) {
        close_store(world.store, &world.loop);
        world.store = NULL;
    }
    return 0;
}
