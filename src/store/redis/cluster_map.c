/* Which node has which slot: views, and the map that they give. */
#include "store/redis/cluster_internal.h"

#include "mintd/log.h"
#include "store/link/reply.h"
#include <stdlib.h>

/* ---- the slot of a key ---- */

/* CRC-16/XMODEM, four bits at a time. */
static uint16_t crc16(uint16_t crc, struct slice text) {
    static const uint16_t table[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                       0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                       0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        crc = (uint16_t)(crc << 4) ^ table[(crc >> 12) ^ (byte >> 4)];
        crc = (uint16_t)(crc << 4) ^ table[(crc >> 12) ^ (byte & 15u)];
    }
    return crc;
}

/* What stands in the first braces, where something does. */
static bool find_tag(struct slice text, struct slice *tag) {
    const char *open = text.size == 0 ? NULL : memchr(text.data, '{', text.size);
    if (open == NULL) {
        return false;
    }
    struct slice rest = slice_skip(text, (size_t)(open - text.data) + 1);
    const char *close = rest.size == 0 ? NULL : memchr(rest.data, '}', rest.size);
    if (close == NULL || close == rest.data) {
        return false;
    }
    *tag = slice_of(rest.data, (size_t)(close - rest.data));
    return true;
}

static unsigned slot_of_joined(struct slice prefix, struct slice key) {
    char storage[STORE_KEY_MAX + 2 * PREFIX_MAX];
    struct buffer text = buffer_of(storage, sizeof storage);
    struct slice tag;
    buffer_append(&text, prefix);
    buffer_append(&text, key);
    struct slice whole = buffer_slice(&text);
    return crc16(0, find_tag(whole, &tag) ? tag : whole) % CLUSTER_SLOTS;
}

unsigned cluster_slot(struct slice prefix, struct slice key) {
    bool has_brace = (prefix.size != 0 && memchr(prefix.data, '{', prefix.size) != NULL) ||
                     (key.size != 0 && memchr(key.data, '{', key.size) != NULL);
    return has_brace ? slot_of_joined(prefix, key) : crc16(crc16(0, prefix), key) % CLUSTER_SLOTS;
}

struct redis_node *cluster_node_of(const struct redis_store *store, unsigned slot) {
    unsigned index = store->cluster->node_of[slot];
    return index == NODE_NONE ? NULL : store->nodes[index];
}

/* ---- a view ---- */

/* [endpoint, port, id, {"ip" | "hostname": text ...}] */
static bool read_facts(const struct redis_node *teller, const struct reply *entry,
                       struct node_facts *facts) {
    if (entry->type != REPLY_ARRAY || entry->elements < 3) {
        return false;
    }
    const struct reply *endpoint = reply_first(entry);
    const struct reply *port = reply_next(endpoint);
    const struct reply *id = reply_next(port);
    if (port->type != REPLY_INTEGER || port->number < 1 || port->number > 65535 ||
        id->type != REPLY_TEXT || id->text.size == 0 || id->text.size > NODE_ID_SIZE ||
        (endpoint->type != REPLY_TEXT && endpoint->type != REPLY_NIL)) {
        return false;
    }
    *facts =
        (struct node_facts){.host = endpoint->text, .id = id->text, .port = (unsigned)port->number};
    if (facts->host.size == 0) { /* the one that was asked is on the same host */
        facts->host = slice_of_string(link_host(teller->link));
    }
    if (facts->host.size >= REDIS_NAME_MAX ||
        memchr(facts->host.data, '\0', facts->host.size) != NULL) {
        return false;
    }
    if (entry->elements > 3) {
        const struct reply *more = reply_next(id);
        if (more->type == REPLY_MAP || more->type == REPLY_ARRAY) {
            facts->address = reply_find_text(more, S("ip"));
            facts->hostname = reply_find_text(more, S("hostname"));
        }
    }
    return true;
}

/* [first, last, master, replica ...] */
static bool read_range(const struct redis_node *teller, const struct reply *entry,
                       struct slot_range *range, struct node_facts *facts) {
    if (entry->type != REPLY_ARRAY || entry->elements < 3) {
        return false;
    }
    const struct reply *first = reply_first(entry);
    const struct reply *last = reply_next(first);
    bool is_range = first->type == REPLY_INTEGER && last->type == REPLY_INTEGER &&
                    first->number >= 0 && first->number <= last->number &&
                    last->number < (int64_t)CLUSTER_SLOTS;
    *range = (struct slot_range){.first = is_range ? (uint16_t)first->number : 0,
                                 .last = is_range ? (uint16_t)last->number : 0};
    return is_range && read_facts(teller, reply_next(last), facts);
}

static int compare(const void *a, const void *b) {
    return (int)((const struct slot_range *)a)->first - (int)((const struct slot_range *)b)->first;
}

static bool overlap(const struct slot_range *ranges, unsigned count) {
    for (unsigned i = 1; i < count; i++) {
        if (ranges[i].first <= ranges[i - 1].last) {
            return true;
        }
    }
    return false;
}

/* The same twice, since nobody is to be met by an answer that makes no sense further behind. */
static bool makes_sense(const struct redis_node *teller, const struct reply *reply) {
    struct slot_range range;
    struct node_facts facts;
    if (reply->type != REPLY_ARRAY) {
        return false;
    }
    const struct reply *entry = reply->elements == 0 ? NULL : reply_first(reply);
    for (uint32_t i = 0; i < reply->elements; i++, entry = reply_next(entry)) {
        if (!read_range(teller, entry, &range, &facts)) {
            return false;
        }
    }
    return true;
}

bool cluster_take_view(struct redis_node *node, const struct reply *reply) {
    if (!makes_sense(node, reply)) {
        return false;
    }
    struct slot_range *view = calloc(reply->elements + 1, sizeof *view);
    unsigned count = 0;
    if (view == NULL) {
        return false;
    }
    const struct reply *entry = reply->elements == 0 ? NULL : reply_first(reply);
    for (uint32_t i = 0; i < reply->elements; i++, entry = reply_next(entry)) {
        struct node_facts facts;
        (void)read_range(node, entry, &view[count], &facts);
        struct redis_node *owner = slice_equal(facts.host, S("?"))
                                       ? NULL /* it does not know where that is */
                                       : cluster_meet(node->store, &facts);
        if (owner != NULL) {
            view[count++].node = (uint8_t)owner->index;
        }
    }
    qsort(view, count, sizeof *view, compare);
    if (overlap(view, count)) {
        free(view);
        return false;
    }
    bool is_same = node->has_view && count == node->view_count &&
                   (count == 0 || memcmp(view, node->view, count * sizeof *view) == 0);
    node->is_view_new = node->is_view_new || !is_same;
    free(node->view);
    node->view = view;
    node->view_count = count;
    node->has_view = true;
    return true;
}

/* ---- the map ---- */

/* What is told of a change, in one line. */
struct changes {
    unsigned count, first, last;
    bool lost[NODES_MAX];
};

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
    identity_note_change(&store->identity); /* who has its key may be another one */
    redis_look_at_layout(store);
    redis_tell_whether_it_serves(store);
}

void cluster_patch(struct redis_store *store, unsigned slot, struct redis_node *node) {
    struct changes changes = {0};
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
        unsigned now = weight(&standings[i], i == current);
        if (now > best_weight && store->nodes[i] != NULL) {
            best = i;
            best_weight = now;
        }
    }
    if (current != NODE_NONE && standings[current].denied_ms != 0) { /* it had lost it, at least */
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
    struct changes changes = {0};
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

/* ---- nodes that go ---- */

static bool is_named(const struct redis_store *store, const struct redis_node *node) {
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *teller = store->nodes[i];
        for (unsigned r = 0; teller != NULL && teller->has_view && r < teller->view_count; r++) {
            if (teller->view[r].node == node->index) {
                return true;
            }
        }
    }
    return false;
}

bool cluster_is_in_use(const struct redis_store *store, const struct redis_node *node) {
    return store->cluster->slots_of[node->index] != 0 || is_named(store, node) ||
           link_pending(node->link) != 0;
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

void cluster_let_go(struct redis_node *node, struct redis_node *heir) {
    struct redis_store *store = node->store;
    struct changes changes = {0};
    unsigned to = heir == NULL ? NODE_NONE : heir->index;
    node->is_leaving = true;
    for (unsigned slot = 0; slot < CLUSTER_SLOTS; slot++) {
        if (store->cluster->node_of[slot] == node->index) {
            assign(store->cluster, slot, to, &changes);
        }
    }
    replace_in_views(store, node->index, to);
    copies_forget_node(node);
    route_leave(store, node, heir);
    node_close(node);
    settle(store, &changes, "a node has gone");
}
