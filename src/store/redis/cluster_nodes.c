/* The nodes of a cluster, by what is said of them: known, new, or gone. */
#include "store/redis/cluster_internal.h"

#include <stdio.h>

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
    if (facts->id.size != 0 && store->settings.tls_name[0] == '\0') {
        node_set_tls_name(node,
                          facts->hostname); /* it may have been met without, or have another */
    }
    node->named_ms = uv_now(store->loop);
    return node;
}

/* ---- nodes that count, and nodes that go ---- */

static bool names(const struct redis_node *teller, const struct redis_node *node) {
    for (unsigned r = 0; teller->has_view && r < teller->view_count; r++) {
        if (teller->view[r].node == node->index) {
            return true;
        }
    }
    return false;
}

static bool is_named(const struct redis_store *store, const struct redis_node *node) {
    for (unsigned i = 0; i < store->node_count; i++) {
        if (store->nodes[i] != NULL && names(store->nodes[i], node)) {
            return true;
        }
    }
    return false;
}

bool cluster_counts(const struct redis_node *node) {
    const struct redis_store *store = node->store;
    const unsigned *slots_of = store->cluster->slots_of;
    bool some = false;
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *teller = store->nodes[i];
        if (teller == NULL || teller->is_leaving || !teller->has_view || slots_of[i] == 0) {
            continue;
        }
        some = true;
        if (names(teller, node)) {
            return true;
        }
    }
    return node->index == NODE_NONE || slots_of[node->index] != 0 || (!some && !node->is_unheard);
}

/* Something waits for it, on either link. */
static bool is_awaited(const struct redis_node *node) {
    return link_pending(node->link) != 0 ||
           (node->durable != NULL && link_pending(node->durable->link) != 0);
}

static bool is_in_use(const struct redis_store *store, const struct redis_node *node) {
    return store->cluster->slots_of[node->index] != 0 || is_named(store, node) || is_awaited(node);
}

static void replace_in_views(struct redis_store *store, unsigned index, unsigned heir) {
    for (unsigned i = 0; i < store->node_count; i++) {
        struct redis_node *teller = store->nodes[i];
        for (unsigned r = 0; teller != NULL && r < teller->view_count; r++) {
            if (teller->view[r].node == index) {
                teller->view[r].node = (uint8_t)heir;
            }
        }
    }
}

static void let_go(struct redis_node *node, struct redis_node *heir) {
    struct redis_store *store = node->store;
    node->is_leaving = true;
    replace_in_views(store, node->index, heir == NULL ? NODE_NONE : heir->index);
    cluster_pass_on(store, node, heir);
    copies_forget_node(node);
    route_leave(store, node, heir);
    node_close(node);
}

static bool may_go(const struct redis_store *store, const struct redis_node *node) {
    return uv_now(store->loop) - node->named_ms >= UNNAMED_MS && !is_in_use(store, node);
}

void cluster_let_go_of_the_unnamed(struct redis_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        struct redis_node *node = store->nodes[i];
        if (node != NULL && !node->is_leaving && may_go(store, node)) {
            let_go(node, NULL);
        }
    }
}

/* ---- who it is, and whom it names ---- */

static bool is_same_node(const struct redis_node *a, const struct redis_node *b) {
    return a != b && a->index != NODE_NONE && b->index != NODE_NONE;
}

/* Two names of one node: the one that was known goes on. */
void cluster_take_id(struct redis_node *node, struct slice id) {
    struct redis_store *store = node->store;
    struct redis_node *known = find_by_id(store, id);
    set_text(node->id, sizeof node->id, id);
    if (known != NULL && is_same_node(known, node)) {
        let_go(node, known);
    }
}

struct redis_node *cluster_follow(struct redis_node *from, const struct redirect *redirect) {
    struct slice host =
        redirect->host.size != 0 ? redirect->host : slice_of_string(link_host(from->link));
    struct redis_node *node =
        cluster_meet(from->store, &(struct node_facts){.host = host, .port = redirect->port});
    if (node != NULL && redirect->kind == REDIRECT_MOVED) {
        cluster_patch(from->store, redirect->slot, node);
    }
    return node;
}
