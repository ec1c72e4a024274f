/* The slot of a key, and what a node says of who has which slot. */
#include "store/redis/cluster_internal.h"

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

/* Read ahead of all else, since nobody is to be met by an answer that makes no sense further
 * behind. `view` has room for all its ranges. */
static bool makes_sense(const struct redis_node *teller, const struct reply *reply,
                        struct slot_range *view) {
    struct node_facts facts;
    const struct reply *entry = reply->elements == 0 ? NULL : reply_first(reply);
    for (uint32_t i = 0; i < reply->elements; i++, entry = reply_next(entry)) {
        if (!read_range(teller, entry, &view[i], &facts)) {
            return false;
        }
    }
    qsort(view, reply->elements, sizeof *view, compare);
    return !overlap(view, reply->elements);
}

/* Whom it names, in the order of slots; the number of ranges whose node is known or new. */
static unsigned meet(const struct redis_node *teller, const struct reply *reply,
                     struct slot_range *view) {
    unsigned count = 0;
    const struct reply *entry = reply->elements == 0 ? NULL : reply_first(reply);
    for (uint32_t i = 0; i < reply->elements; i++, entry = reply_next(entry)) {
        struct node_facts facts;
        bool is_placed = read_range(teller, entry, &view[count], &facts) &&
                         !slice_equal(facts.host, S("?")); /* it does not know where that is */
        struct redis_node *owner = is_placed ? cluster_meet(teller->store, &facts) : NULL;
        if (owner != NULL) {
            view[count++].node = (uint8_t)owner->index;
        }
    }
    qsort(view, count, sizeof *view, compare);
    return count;
}

bool cluster_take_view(struct redis_node *node, const struct reply *reply) {
    struct slot_range *view =
        reply->type == REPLY_ARRAY ? calloc(reply->elements + 1, sizeof *view) : NULL;
    if (view == NULL || !makes_sense(node, reply, view)) {
        free(view);
        return false;
    }
    node->is_unheard = !cluster_counts(node);
    if (node->is_unheard) {
        free(view);
        node->has_view = false;
        return true;
    }
    unsigned count = meet(node, reply, view);
    bool is_same = node->has_view && count == node->view_count &&
                   (count == 0 || memcmp(view, node->view, count * sizeof *view) == 0);
    node->is_view_new = node->is_view_new || !is_same;
    free(node->view);
    node->view = view;
    node->view_count = count;
    node->has_view = true;
    return true;
}
