#include "store/redis/redis_store_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* A map in some 4,000 pieces, with a replica each. Room that is not used is only addresses. */
#define CLUSTER_REPLY_NODES 65536u
#define CLUSTER_REPLY_TEXT (1024u * 1024u)
/* On a second link: WAIT, ROLE, and the marks of two batches. */
#define BESIDE_OPERATIONS 4u

static struct redis_link *new_link(struct redis_node *node, const struct redis_endpoint *place,
                                   struct slice tls_name) {
    struct redis_store *store = node->store;
    const struct node_settings *settings = &store->settings;
    bool is_cluster = store->cluster != NULL, is_second = node->batch != NULL;
    bool has_map = is_cluster && !is_second; /* CLUSTER SLOTS is asked on it */
    bool is_sought = settings->url.topology != REDIS_STANDALONE || store->password != NULL;
    struct redis_url *url = malloc(sizeof *url);
    if (url == NULL) {
        return NULL;
    }
    *url = settings->url;
    if (place != NULL) {
        url->topology = REDIS_STANDALONE;
        url->port = place->port;
        snprintf(url->host, sizeof url->host, "%s", place->host);
    }
    struct redis_link *link =
        link_new(store->loop,
                 &(struct link_options){
                     .input = store->input,
                     .url = url,
                     .tls = settings->tls,
                     .tls_name = settings->tls_name[0] != '\0' ? slice_of_string(settings->tls_name)
                                                               : tls_name,
                     .name = slice_of_string(settings->name),
                     .pending_max = settings->pending_max + (is_second ? BESIDE_OPERATIONS : 0),
                     .peer = settings->takes_replica || is_cluster ? LINK_TO_ANY : LINK_TO_MASTER,
                     .reply_nodes_max = has_map ? CLUSTER_REPLY_NODES : 0,
                     .reply_text_max = has_map ? CLUSTER_REPLY_TEXT : 0,
                     .keeps_commands = is_cluster,
                     .is_second = is_second,
                     .told = store->told,
                     .events = is_second    ? durable_events(store)
                               : is_cluster ? &redis_cluster_node_events
                               : is_sought  ? &redis_sought_node_events
                                            : &redis_node_events,
                     .context = node,
                 });
    explicit_bzero(url, sizeof *url);
    free(url);
    return link;
}

/* Of a second link: whose it is. False: no memory. */
static bool make_batch(struct redis_node *node, struct redis_node *of) {
    node->batch = of == NULL ? NULL : calloc(1, sizeof *node->batch);
    if (node->batch != NULL) {
        node->batch->of = of;
        node->batch->wanted = node->store->wait.replicas;
    }
    return of == NULL || node->batch != NULL;
}

/* One link. */
static struct redis_node *new_one(struct redis_store *store, unsigned index,
                                  const struct redis_endpoint *place, struct slice tls_name,
                                  struct redis_node *of) {
    struct redis_node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    node->store = store;
    node->index = index;
    if (place != NULL) {
        node->place = *place;
    }
    for (unsigned verb = 0; verb < REDIS_VERB_COUNT; verb++) {
        node->late[verb] = (struct late_replies){node, (enum redis_verb)verb};
    }
    node->link = make_batch(node, of) ? new_link(node, place, tls_name) : NULL;
    if (node->link == NULL) {
        free(node->batch);
        free(node);
        return NULL;
    }
    return node;
}

struct redis_node *node_new(struct redis_store *store, unsigned index,
                            const struct redis_endpoint *place, struct slice tls_name) {
    struct redis_node *node = new_one(store, index, place, tls_name, NULL);
    if (node == NULL || index == NODE_NONE || !store->deletions_wait) {
        return node;
    }
    node->durable = new_one(store, NODE_NONE, place, tls_name, node);
    if (node->durable == NULL) {
        node_free(node);
        return NULL;
    }
    return node;
}

void node_set_tls_name(struct redis_node *node, struct slice name) {
    link_set_tls_name(node->link, name);
    if (node->durable != NULL) {
        link_set_tls_name(node->durable->link, name);
    }
}

void node_start(struct redis_node *node) {
    struct redis_store *store = node->store;
    uv_timer_init(store->loop, &node->retry); /* cannot fail */
    node->retry.data = node;
    node->open_parts = 2;
    store->open_parts++;
    if (node->index != NODE_NONE) {
        store->nodes[node->index] = node;
        store->node_count = node->index >= store->node_count ? node->index + 1 : store->node_count;
    }
    link_start(node->link);
    if (node->durable != NULL) {
        node->open_parts++;
        node_start(node->durable);
    }
}

void node_free(struct redis_node *node) {
    if (node != NULL) {
        node_free(node->durable);
        free(node->batch);
        link_free(node->link);
        free(node->view);
        free(node);
    }
}

/* A first link outlives its second. */
static void part_closed(struct redis_node *node) {
    if (--node->open_parts == 0) {
        struct redis_store *store = node->store;
        struct redis_node *of = node->batch != NULL ? node->batch->of : NULL;
        if (node->index != NODE_NONE && store->nodes[node->index] == node) {
            store->nodes[node->index] = NULL;
        }
        node_free(node);
        if (of != NULL) {
            of->durable = NULL;
            part_closed(of);
        }
        redis_end_part(store);
    }
}

static void on_link_closed(void *context) {
    part_closed(context);
}

static void on_timer_closed(uv_handle_t *timer) {
    part_closed(timer->data);
}

void node_close(struct redis_node *node) {
    if (node->durable != NULL) {
        node_close(node->durable);
    }
    link_close(node->link, on_link_closed, node);
    uv_close((uv_handle_t *)&node->retry, on_timer_closed);
}

void node_use_tls(struct redis_node *node, struct tls_context *tls) {
    link_use_tls(node->link, tls_context_share(tls));
    if (node->durable != NULL) {
        node_use_tls(node->durable, tls);
    }
}
