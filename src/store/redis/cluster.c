/* The nodes of a cluster: who there is, who is asked, who goes. Which of them has a slot:
 * cluster_map.c. */
#include "store/redis/cluster_internal.h"

#include "mintd/log.h"
#include <stdio.h>
#include <stdlib.h>

#define TICK_MS 250u
#define SCOUT_PAUSE_MS 500u
#define UNNAMED_MS 10000u /* then a node without slots is let go */

/* ---- nodes, by what is known of them ---- */

static bool is_at(const struct redis_node *node, struct slice host, unsigned port) {
    return node->place.port == port && (slice_equal(slice_of_string(node->place.host), host) ||
                                        slice_equal(slice_of_string(node->address), host));
}

/* Asked of each node for each range of each view. */
static bool has_id(const struct redis_node *node, struct slice id) {
    return memcmp(node->id, id.data, id.size) == 0 && node->id[id.size] == '\0';
}

static struct redis_node *find_by_id(const struct redis_store *store, struct slice id) {
    for (unsigned i = 0; i < store->node_count; i++) {
        struct redis_node *node = store->nodes[i];
        if (node != NULL && !node->is_leaving && has_id(node, id)) {
            return node;
        }
    }
    return NULL;
}

/* Of one whose id is another, or of any. */
static struct redis_node *find_by_place(const struct redis_store *store, struct slice id,
                                        struct slice host, unsigned port) {
    for (unsigned i = 0; i < store->node_count; i++) {
        struct redis_node *node = store->nodes[i];
        bool may_be = node != NULL && !node->is_leaving && (id.size == 0 || node->id[0] == '\0');
        if (may_be && is_at(node, host, port)) {
            return node;
        }
    }
    return NULL;
}

static unsigned free_index(const struct redis_store *store) {
    unsigned index = 0;
    while (index < NODES_MAX && store->nodes[index] != NULL) {
        index++;
    }
    return index;
}

static void set_text(char *into, size_t size, struct slice text) {
    snprintf(into, size, "%.*s", (int)text.size, text.size == 0 ? "" : text.data);
}

static struct redis_node *add_node(struct redis_store *store, const struct node_facts *facts) {
    struct redis_endpoint place = {.port = facts->port};
    unsigned index = free_index(store);
    set_text(place.host, sizeof place.host, facts->host);
    struct redis_node *node =
        index == NODES_MAX ? NULL : node_new(store, index, &place, facts->hostname);
    if (node != NULL) {
        set_text(node->id, sizeof node->id, facts->id);
        node_start(node);
    }
    return node;
}

struct redis_node *cluster_meet(struct redis_store *store, const struct node_facts *facts) {
    bool is_whole = facts->host.size != 0 && facts->host.size < REDIS_NAME_MAX &&
                    memchr(facts->host.data, '\0', facts->host.size) == NULL &&
                    facts->id.size <= NODE_ID_SIZE && facts->hostname.size < REDIS_NAME_MAX;
    if (!is_whole || store->closing) {
        return NULL;
    }
    struct redis_node *node = facts->id.size != 0 ? find_by_id(store, facts->id) : NULL;
    if (node == NULL) {
        node = find_by_place(store, facts->id, facts->host, facts->port);
    }
    if (node == NULL) {
        node = add_node(store, facts);
    }
    if (node == NULL) {
        return NULL;
    }
    if (node->id[0] == '\0') {
        set_text(node->id, sizeof node->id, facts->id);
    }
    if (facts->id.size != 0 && !is_at(node, facts->host, facts->port)) { /* it has moved house */
        set_text(node->place.host, sizeof node->place.host, facts->host);
        node->place.port = facts->port;
    }
    if (facts->address.size != 0 && facts->address.size < sizeof node->address) {
        set_text(node->address, sizeof node->address, facts->address);
    }
    node->named_ms = uv_now(store->loop);
    return node;
}

static bool any_is_up(const struct redis_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        if (store->nodes[i] != NULL && node_is_up(store->nodes[i])) {
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

static bool is_same_node(const struct redis_node *a, const struct redis_node *b) {
    return a != b && a->index != NODE_NONE && b->index != NODE_NONE;
}

/* Two names of one node: the one that was known goes on. */
static void take_id(struct redis_node *node, struct slice id) {
    struct redis_store *store = node->store;
    struct redis_node *known = find_by_id(store, id);
    set_text(node->id, sizeof node->id, id);
    if (known != NULL && is_same_node(known, node)) {
        cluster_let_go(node, known);
    }
}

static void on_id(void *context, const struct link_result *result) {
    struct redis_node *node = context;
    if (result->reply != NULL && result->reply->type == REPLY_TEXT &&
        result->reply->text.size <= NODE_ID_SIZE) {
        take_id(node, result->reply->text);
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

/* "host:port", "[v6]:port" or "v6:port"; an absent host is that of the node that says it. */
static struct redis_node *meet_at(struct redis_node *from, struct slice place) {
    size_t colon = place.size;
    unsigned long long port;
    while (colon != 0 && place.data[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0 || !slice_to_number(slice_skip(place, colon), 65535, &port) || port == 0) {
        return NULL;
    }
    struct slice host = slice_of(place.data, colon - 1);
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        host = slice_of(host.data + 1, host.size - 2);
    }
    if (slice_equal(host, S("?"))) {
        return NULL;
    }
    if (host.size == 0) {
        host = slice_of_string(link_host(from->link));
    }
    return cluster_meet(from->store, &(struct node_facts){.host = host, .port = (unsigned)port});
}

struct redis_node *cluster_take_moved(struct redis_node *from, unsigned slot, struct slice place) {
    struct redis_node *node = meet_at(from, place);
    if (node != NULL) {
        cluster_patch(from->store, slot, node);
    }
    return node;
}

struct redis_node *cluster_take_ask(struct redis_node *from, struct slice place) {
    return meet_at(from, place);
}

/* ---- now and then ---- */

static bool may_go(const struct redis_store *store, const struct redis_node *node) {
    return uv_now(store->loop) - node->named_ms >= UNNAMED_MS && !cluster_is_in_use(store, node);
}

static void let_go_of_the_unnamed(struct redis_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        struct redis_node *node = store->nodes[i];
        if (node != NULL && !node->is_leaving && may_go(store, node)) {
            cluster_let_go(node, NULL);
        }
    }
}

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
        if (cluster->is_wanted || any_is_away(store)) {
            cluster_ask_all(store);
        }
        let_go_of_the_unnamed(store);
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
