/* Which node has which slot: the map, and the vote that makes it. */
#include "store/redis/cluster_internal.h"

#include "mintd/log.h"

struct redis_node *cluster_node_of(const struct redis_store *store, unsigned slot) {
    unsigned index = store->cluster->node_of[slot];
    return index == NODE_NONE ? NULL : store->nodes[index];
}

/* ---- the map ---- */

/* What is told of a change, in one line. */
struct changes {
    unsigned count, first, last;
    bool lost[NODES_MAX];
    uint64_t newest_ms; /* of the views that stand now */
};

static struct changes no_changes(const struct redis_store *store) {
    struct changes changes = {0};
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *node = store->nodes[i];
        if (node != NULL && node->owned_ms > changes.newest_ms) {
            changes.newest_ms = node->owned_ms;
        }
    }
    return changes;
}

static void assign(struct redis_cluster *cluster, unsigned slot, unsigned index,
                   struct changes *changes) {
    unsigned before = cluster->node_of[slot];
    if (before == index) {
        return;
    }
    if (before != NODE_NONE) {
        cluster->slots_of[before]--;
        changes->lost[before] = true;
    }
    if (index != NODE_NONE) {
        cluster->slots_of[index]++;
        cluster->given_ms[index] = changes->newest_ms;
    }
    cluster->node_of[slot] = (uint8_t)index;
    changes->first = changes->count == 0 ? slot : changes->first;
    changes->last = slot;
    changes->count++;
}

static void settle(struct redis_store *store, const struct changes *changes, const char *why) {
    for (unsigned i = 0; i < NODES_MAX; i++) {
        if (changes->lost[i] && store->nodes[i] != NULL) {
            copies_forget_node(store->nodes[i]);
        }
    }
    if (changes->count == 0) {
        return;
    }
    log_debug("redis cluster: slots have another node",
              LOG_NUMBER("slots", (int64_t)changes->count),
              LOG_NUMBER("first", (int64_t)changes->first),
              LOG_NUMBER("last", (int64_t)changes->last), LOG_STRING("reason", why));
    ownership_on_map(store);
    redis_tell_whether_it_serves(store);
}

void cluster_patch(struct redis_store *store, unsigned slot, struct redis_node *node) {
    struct changes changes = no_changes(store);
    store->cluster->is_patched = true;
    assign(store->cluster, slot, node->index, &changes);
    settle(store, &changes, "MOVED");
}

/* ---- the vote ---- */

/* A view that is being walked along. */
struct walker {
    const struct redis_node *node;
    unsigned at; /* the first range that does not lie in front of the slot */
};

static unsigned gather_walkers(const struct redis_store *store, struct walker walkers[NODES_MAX]) {
    unsigned count = 0;
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *node = store->nodes[i];
        if (node != NULL && !node->is_leaving && node->has_view) {
            walkers[count++] = (struct walker){node, 0};
        }
    }
    return count;
}

/* Whom this view names for the slot, and up to where it does. */
static unsigned owner_at(struct walker *walker, unsigned slot, unsigned *until) {
    const struct redis_node *node = walker->node;
    while (walker->at < node->view_count && node->view[walker->at].last < slot) {
        walker->at++;
    }
    if (walker->at == node->view_count) {
        return NODE_NONE;
    }
    const struct slot_range *range = &node->view[walker->at];
    unsigned end = range->first <= slot ? range->last : range->first - 1u;
    *until = end < *until ? end : *until;
    return range->first <= slot ? range->node : NODE_NONE;
}

/* What the views say of one node and a slot. */
struct standing {
    unsigned votes;
    uint64_t named_ms;  /* when the newest view that names it was asked for */
    uint64_t denied_ms; /* the same of its own, which does not; 0: it does, or there is none */
    bool claims;
};

/* Views are of different age: one that says "not I" may not know yet what another has heard. */
static bool denies(const struct standing *standing) {
    return standing->denied_ms != 0 && standing->denied_ms >= standing->named_ms;
}

/* How much an owner has for it: votes first; then that it says so itself; then that it was so. */
static unsigned weight(const struct standing *standing, bool is_current) {
    return standing->votes == 0 || denies(standing)
               ? 0
               : standing->votes * 4 + (standing->claims ? 2u : 0u) + (is_current ? 1u : 0u);
}

/* Of two that may have it: a master that was replaced while it stood still goes on saying that it
 * has its slots; but who replaced it has a higher epoch, whoever has heard of it by now. The epoch
 * says nothing for one that does not claim the slot: it is that of all it has. */
static bool is_before(const struct redis_node *a, unsigned weight_a, const struct redis_node *b,
                      unsigned weight_b, bool both_may_claim) {
    if (weight_b != 0 && both_may_claim && a->epoch != 0 && b->epoch != 0 && a->epoch != b->epoch) {
        return a->epoch > b->epoch;
    }
    return weight_a > weight_b;
}

static bool gather_standings(struct walker *walkers, unsigned count, unsigned slot, unsigned *until,
                             struct standing standings[NODES_MAX]) {
    bool some = false;
    for (unsigned i = 0; i < count; i++) {
        const struct redis_node *node = walkers[i].node;
        unsigned owner = owner_at(&walkers[i], slot, until);
        standings[node->index].claims = owner == node->index;
        if (owner != node->index) {
            standings[node->index].denied_ms = node->owned_ms;
        }
        if (owner != NODE_NONE) {
            struct standing *named = &standings[owner];
            named->votes++;
            named->named_ms = node->owned_ms > named->named_ms ? node->owned_ms : named->named_ms;
            some = true;
        }
    }
    return some;
}

/* The owner of the slots from `slot` to *until, all of which the views see alike. Where all who are
 * named deny it, one view or the other is behind: whoever has it so far knows more. */
static unsigned elect(const struct redis_store *store, struct walker *walkers, unsigned count,
                      unsigned slot, unsigned *until, struct changes *changes) {
    struct standing standings[NODES_MAX] = {0};
    unsigned current = store->cluster->node_of[slot];
    bool some = gather_standings(walkers, count, slot, until, standings);
    unsigned best = some ? current : NODE_NONE, best_weight = 0;
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *node = store->nodes[i];
        unsigned now = node == NULL ? 0 : weight(&standings[i], i == current);
        unsigned other = best_weight == 0 ? i : best;
        bool both = standings[i].denied_ms == 0 && standings[other].denied_ms == 0;
        if (now != 0 && is_before(node, now, store->nodes[other], best_weight, both)) {
            best = i;
            best_weight = now;
        }
    }
    /* It had lost it, at least; but who has got a slot since then may not have known of it yet. */
    if (current != NODE_NONE && standings[current].denied_ms != 0 &&
        standings[current].denied_ms >= store->cluster->given_ms[current]) {
        changes->lost[current] = true;
    }
    return best;
}

static bool is_vote_due(struct redis_store *store) {
    bool due = store->cluster->is_patched;
    for (unsigned i = 0; i < store->node_count; i++) {
        struct redis_node *node = store->nodes[i];
        if (node != NULL) {
            due = due || node->is_view_new || node->had_view != node->has_view;
            node->is_view_new = false;
            node->had_view = node->has_view;
        }
    }
    store->cluster->is_patched = false;
    return due;
}

/* While there is no link to the new one yet, the one before sends on to it (MOVED) what waits then.
 */
static bool is_too_early(const struct redis_store *store, unsigned slot, unsigned owner) {
    unsigned current = store->cluster->node_of[slot];
    return owner != NODE_NONE && current != NODE_NONE && !node_is_up(store->nodes[owner]) &&
           store->nodes[current] != NULL && node_is_up(store->nodes[current]);
}

static unsigned last_with_the_same(const struct redis_cluster *cluster, unsigned slot) {
    unsigned last = slot;
    while (last + 1 < CLUSTER_SLOTS && cluster->node_of[last + 1] == cluster->node_of[slot]) {
        last++;
    }
    return last;
}

/* Without a view the map stays as it is: whom it names is away. */
void cluster_vote(struct redis_store *store) {
    struct walker walkers[NODES_MAX];
    unsigned count = gather_walkers(store, walkers);
    struct changes changes = no_changes(store);
    if (!is_vote_due(store) || count == 0) {
        return;
    }
    unsigned slot = 0;
    while (slot < CLUSTER_SLOTS) {
        unsigned until = last_with_the_same(store->cluster, slot);
        unsigned owner = elect(store, walkers, count, slot, &until, &changes);
        if (is_too_early(store, slot, owner)) {
            owner = store->cluster->node_of[slot];
        }
        for (; slot <= until; slot++) {
            assign(store->cluster, slot, owner, &changes);
        }
    }
    settle(store, &changes, "the nodes say so");
}

void cluster_pass_on(struct redis_store *store, const struct redis_node *node,
                     const struct redis_node *heir) {
    struct changes changes = no_changes(store);
    for (unsigned slot = 0; slot < CLUSTER_SLOTS; slot++) {
        if (store->cluster->node_of[slot] == node->index) {
            assign(store->cluster, slot, heir == NULL ? NODE_NONE : heir->index, &changes);
        }
    }
    settle(store, &changes, "a node has gone");
}
