#include "store/redis/redis_store_internal.h"

#include "mintd/log.h"
#include <stdlib.h>

#define HELD_TICK_MS 10u
#define HELD_MAX_MS 2000u
/* After TRYAGAIN: so long, and twice as long each time up to the longest; 1.95 s in all. */
#define AGAIN_MS 50u
#define AGAIN_LONGEST_MS 400u
#define AGAIN_MAX 7u
#define HELD_BYTES_MAX (4u * 1024u * 1024u)

/* Bytes that wait to be sent. */
struct held {
    struct held *next;
    struct redis_node *node;
    struct store_way *way; /* NULL: nobody waits any more */
    struct link_handler handler;
    bool is_aside;
    uint64_t due_ms, until_ms; /* loop time */
    size_t size;
    char bytes[];
};

struct redis_node *route_of(const struct redis_store *store, struct slice key) {
    return store->cluster == NULL ? store->nodes[0]
                                  : cluster_node_of(store, cluster_slot(store->prefix, key));
}

enum store_trouble route_trouble(const struct redis_store *store, const struct redis_node *node) {
    if (store->closing) {
        return STORE_TROUBLE_DISCONNECTED;
    }
    enum store_trouble trouble = node == NULL ? cluster_trouble(store) : link_trouble(node->link);
    if (node == NULL && trouble == STORE_TROUBLE_NONE) {
        trouble = STORE_TROUBLE_CLUSTER; /* nobody has that slot */
    }
    if (trouble != STORE_TROUBLE_NONE) {
        return trouble;
    }
    return redis_data_trouble(store);
}

bool route_end(struct redis_node *node, const struct link_handler *handler, struct store_way *way) {
    way->node = node;
    return link_end(node->link, handler, &way->slot);
}

/* ---- the same bytes once more ---- */

/* False: there is no room, or it is not up. */
static bool send_bytes(struct redis_node *node, struct slice bytes, bool is_aside,
                       const struct link_handler *handler, struct store_way *way) {
    struct link_handler with_asking = *handler;
    struct output *out = link_state(node->link) == LINK_UP ? link_begin(node->link) : NULL;
    if (out == NULL) {
        return false;
    }
    if (is_aside) {
        output_command(out, 1);
        output_argument(out, S("ASKING"));
        with_asking.replies++;
    }
    output_bytes(out, bytes);
    way->is_aside = is_aside;
    way->held = NULL;
    bool sent = route_end(node, &with_asking, way);
    if (sent && node->batch != NULL) {
        durable_gather(node, container_of(way, struct store_operation, way));
    }
    return sent;
}

/* ---- what waits ---- */

static void end_one(const struct held *held) {
    const struct link_result lost = {.reply = NULL, .trouble = STORE_TROUBLE_DISCONNECTED};
    if (held->way != NULL) {
        held->way->held = NULL;
        held->way->node = held->node;
        held->handler.on_reply(held->handler.context, &lost);
    }
}

static void take_out(struct redis_store *store, struct held **place) {
    struct held *held = *place;
    *place = held->next;
    store->held_bytes -= held->size;
}

/* True: it is not held any more. */
static bool try_one(struct redis_store *store, struct held **place) {
    struct held *held = *place;
    uint64_t now_ms = uv_now(store->loop);
    bool sent = held->way != NULL && now_ms >= held->due_ms &&
                send_bytes(held->node, slice_of(held->bytes, held->size), held->is_aside,
                           &held->handler, held->way);
    if (held->way != NULL && !sent && now_ms < held->until_ms) {
        return false;
    }
    take_out(store, place);
    if (!sent) {
        end_one(held);
    }
    free(held);
    return true;
}

/* A handler may hold more: at the front. */
void route_send_held(struct redis_store *store) {
    struct held *all = store->held;
    store->held = NULL;
    struct held **place = &all;
    while (*place != NULL) {
        if (!try_one(store, place)) {
            place = &(*place)->next;
        }
    }
    *place = store->held;
    store->held = all;
    if (store->held == NULL && !store->closing) {
        uv_timer_stop(&store->held_timer);
    }
}

/* Those of one node, or of all (NULL). */
static void end_held(struct redis_store *store, const struct redis_node *node) {
    struct held *all = store->held;
    store->held = NULL;
    struct held **place = &all;
    while (*place != NULL) {
        struct held *held = *place;
        if (node != NULL && held->node != node && held->node != node->durable) {
            place = &held->next;
            continue;
        }
        take_out(store, place);
        end_one(held);
        free(held);
    }
    *place = store->held;
    store->held = all;
}

/* What is for the second link of the one is for that of the other. */
static struct redis_node *heir_of(struct redis_node *to, const struct redis_node *node,
                                  struct redis_node *heir) {
    return to == node ? heir : to == node->durable && to != NULL ? heir->durable : to;
}

void route_leave(struct redis_store *store, const struct redis_node *node,
                 struct redis_node *heir) {
    for (struct held *held = store->held; held != NULL && heir != NULL; held = held->next) {
        held->node = heir_of(held->node, node, heir);
    }
    end_held(store, node);
}

void route_end_held(struct redis_store *store) {
    end_held(store, NULL);
}

static void on_held_timer(uv_timer_t *timer) {
    route_send_held(timer->data);
}

static bool hold(struct redis_store *store, struct redis_node *node, struct slice bytes,
                 bool is_aside, uint64_t wait_ms, const struct link_handler *handler,
                 struct store_way *way) {
    bool fits = !store->closing && bytes.size <= HELD_BYTES_MAX - store->held_bytes;
    struct held *held = fits ? malloc(sizeof *held + bytes.size) : NULL;
    if (held == NULL) {
        return false;
    }
    uint64_t now_ms = uv_now(store->loop);
    *held = (struct held){.next = store->held,
                          .node = node,
                          .way = way,
                          .handler = *handler,
                          .is_aside = is_aside,
                          .due_ms = now_ms + wait_ms,
                          .until_ms = now_ms + HELD_MAX_MS,
                          .size = bytes.size};
    memcpy(held->bytes, bytes.data, bytes.size);
    store->held = held;
    store->held_bytes += bytes.size;
    way->held = held;
    way->node = node;
    if (!uv_is_active((uv_handle_t *)&store->held_timer)) {
        uv_timer_start(&store->held_timer, on_held_timer, HELD_TICK_MS, HELD_TICK_MS);
    }
    return true;
}

void route_abandon(struct store_way *way,
                   void (*on_reply)(void *context, const struct link_result *result),
                   void *context) {
    if (way->held != NULL) {
        ((struct held *)way->held)->way = NULL;
        way->held = NULL;
    } else {
        link_hand_over(((struct redis_node *)way->node)->link, way->slot, on_reply, context);
    }
}

/* ---- where it goes next ---- */

/* The command without the ASKING that stood in front of it. */
static struct slice without_asking(const struct store_way *way, struct slice command) {
    const struct slice asking = S("*1\r\n$6\r\nASKING\r\n");
    return way->is_aside && slice_starts_with(command, asking) ? slice_skip(command, asking.size)
                                                               : command;
}

/* Once for as long as it is so. */
static void tell_cluster(struct redis_node *node) {
    if (!node->cluster_is_told && redis_told_begin(node->store->told, REDIS_IS_A_CLUSTER)) {
        log_error("redis is a node of a cluster: write redis+cluster:// in --redis",
                  LOG_STRING("redis", link_address(node->link)));
    }
    node->cluster_is_told = true;
}

void route_forget_told(struct redis_node *node) {
    if (node->cluster_is_told) {
        (void)redis_told_end(node->store->told, REDIS_IS_A_CLUSTER);
    }
    node->cluster_is_told = false;
}

/* False: it was asked for often enough; whoever waits for it longer than that does not know more.
 */
static bool wait_and_ask_again(struct redis_store *store, struct slice bytes,
                               const struct link_handler *handler, struct store_way *way) {
    uint64_t wait_ms = (uint64_t)AGAIN_MS << (way->waits < AGAIN_MAX ? way->waits : AGAIN_MAX);
    wait_ms = wait_ms < AGAIN_LONGEST_MS ? wait_ms : AGAIN_LONGEST_MS;
    return way->waits++ < AGAIN_MAX &&
           hold(store, way->node, bytes, way->is_aside, wait_ms, handler, way);
}

bool route_goes_on(struct redis_store *store, const struct link_handler *handler,
                   struct store_way *way, const struct link_result *result) {
    struct redis_node *from = way->node, *to = NULL;
    if (store->cluster == NULL) {
        tell_cluster(from);
        return false;
    }
    if (slice_is_absent(result->command) || way->hops >= CLUSTER_HOPS_MAX) {
        return false;
    }
    cluster_ask_all(store);
    const struct redirect redirect = redirect_read(result->error);
    struct slice bytes = without_asking(way, result->command);
    bool is_aside = redirect.kind == REDIRECT_ASK;
    if (redirect.kind == REDIRECT_NONE) {
        return false;
    }
    if (redirect.kind == REDIRECT_AGAIN) {
        return wait_and_ask_again(store, bytes, handler, way);
    }
    to = cluster_follow(from, &redirect);
    if (to != NULL && from->batch != NULL) {
        to = to->durable;
    }
    way->hops++;
    counter_add(&store->metrics->redirects, 1);
    return to != NULL && (send_bytes(to, bytes, is_aside, handler, way) ||
                          hold(store, to, bytes, is_aside, 0, handler, way));
}
