#include "nodes.h"
#include "output.h"
#include <stdlib.h>

static void read_node(struct redis *redis, struct node *node) {
    unsigned number;
    node->is_away =
        !redis_find_node(redis, node->name, &number) || !info_read(redis, number, &node->info);
}

enum status nodes_read(struct redis *redis, struct nodes *nodes) {
    unsigned count = redis_node_count(redis);
    *nodes = (struct nodes){.items = calloc(count + 1, sizeof *nodes->items)};
    if (nodes->items == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    nodes->count = count;
    for (unsigned i = 0; i < count; i++) { /* their numbers hold until something is waited for */
        snprintf(nodes->items[i].name, sizeof nodes->items[i].name, "%s",
                 redis_node_name(redis, i));
    }
    for (unsigned i = 0; i < count; i++) {
        read_node(redis, &nodes->items[i]);
        nodes->away += nodes->items[i].is_away;
    }
    return nodes->away < count ? STATUS_DONE : STATUS_REDIS;
}

void nodes_fini(struct nodes *nodes) {
    for (unsigned i = 0; i < nodes->count; i++) {
        info_fini(&nodes->items[i].info);
        value_free(nodes->items[i].user);
    }
    free(nodes->items);
    *nodes = (struct nodes){.items = NULL};
}

struct value *node_ask(struct redis *redis, const struct node *node, const struct slice *arguments,
                       size_t count) {
    unsigned number;
    if (!redis_find_node(redis, node->name, &number)) {
        say("Redis at %s: it is no master of the cluster any more", node->name);
        return NULL;
    }
    return redis_try_at(redis, number, arguments, count);
}
