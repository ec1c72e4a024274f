/* The life of a node's second link: when it comes up, whether what it is for can be had. */
#include "store/redis/redis_store_internal.h"

/* ---- how many replicas there are ---- */

static const char no_right_to_role[] = "its user has no right to ROLE, which --redis-wait auto "
                                       "needs";

/* "master", an offset, a list of replicas; NULL: it is no master. */
static const struct reply *replicas_in(const struct reply *reply) {
    bool is_master = reply->type == REPLY_ARRAY && reply->elements == 3 &&
                     slice_equal(reply_first(reply)->text, S("master"));
    return is_master ? reply_next(reply_next(reply_first(reply))) : NULL;
}

/* False: it has failed. */
static bool take_role(struct redis_node *node, const struct link_result *result) {
    if (result->reply == NULL) {
        link_fail(node->link, STORE_TROUBLE_PROTOCOL, "its answer to ROLE is too big");
        return false;
    }
    const struct reply *replicas = replicas_in(result->reply);
    if (result->trouble == STORE_TROUBLE_NOPERM) {
        link_fail(node->link, STORE_TROUBLE_NOPERM, no_right_to_role);
    } else if (result->trouble != STORE_TROUBLE_NONE) {
        durable_refuse(node, result->trouble, "it does not answer ROLE");
    } else if (replicas == NULL) {
        redis_leave_if_no_master(node, STORE_TROUBLE_READONLY);
    } else if (replicas->type != REPLY_ARRAY) {
        link_fail(node->link, STORE_TROUBLE_PROTOCOL, "its answer to ROLE makes no sense");
    } else {
        node->batch->wanted = replicas->elements;
        return true;
    }
    return false;
}

static void ask_role(struct redis_node *node,
                     void (*on_reply)(void *context, const struct link_result *result)) {
    const struct link_handler handler = {.on_reply = on_reply, .context = node, .replies = 1};
    struct output *out = link_begin(node->link);
    unsigned slot;
    if (out == NULL) { /* with the next beat */
        return;
    }
    output_command(out, 1);
    output_argument(out, S("ROLE"));
    if (!link_end(node->link, &handler, &slot)) {
        link_fail(node->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

static void on_role(void *context, const struct link_result *result) {
    (void)take_role(context, result);
}

static void on_beat(void *context) {
    ask_role(context, on_role);
}

/* ---- a greeting ---- */

static void tell_links(struct redis_store *store, const struct redis_node *that_is_up) {
    uint64_t up = that_is_up != NULL ? 1 : 0;
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *node = store->nodes[i];
        const struct redis_node *second = node == NULL ? NULL : node->durable;
        up += second != NULL && second != that_is_up && node_is_up(second);
    }
    counter_set(&store->metrics->durable_up, up);
}

static void set_up(struct redis_node *node) {
    link_set_up(node->link);
    tell_links(node->store, node);
    login_renew(node);
    route_send_held(node->store);
}

static void on_first_role(void *context, const struct link_result *result) {
    if (take_role(context, result)) {
        set_up(context);
    }
}

static const char *why_it_does_not_wait(const struct redis_store *store, struct slice error) {
    const char *const own[][2] = {
        {"NOPERM",
         store->wait.files ? "its user has no right to WAITAOF" : "its user has no right to WAIT"},
        {"ERR unknown command", store->wait.files ? "it has no WAITAOF, which --redis-wait-aof "
                                                    "needs: Redis 7.2 or later, or Valkey"
                                                  : "it has no WAIT"},
        {"ERR WAITAOF cannot be used when numlocal", "it writes no append-only file, which "
                                                     "--redis-wait-aof needs: appendonly yes"},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (slice_starts_with(error, slice_of_string(own[i][0]))) {
            return own[i][1];
        }
    }
    return "it refuses to wait for replicas";
}

/* What will be asked of it is asked once, of no replica and for no time. */
static void on_tried(void *context, const struct link_result *result) {
    struct redis_node *node = context;
    const struct redis_store *store = node->store;
    if (result->reply == NULL || result->trouble != STORE_TROUBLE_NONE) {
        struct slice error = result->reply != NULL ? result->reply->text : S("");
        durable_refuse(node, result->trouble, why_it_does_not_wait(store, error));
    } else if (!durable_is_answer(store, result->reply)) {
        link_fail(node->link, STORE_TROUBLE_PROTOCOL, "its answer to WAIT makes no sense");
    } else if (store->wait.is_auto) {
        ask_role(node, on_first_role);
    } else {
        set_up(node);
    }
}

static void on_greeting(void *context) {
    struct redis_node *node = context;
    const struct link_handler handler = {.on_reply = on_tried, .context = node, .replies = 1};
    struct output *out = link_begin(node->link);
    unsigned slot;
    if (out != NULL) {
        durable_put_wait(node->store, out, 0, 1);
    }
    if (out == NULL || !link_end(node->link, &handler, &slot)) {
        link_fail(node->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

/* What waits is answered behind this: DISCONNECTED. */
static void on_down(void *context) {
    struct redis_node *node = context;
    node->batch->gathered = 0;
    node->batch->is_waiting = false;
    tell_links(node->store, NULL);
}

/* ---- where an attempt leads ---- */

static void seek(struct redis_node *node) {
    struct redis_node *of = node->batch->of;
    if (login_is_ready(node) && node_is_up(of)) {
        link_connect_beside(node->link, of->link);
    }
}

static void on_attempt(void *context) {
    login_ask(context);
    seek(context);
}

/* The other link says it. */
static const char *why_nowhere(void *context, enum store_trouble *trouble) {
    (void)context;
    *trouble = STORE_TROUBLE_DISCONNECTED;
    return NULL;
}

static void on_refused(void *context, const char *why) {
    login_on_refused(context, why);
}

void durable_on_node_up(struct redis_node *node) {
    if (node->durable == NULL) {
        return;
    }
    if (link_seeks(node->durable->link)) {
        seek(node->durable);
    } else {
        link_hurry(node->durable->link);
    }
}

void durable_on_node_down(struct redis_node *node) {
    if (node->durable != NULL) {
        link_leave(node->durable->link, "the other link to this redis is lost");
    }
}

void durable_take_news(struct redis_node *node) {
    if (node->durable == NULL) {
        return;
    }
    if (link_seeks(node->durable->link)) {
        seek(node->durable);
    } else {
        login_renew(node->durable);
    }
}

const struct link_events *durable_events(const struct redis_store *store) {
    static const struct link_events fixed = {.on_attempt = on_attempt,
                                             .why_nowhere = why_nowhere,
                                             .on_refused = on_refused,
                                             .on_greeting = on_greeting,
                                             .on_down = on_down};
    static const struct link_events counting = {.on_attempt = on_attempt,
                                                .why_nowhere = why_nowhere,
                                                .on_refused = on_refused,
                                                .on_greeting = on_greeting,
                                                .on_down = on_down,
                                                .on_beat = on_beat};
    return store->wait.is_auto ? &counting : &fixed;
}
