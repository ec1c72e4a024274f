/* What a node tells: it is greeted, lost, has a push; and where its next attempt leads. */
#include "store/redis/redis_store_internal.h"

void redis_node_set_up(struct redis_node *node) {
    struct redis_store *store = node->store;
    link_set_up(node->link);
    if (store->sentinels != NULL) {
        sentinels_found(store->sentinels);
    }
    counter_add(&store->metrics->connects, 1);
    login_renew(node);
    durable_on_node_up(node);
    route_send_held(store);
    ownership_on_node_up(node);
}

/* The clock of one is that of all: it is asked on the first that is there. */
static void look_at_clock(struct redis_node *node) {
    struct redis_store *store = node->store;
    if (store->clock_node == NULL && node->index != NODE_NONE) {
        store->clock_node = node;
        store->clock.link = node->link;
        redis_clock_start(&store->clock); /* ahead of all that goes by it */
    }
}

static void leave_clock(const struct redis_node *node) {
    struct redis_store *store = node->store;
    if (store->clock_node == node) {
        store->clock_node = NULL;
        redis_clock_stop(&store->clock);
    }
    for (unsigned i = 0; i < store->node_count && !store->closing; i++) {
        if (store->nodes[i] != NULL && node_is_up(store->nodes[i])) {
            look_at_clock(store->nodes[i]);
        }
    }
}

static void note_certificate(struct redis_node *node) {
    struct tls_client_view view;
    if (link_look_at_tls(node->link, &view)) {
        node->certificate_expiry_s = view.expires_s;
    }
}

static void on_greeting(void *context) {
    struct redis_node *node = context;
    struct redis_store *store = node->store;
    note_certificate(node);
    if (store->cluster != NULL) {
        look_at_clock(node);
        cluster_on_greeting(node);
        return;
    }
    copies_start_tracking(node);
    look_at_clock(node);
    ownership_on_greeting(node);
}

static void on_down(void *context) {
    struct redis_node *node = context;
    struct redis_store *store = node->store;
    durable_on_node_down(node);
    copies_stop_tracking(node);
    leave_clock(node);
    if (store->cluster != NULL) {
        cluster_on_down(node);
        redis_tell_whether_it_serves(store);
        return;
    }
    ownership_on_down(store);
    route_forget_told(node);
    counter_set(&store->metrics->link_up, 0);
}

static void on_push(void *context, const struct reply *push) {
    copies_on_push(context, push);
}

static void on_beat(void *context) {
    cluster_on_beat(context);
}

const struct link_events redis_node_events = {
    .on_greeting = on_greeting, .on_down = on_down, .on_push = on_push};

/* ---- where an attempt leads ---- */

static void seek(struct redis_node *node) {
    struct redis_store *store = node->store;
    if (!login_is_ready(node)) {
        return;
    }
    if (store->cluster != NULL) {
        cluster_on_attempt(node);
        return;
    }
    if (store->sentinels == NULL) {
        link_connect_to(node->link, NULL);
        return;
    }
    const struct redis_endpoint *master = sentinels_master(store->sentinels);
    if (master != NULL) {
        link_connect_to(node->link, master);
    } else if (sentinels_deny(store->sentinels)) {
        link_fail(node->link, STORE_TROUBLE_NOMASTER, sentinels_reason(store->sentinels));
    }
}

static void on_attempt(void *context) {
    struct redis_node *node = context;
    login_ask(node);
    if (node->store->sentinels != NULL) {
        sentinels_seek(node->store->sentinels);
    }
    seek(node);
}

void redis_on_sentinel_told(void *context) {
    struct redis_store *store = context;
    struct redis_node *node = store->nodes[0];
    enum link_state state = link_state(node->link);
    if (link_seeks(node->link)) {
        seek(node);
    } else if (sentinels_agree(store->sentinels)) {
        return;
    } else if (state == LINK_DOWN) {
        link_hurry(node->link);
    } else {
        if (state == LINK_UP) {
            counter_add(&store->metrics->master_changes, 1);
        }
        link_fail(node->link, STORE_TROUBLE_DISCONNECTED, "the Sentinels name another master");
        link_hurry(node->link); /* it is known where to */
    }
}

static const char *why_nowhere(void *context, enum store_trouble *trouble) {
    const struct redis_store *store = ((struct redis_node *)context)->store;
    if (login_is_awaited(store) || store->sentinels == NULL) {
        *trouble = STORE_TROUBLE_NOAUTH;
        return "its password is not made yet";
    }
    *trouble = STORE_TROUBLE_NOMASTER;
    return sentinels_reason(store->sentinels);
}

static void on_refused(void *context, const char *why) {
    login_on_refused(context, why);
}

/* Of the password. */
static void take_news(struct redis_node *node) {
    if (node == NULL) {
        return;
    }
    if (link_seeks(node->link)) {
        seek(node);
    } else {
        login_renew(node);
    }
    durable_take_news(node);
}

void redis_store_woken(struct store *base) {
    struct redis_store *store = redis_store_of(base);
    copies_hear_siblings(store);
    if (store->password == NULL) {
        return;
    }
    for (unsigned i = 0; i < store->node_count; i++) {
        take_news(store->nodes[i]);
    }
    take_news(cluster_scout(store));
}

const struct link_events redis_sought_node_events = {.on_attempt = on_attempt,
                                                     .why_nowhere = why_nowhere,
                                                     .on_refused = on_refused,
                                                     .on_greeting = on_greeting,
                                                     .on_down = on_down,
                                                     .on_push = on_push};
const struct link_events redis_cluster_node_events = {.on_attempt = on_attempt,
                                                      .why_nowhere = why_nowhere,
                                                      .on_refused = on_refused,
                                                      .on_greeting = on_greeting,
                                                      .on_down = on_down,
                                                      .on_beat = on_beat,
                                                      .on_push = on_push};
