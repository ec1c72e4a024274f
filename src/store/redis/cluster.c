/* A cluster's life: the scout, who is asked for its view and when, what is heard of a node. Which
 * nodes there are: cluster_nodes.c; who has which slot: cluster_map.c. */
#include "store/redis/cluster_internal.h"

#include "mintd/log.h"
#include <stdio.h>
#include <stdlib.h>

#define TICK_MS 250u
#define SCOUT_PAUSE_MS 500u

/* Of those that are heard. */
static bool any_is_up(const struct redis_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *node = store->nodes[i];
        if (node != NULL && node_is_up(node) && !node->is_unheard) {
            return true;
        }
    }
    return false;
}

/* ---- the scout ---- */

static void send_scout(struct redis_store *store) {
    struct redis_cluster *cluster = store->cluster;
    cluster->scout_ms = uv_now(store->loop);
    cluster->scout = node_new(store, NODE_NONE, NULL, SLICE_ABSENT);
    if (cluster->scout != NULL) {
        node_start(cluster->scout);
    }
}

static void call_back_scout(struct redis_store *store) {
    struct redis_cluster *cluster = store->cluster;
    struct redis_node *scout = cluster->scout;
    cluster->scout = NULL;
    if (scout != NULL) {
        node_close(scout);
    }
}

struct redis_node *cluster_scout(const struct redis_store *store) {
    return store->cluster == NULL ? NULL : store->cluster->scout;
}

void cluster_flush(struct redis_store *store) {
    struct redis_node *scout = cluster_scout(store);
    if (scout != NULL) {
        link_flush(scout->link, false);
    }
}

/* ---- a node's view ---- */

static void on_view(void *context, const struct link_result *result);

static void put_cluster(struct output *out, struct slice word) {
    output_command(out, 2);
    output_argument(out, S("CLUSTER"));
    output_argument(out, word);
}

/* A slot that went and came back between two views: its node has another epoch since, and may have
 * thrown away what it had without a word. */
static void on_info(void *context, const struct link_result *result) {
    const struct slice name = S("cluster_my_epoch:");
    struct redis_node *node = context;
    unsigned long long epoch = 0;
    struct slice line, rest = result->reply != NULL && result->reply->type == REPLY_TEXT
                                  ? result->reply->text
                                  : SLICE_ABSENT;
    while (slice_split(&rest, '\n', &line)) {
        if (slice_starts_with(line, name)) {
            struct slice number = slice_skip(line, name.size);
            number.size -= number.size != 0 && number.data[number.size - 1] == '\r' ? 1 : 0;
            slice_to_number(number, UINT64_MAX, &epoch);
        }
    }
    if (epoch != node->epoch) {
        node->epoch = epoch;
        node->store->cluster->is_patched = true; /* the vote may come out otherwise */
        copies_forget_node(node);
    }
}

static bool ask_epoch(struct redis_node *node) {
    const struct link_handler handler = {.on_reply = on_info, .context = node, .replies = 1};
    struct output *out = link_begin(node->link);
    unsigned slot;
    if (out == NULL) {
        return true;
    }
    put_cluster(out, S("INFO"));
    return link_end(node->link, &handler, &slot);
}

/* The epoch first: it is then no newer than the view. */
static void ask_view(struct redis_node *node) {
    const struct link_handler handler = {.on_reply = on_view, .context = node, .replies = 1};
    enum link_state state = link_state(node->link);
    unsigned slot;
    bool may_ask = !node->is_asked && (state == LINK_UP || state == LINK_GREETING);
    bool asked = !may_ask || node->index == NODE_NONE || ask_epoch(node);
    struct output *out = may_ask && asked ? link_begin(node->link) : NULL;
    if (out == NULL) {
        return;
    }
    put_cluster(out, S("SLOTS"));
    node->view_asked_ms = uv_now(node->store->loop);
    node->is_asked = link_end(node->link, &handler, &slot);
    if (!node->is_asked) {
        link_fail(node->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

void cluster_ask_all(struct redis_store *store) {
    struct redis_cluster *cluster = store->cluster;
    if (uv_now(store->loop) - cluster->asked_ms < TICK_MS && cluster->asked_ms != 0) {
        cluster->is_wanted = true; /* with the next tick */
        return;
    }
    cluster->asked_ms = uv_now(store->loop);
    cluster->is_wanted = false;
    for (unsigned i = 0; i < store->node_count; i++) {
        if (store->nodes[i] != NULL && node_is_up(store->nodes[i])) {
            ask_view(store->nodes[i]);
        }
    }
}

static void refuse_view(struct redis_node *node, const struct link_result *result) {
    const struct reply *reply = result->reply;
    bool is_error = reply != NULL && reply->type == REPLY_ERROR;
    if (is_error && slice_starts_with(reply->text, S("ERR This instance has cluster support"))) {
        link_fail(node->link, STORE_TROUBLE_CLUSTER,
                  "it is no node of a cluster; write redis:// in --redis");
    } else if (is_error && result->trouble == STORE_TROUBLE_NOPERM) {
        link_fail(node->link, STORE_TROUBLE_NOPERM, "its user has no right to CLUSTER SLOTS");
    } else if (link_state(node->link) != LINK_UP) {
        link_fail(node->link,
                  is_error && result->trouble != STORE_TROUBLE_NONE ? result->trouble
                                                                    : STORE_TROUBLE_CLUSTER,
                  "its answer to CLUSTER SLOTS makes no sense");
    } else if (!node->has_told_nonsense) {
        node->has_told_nonsense = true;
        log_warning("what a node of the cluster says of its slots makes no sense; what it said "
                    "before stays",
                    LOG_STRING("redis", link_address(node->link)));
    }
}

static void take_scouts_view(struct redis_node *scout) {
    struct redis_store *store = scout->store;
    if (scout->view_count == 0) {
        link_fail(scout->link, STORE_TROUBLE_CLUSTER,
                  "no slot of the cluster has a node, as it says");
        return;
    }
    call_back_scout(store);
}

static void on_view(void *context, const struct link_result *result) {
    struct redis_node *node = context;
    node->is_asked = false;
    if (result->reply == NULL && result->trouble == STORE_TROUBLE_DISCONNECTED) {
        return; /* the connection is lost */
    }
    if (result->reply == NULL || !cluster_take_view(node, result->reply)) {
        refuse_view(node, result);
        return;
    }
    node->has_told_nonsense = false;
    if (node->index == NODE_NONE) {
        take_scouts_view(node);
        return;
    }
    node->owned_ms = node->view_asked_ms;
    if (link_state(node->link) == LINK_GREETING) {
        redis_node_set_up(node);
        call_back_scout(node->store);
    }
    cluster_vote(node->store);
}

/* ---- news of a node ---- */

static void on_id(void *context, const struct link_result *result) {
    struct redis_node *node = context;
    const struct reply *reply = result->reply;
    if (reply == NULL || reply->type == REPLY_ERROR) { /* it is lost, or may not be asked */
        return;
    }
    if (reply->type == REPLY_TEXT && reply->text.size != 0 && reply->text.size <= NODE_ID_SIZE) {
        cluster_take_id(node, reply->text);
    } else {
        link_fail(node->link, STORE_TROUBLE_CLUSTER, "its answer to CLUSTER MYID makes no sense");
    }
}

void cluster_on_greeting(struct redis_node *node) {
    const struct link_handler handler = {.on_reply = on_id, .context = node, .replies = 1};
    unsigned slot;
    if (node->index != NODE_NONE) {
        struct output *out = link_begin(node->link);
        if (out != NULL) {
            put_cluster(out, S("MYID"));
            if (!link_end(node->link, &handler, &slot)) {
                link_fail(node->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
                return;
            }
        }
        copies_start_tracking(node);
    }
    ask_view(node);
}

void cluster_on_down(struct redis_node *node) {
    node->has_view = false;
    node->is_asked = false;
    if (node->index != NODE_NONE && !node->store->closing) {
        cluster_vote(node->store);
        cluster_ask_all(node->store);
    }
}

void cluster_on_attempt(struct redis_node *node) {
    struct redis_cluster *cluster = node->store->cluster;
    const struct redis_url *url = &node->store->settings.url;
    if (node->index == NODE_NONE) {
        link_connect_to(node->link, &url->seeds[cluster->seed_turn++ % url->seed_count]);
    } else {
        link_connect_to(node->link, &node->place);
    }
}

void cluster_on_beat(struct redis_node *node) {
    ask_view(node);
}

/* ---- now and then ---- */

/* One that has slots: another may have them by now. */
static bool any_is_away(const struct redis_store *store) {
    unsigned nodes, up;
    cluster_count(store, &nodes, &up);
    return up < nodes;
}

static void on_tick(uv_timer_t *timer) {
    struct redis_store *store = timer->data;
    struct redis_cluster *cluster = store->cluster;
    uint64_t now_ms = uv_now(store->loop);
    if (any_is_up(store)) {
        cluster_let_go_of_the_unnamed(store); /* ahead of the question, which one would wait for */
        if (cluster->is_wanted || any_is_away(store)) {
            cluster_ask_all(store);
        }
        redis_look_at_layout(store);
    } else if (cluster->scout == NULL && now_ms - cluster->scout_ms >= SCOUT_PAUSE_MS) {
        send_scout(store);
    }
}

/* ---- how it is ---- */

static bool has_slots(const struct redis_store *store, unsigned index) {
    return store->nodes[index] != NULL && store->cluster->slots_of[index] != 0;
}

void cluster_count(const struct redis_store *store, unsigned *nodes, unsigned *up) {
    *nodes = *up = 0;
    for (unsigned i = 0; i < store->node_count; i++) {
        *nodes += has_slots(store, i);
        *up += has_slots(store, i) && node_is_up(store->nodes[i]);
    }
}

void cluster_write_away(const struct redis_store *store, struct buffer *text) {
    unsigned nodes, up;
    cluster_count(store, &nodes, &up);
    for (unsigned i = 0; i < store->node_count; i++) {
        if (has_slots(store, i) && !node_is_up(store->nodes[i])) {
            buffer_append_format(text, "redis %.200s is away (%u of %u nodes)",
                                 link_address(store->nodes[i]->link), nodes - up, nodes);
            return;
        }
    }
}

void cluster_look(const struct redis_store *store, store_visit *visit, void *context) {
    for (unsigned i = 0; i < store->node_count; i++) {
        if (has_slots(store, i)) {
            node_look(store->nodes[i], store->cluster->slots_of[i], visit, context);
        }
    }
}

enum store_trouble cluster_trouble(const struct redis_store *store) {
    const struct redis_cluster *cluster = store->cluster;
    unsigned nodes, up;
    cluster_count(store, &nodes, &up);
    if (2 * up > nodes) {
        return STORE_TROUBLE_NONE;
    }
    for (unsigned i = 0; i < store->node_count; i++) {
        if (has_slots(store, i) && !node_is_up(store->nodes[i])) {
            return link_trouble(store->nodes[i]->link);
        }
    }
    return cluster->scout != NULL ? link_trouble(cluster->scout->link) : STORE_TROUBLE_CLUSTER;
}

const char *cluster_reason(const struct redis_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *node = store->nodes[i];
        if (node != NULL && !node_is_up(node) && *link_reason(node->link) != '\0') {
            return link_reason(node->link);
        }
    }
    return store->cluster->scout != NULL ? link_reason(store->cluster->scout->link) : "";
}

/* ---- life ---- */

struct redis_cluster *cluster_new(struct redis_store *store) {
    struct redis_cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster != NULL) {
        memset(cluster->node_of, NODE_NONE, sizeof cluster->node_of);
        store->cluster = cluster;
    }
    return cluster;
}

void cluster_start(struct redis_store *store) {
    uv_timer_init(store->loop, &store->cluster->tick); /* none can fail */
    store->cluster->tick.data = store;
    uv_timer_start(&store->cluster->tick, on_tick, TICK_MS, TICK_MS);
    store->open_parts++;
    send_scout(store);
}

void cluster_close(struct redis_store *store) {
    call_back_scout(store);
    uv_close((uv_handle_t *)&store->cluster->tick, redis_part_closed);
}

void cluster_free(struct redis_cluster *cluster) {
    free(cluster);
}
