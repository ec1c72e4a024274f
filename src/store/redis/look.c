/* What people see of the servers behind a store. */
#include "store/redis/redis_store_internal.h"

/* One that is up is a master: any other is left at once (role.c). */
void node_look(const struct redis_node *node, unsigned slots, store_visit *visit, void *context) {
    const char *address = link_address(node->link);
    visit(context, &(struct store_node){
                       .address = slice_of_string(address),
                       .role = node_is_up(node) ? "master" : NULL,
                       .trouble = link_trouble(node->link),
                       .slots = slots,
                   });
}

const char *redis_look(const struct store *base, store_visit *visit, void *context) {
    const struct redis_store *store = (const struct redis_store *)base;
    if (store->cluster != NULL) {
        cluster_look(store, visit, context);
        return "cluster";
    }
    if (store->nodes[0] != NULL) {
        node_look(store->nodes[0], 0, visit, context);
    }
    if (store->sentinels == NULL) {
        return "standalone";
    }
    sentinels_look(store->sentinels, visit, context);
    return "sentinel";
}
