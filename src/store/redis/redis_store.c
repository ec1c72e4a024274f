/* A store kept in Redis: its life, and what it hears of its link, the schema and the identity. How
 * an operation waits and ends: waiting.c. */
#include "store/redis/redis_store_internal.h"

#include "mintd/log.h"
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA_RECHECK_MS 5000u

const char *redis_store_reason(const struct store *base) {
    const struct redis_store *store = (const struct redis_store *)base;
    if (store->cluster != NULL) {
        return cluster_reason(store);
    }
    return store->nodes[0] == NULL ? "" : link_reason(store->nodes[0]->link);
}

void redis_store_use_tls(struct store *base, struct tls_context *tls) {
    struct redis_store *store = redis_store_of(base);
    if (store->sentinels != NULL) {
        sentinels_use_tls(store->sentinels, tls);
    }
    for (unsigned i = 0; i < store->node_count; i++) {
        if (store->nodes[i] != NULL) {
            node_use_tls(store->nodes[i], tls);
        }
    }
    tls_context_free(store->settings.tls);
    store->settings.tls = tls; /* of the nodes to come */
}

bool redis_store_look_at_tls(const struct store *base, unsigned node,
                             struct tls_client_view *view) {
    const struct redis_store *store = (const struct redis_store *)base;
    return node < store->node_count && store->nodes[node] != NULL &&
           link_look_at_tls(store->nodes[node]->link, view);
}

/* To be woken costs Redis more than a command does, and more than one may wait for the same answer.
 * So commands gather as long as this worker is busy anyhow: until a turn brings nobody who waits.
 */
static bool turn_brought_some(struct redis_store *store) {
    bool some = store->waits != store->waits_last_turn;
    store->waits_last_turn = store->waits;
    return some;
}

static void flush_durables(struct redis_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        if (store->nodes[i] != NULL && store->nodes[i]->durable != NULL) {
            durable_flush(store->nodes[i]->durable);
        }
    }
}

static void redis_flush(struct store *base) {
    struct redis_store *store = redis_store_of(base);
    bool more_may_come = turn_brought_some(store);
    bool sent = false;
    for (unsigned i = 0; i < store->node_count; i++) {
        if (store->nodes[i] != NULL) {
            sent = link_flush(store->nodes[i]->link, more_may_come) || sent;
        }
    }
    if (store->deletions_wait) {
        flush_durables(store);
    }
    if (sent) {
        flights_take_off(&store->copies.flights);
    }
    cluster_flush(store);
    if (store->sentinels != NULL) {
        sentinels_flush(store->sentinels);
    }
}

enum store_trouble redis_data_trouble(const struct redis_store *store) {
    if (!store->schema_is_ours) { /* or nobody has looked yet */
        return store->schema_is_told ? STORE_TROUBLE_SCHEMA : STORE_TROUBLE_DISCONNECTED;
    }
    return identity_is_right(&store->identity) ? STORE_TROUBLE_NONE : STORE_TROUBLE_IDENTITY;
}

static enum store_trouble redis_trouble(const struct store *base) {
    const struct redis_store *store = (const struct redis_store *)base;
    if (store->closing) {
        return STORE_TROUBLE_DISCONNECTED;
    }
    enum store_trouble trouble =
        store->cluster != NULL ? cluster_trouble(store) : link_trouble(store->nodes[0]->link);
    if (trouble != STORE_TROUBLE_NONE) {
        return trouble;
    }
    return redis_data_trouble(store);
}

static void redis_write_away(const struct store *base, struct buffer *text) {
    const struct redis_store *store = (const struct redis_store *)base;
    if (store->cluster != NULL && !store->closing &&
        base->verbs->trouble(base) == STORE_TROUBLE_NONE) {
        cluster_write_away(store, text);
    }
}

static bool redis_has_place(const struct store *base, struct slice key) {
    const struct redis_store *store = (const struct redis_store *)base;
    if (store->cluster == NULL) {
        return true;
    }
    const struct redis_node *node = route_of(store, key);
    return node != NULL && node_is_up(node) && (!store->mints_wait || node_is_up(node->durable));
}

/* ---- the news of the nodes, the schema and the identity ---- */

void redis_tell_whether_it_serves(struct redis_store *store) {
    if (store->cluster != NULL) {
        unsigned nodes, up;
        cluster_count(store, &nodes, &up);
        counter_set(&store->metrics->nodes, nodes);
        counter_set(&store->metrics->nodes_up, up);
    }
    counter_set(&store->metrics->link_up,
                store->base.verbs->trouble(&store->base) == STORE_TROUBLE_NONE);
}

static void look_at_layout(struct redis_store *store, const struct redis_node *node);

static void on_identity_timer(uv_timer_t *timer) {
    struct redis_store *store = timer->data;
    identity_check(&store->identity);
}

void redis_node_set_up(struct redis_node *node) {
    struct redis_store *store = node->store;
    link_set_up(node->link);
    if (store->sentinels != NULL) {
        sentinels_found(store->sentinels);
    }
    counter_add(&store->metrics->connects, 1);
    if (store->identity.seed[0] != '\0') {
        uv_timer_start(&store->identity_timer, on_identity_timer, REDIS_IDENTITY_MS,
                       REDIS_IDENTITY_MS);
    }
    login_renew(node);
    durable_on_node_up(node);
    route_send_held(store);
    if (store->cluster != NULL && route_of(store, S("schema")) == node) {
        look_at_layout(store, node);
    }
}

/* That there is but one of, and it is being greeted. */
static struct redis_node *greeted_node(const struct redis_store *store) {
    bool is_greeting = store->cluster == NULL && link_state(store->nodes[0]->link) == LINK_GREETING;
    return is_greeting ? store->nodes[0] : NULL;
}

static void on_identity_checked(void *context) {
    struct redis_store *store = context;
    struct redis_node *greeted = greeted_node(store);
    if (greeted != NULL) {
        redis_node_set_up(greeted);
    }
    redis_tell_whether_it_serves(store);
}

static void on_identity_news(void *context, enum redis_identity_news news, struct slice before,
                             struct slice now) {
    struct redis_store *store = context;
    if (news == REDIS_IDENTITY_CHANGED) {
        copies_forget_all(store);
    }
    if (store->on_identity != NULL) {
        store->on_identity(store->identity_context, news, before, now);
    }
}

static struct redis_link *find_identity(void *context) {
    struct redis_store *store = context;
    struct redis_node *node = route_of(store, S(REDIS_IDENTITY_KEY));
    if (node == NULL) {
        return NULL;
    }
    store->identity.is_tracked = &node->is_tracked;
    return node->link;
}

/* Before a link serves. */
static void look_at_identity(struct redis_store *store) {
    if (store->identity.seed[0] != '\0') {
        identity_check(&store->identity);
    } else {
        on_identity_checked(store);
    }
}

static void on_schema_timer(uv_timer_t *timer) {
    redis_look_at_layout(timer->data);
}

static void look_at_layout(struct redis_store *store, const struct redis_node *node) {
    if (node != NULL && node_is_up(node) && !store->schema.is_open) {
        store->schema.link = node->link;
        schema_check(&store->schema);
    }
}

void redis_look_at_layout(struct redis_store *store) {
    if (!store->schema_is_ours) {
        look_at_layout(store, route_of(store, S("schema")));
    }
}

/* Once for as long as it is so. */
static void tell_layout(struct redis_store *store, struct slice version) {
    if (!store->schema_is_told && redis_told_begin(store->told, REDIS_HAS_OTHER_LAYOUT)) {
        log_error("the data in redis was laid out by another version; run the mintd that knows it, "
                  "or use another --redis-prefix",
                  LOG_TEXT("prefix", store->prefix), LOG_TEXT("found", version),
                  LOG_STRING("known", REDIS_SCHEMA_VERSION));
    }
    store->schema_is_told = true;
}

static void take_back_layout(struct redis_store *store) {
    if (store->schema_is_told) {
        (void)redis_told_end(store->told, REDIS_HAS_OTHER_LAYOUT);
    }
    store->schema_is_told = false;
}

static void on_schema_checked(void *context, struct slice version) {
    struct redis_store *store = context;
    bool was_ours = store->schema_is_ours;
    struct redis_node *greeted = greeted_node(store);
    store->schema_is_ours = slice_is_absent(version);
    if (store->schema_is_ours && (greeted != NULL || !was_ours)) {
        uv_timer_stop(&store->schema_timer);
        take_back_layout(store);
        look_at_identity(store);
        return;
    }
    if (!store->schema_is_ours) {
        tell_layout(store, version);
    }
    if (greeted != NULL) {
        redis_node_set_up(greeted);
    } else if (store->schema_is_ours == was_ours) {
        return;
    }
    redis_tell_whether_it_serves(store);
    uv_timer_start(&store->schema_timer, on_schema_timer, SCHEMA_RECHECK_MS, SCHEMA_RECHECK_MS);
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

static void on_greeting(void *context) {
    struct redis_node *node = context;
    struct redis_store *store = node->store;
    if (store->cluster != NULL) {
        look_at_clock(node);
        cluster_on_greeting(node);
        return;
    }
    store->schema_is_ours = false;
    copies_start_tracking(node);
    look_at_clock(node);
    store->schema.link = node->link;
    schema_check(&store->schema);
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
    store->schema_is_ours = false;
    route_forget_told(node);
    counter_set(&store->metrics->link_up, 0);
    if (!store->closing) {
        uv_timer_stop(&store->schema_timer);
        uv_timer_stop(&store->identity_timer);
    }
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

static void on_sentinel_told(void *context) {
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

static bool init_sentinels(struct redis_store *store, uv_loop_t *loop,
                           const struct redis_store_options *options) {
    if (options->url.topology != REDIS_SENTINEL) {
        return true;
    }
    store->sentinels =
        sentinels_new(loop, &(struct sentinels_options){.input = store->input,
                                                        .url = &options->url,
                                                        .tls = options->tls,
                                                        .tls_name = options->tls_name,
                                                        .user = options->sentinel_user,
                                                        .password = options->sentinel_password,
                                                        .name = options->name,
                                                        .metrics = options->metrics,
                                                        .told = options->told,
                                                        .on_told = on_sentinel_told,
                                                        .context = store});
    return store->sentinels != NULL;
}

/* ---- close ---- */

void redis_end_part(void *context) {
    struct redis_store *store = context;
    if (--store->open_parts == 0 && store->closing) {
        store->on_closed(store->on_closed_context);
    }
}

void redis_part_closed(uv_handle_t *handle) {
    redis_end_part(handle->data);
}

static void redis_close(struct store *base, void (*on_closed)(void *), void *context) {
    struct redis_store *store = redis_store_of(base);
    store->on_closed = on_closed;
    store->on_closed_context = context;
    store->closing = true;
    store->open_parts += 6; /* the handles here, and that of the copies */
    login_fini(store);
    route_end_held(store);
    for (unsigned i = 0; i < store->node_count; i++) {
        if (store->nodes[i] != NULL && !store->nodes[i]->is_leaving) {
            node_close(store->nodes[i]);
        }
    }
    if (store->cluster != NULL) {
        cluster_close(store);
    }
    if (store->sentinels != NULL) {
        store->open_parts++;
        sentinels_close(store->sentinels, redis_end_part, store);
    }
    store->deadlines.timer.data = store;
    redis_clock_close(&store->clock, store, redis_part_closed);
    uv_close((uv_handle_t *)&store->schema_timer, redis_part_closed);
    uv_close((uv_handle_t *)&store->identity_timer, redis_part_closed);
    uv_close((uv_handle_t *)&store->held_timer, redis_part_closed);
    uv_close((uv_handle_t *)&store->deadlines.timer, redis_part_closed);
    copies_stop(store);
}

/* Without its nodes. */
static void free_parts(struct redis_store *store) {
    sentinels_free(store->sentinels);
    login_fini(store);
    copies_fini(store);
    cluster_free(store->cluster);
    tls_context_free(store->settings.tls);
    explicit_bzero(&store->settings.url, sizeof store->settings.url);
    free(store);
}

static void redis_free(struct store *base) {
    free_parts(redis_store_of(base));
}

static const struct store_verbs verbs = {
    .get = redis_verb_get,
    .set = redis_verb_set,
    .delete = redis_verb_delete,
    .read_hash = redis_verb_read_hash,
    .create_hash = redis_verb_create_hash,
    .set_field = redis_verb_set_field,
    .remove_field = redis_verb_remove_field,
    .add_member = redis_verb_add_member,
    .remove_member = redis_verb_remove_member,
    .count = redis_verb_count,
    .confirm = redis_verb_confirm,
    .flush = redis_flush,
    .close = redis_close,
    .free = redis_free,
    .trouble = redis_trouble,
    .write_away = redis_write_away,
    .has_place = redis_has_place,
};

static void set_prefix(struct redis_store *store, struct slice prefix) {
    size_t size = prefix.size < PREFIX_MAX ? prefix.size : PREFIX_MAX;
    if (size != 0) {
        memcpy(store->prefix_text, prefix.data, size);
    }
    store->prefix = slice_of(store->prefix_text, size);
}

static void set_identity(struct redis_store *store, const struct redis_store_options *options) {
    struct redis_identity *identity = &store->identity;
    store->on_identity = options->on_identity;
    store->identity_context = options->identity_context;
    identity->find_link = find_identity;
    identity->prefix = store->prefix;
    identity->on_checked = on_identity_checked;
    identity->on_news = on_identity_news;
    identity->context = store;
    snprintf(identity->seed, sizeof identity->seed, "%.*s", (int)options->identity_seed.size,
             options->identity_seed.data);
    snprintf(identity->pinned, sizeof identity->pinned, "%.*s", (int)options->identity.size,
             options->identity.data);
}

static void set_settings(struct redis_store *store, const struct redis_store_options *options) {
    struct node_settings *settings = &store->settings;
    settings->url = options->url;
    settings->tls = options->tls == NULL ? NULL : tls_context_share(options->tls);
    settings->pending_max = options->pending_max != 0 ? options->pending_max : LINK_PENDING_DEFAULT;
    settings->takes_replica = options->takes_replica;
    snprintf(settings->tls_name, sizeof settings->tls_name, "%.*s", (int)options->tls_name.size,
             options->tls_name.size == 0 ? "" : options->tls_name.data);
    snprintf(settings->name, sizeof settings->name, "%.*s", (int)options->name.size,
             options->name.size == 0 ? "" : options->name.data);
}

static void set_wait(struct redis_store *store, const struct redis_wait *wait) {
    store->wait = *wait;
    store->deletions_wait = wait->replicas != 0 || wait->is_auto || wait->files;
    store->mints_wait = store->deletions_wait && wait->mints;
}

/* False: no memory. */
static bool init_topology(struct redis_store *store, const struct redis_store_options *options,
                          struct redis_node **only) {
    if (options->url.topology == REDIS_CLUSTER) {
        return cluster_new(store) != NULL;
    }
    *only =
        init_sentinels(store, store->loop, options) ? node_new(store, 0, NULL, SLICE_ABSENT) : NULL;
    return *only != NULL;
}

static void start(struct redis_store *store, const struct redis_store_options *options,
                  struct redis_node *only) {
    copies_start(store);
    redis_waiting_init(store, options->timeout_ms);
    redis_clock_init(&store->clock, store->loop, NULL, options->shares_clock);
    uv_timer_init(store->loop, &store->schema_timer); /* none can fail */
    uv_timer_init(store->loop, &store->identity_timer);
    uv_timer_init(store->loop, &store->held_timer);
    store->schema_timer.data = store->identity_timer.data = store->held_timer.data = store;
    set_identity(store, options);
    store->schema = (struct redis_schema){.prefix = store->prefix,
                                          .is_moving = store->cluster != NULL,
                                          .only_reads = options->takes_replica,
                                          .on_checked = on_schema_checked,
                                          .context = store};
    if (store->sentinels != NULL) {
        sentinels_start(store->sentinels);
    }
    if (only != NULL) {
        node_start(only);
    } else {
        cluster_start(store);
    }
}

struct store *redis_store_new(uv_loop_t *loop, const struct redis_store_options *options) {
    bool is_bare = options->url.is_tls && options->tls == NULL; /* never in the clear */
    struct redis_store *store = is_bare ? NULL : calloc(1, sizeof *store);
    struct redis_node *only = NULL;
    if (store == NULL) {
        return NULL;
    }
    store->base.verbs = &verbs;
    store->loop = loop;
    store->metrics = options->metrics;
    store->told = options->told;
    set_settings(store, options);
    set_wait(store, &options->wait);
    set_prefix(store, options->prefix);
    if (!copies_init(store, options) || !login_init(store, options) ||
        !init_topology(store, options, &only)) {
        free_parts(store);
        return NULL;
    }
    start(store, options, only);
    return &store->base;
}
