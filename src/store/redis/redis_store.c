/* A store kept in Redis: its life, and how it is. What nodes tell: news.c. Whose data it is:
 * ownership.c. How an operation waits and ends: waiting.c. */
#include "store/redis/redis_store_internal.h"

#include "mintd/log.h"
#include <stdio.h>
#include <stdlib.h>

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

static void redis_spare(struct store *base, bool is_spared) {
    redis_store_of(base)->is_spared = is_spared;
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

static uint64_t earliest_expiry(const struct redis_store *store) {
    uint64_t earliest = 0;
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *node = store->nodes[i];
        uint64_t expiry = node == NULL || node->certificate_expiry_s < 0
                              ? 0
                              : (uint64_t)node->certificate_expiry_s;
        if (expiry != 0 && (earliest == 0 || expiry < earliest)) {
            earliest = expiry;
        }
    }
    return earliest;
}

void redis_tell_whether_it_serves(struct redis_store *store) {
    if (store->cluster != NULL) {
        unsigned nodes, up;
        cluster_count(store, &nodes, &up);
        counter_set(&store->metrics->nodes, nodes);
        counter_set(&store->metrics->nodes_up, up);
    }
    counter_set(&store->metrics->certificate_expiry_s, earliest_expiry(store));
    counter_set(&store->metrics->link_up,
                store->base.verbs->trouble(&store->base) == STORE_TROUBLE_NONE);
}

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
                                                        .on_told = redis_on_sentinel_told,
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
    store->open_parts += 6; /* the handles here, those of the ownership, that of the copies */
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
    ownership_close(store);
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
    .read_members = redis_verb_read_members,
    .count = redis_verb_count,
    .confirm = redis_verb_confirm,
    .spare = redis_spare,
    .flush = redis_flush,
    .close = redis_close,
    .free = redis_free,
    .trouble = redis_trouble,
    .write_away = redis_write_away,
    .has_place = redis_has_place,
    .look = redis_look,
};

static void set_prefix(struct redis_store *store, struct slice prefix) {
    size_t size = prefix.size < PREFIX_MAX ? prefix.size : PREFIX_MAX;
    if (size != 0) {
        memcpy(store->prefix_text, prefix.data, size);
    }
    store->prefix = slice_of(store->prefix_text, size);
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
    uv_timer_init(store->loop, &store->held_timer); /* cannot fail */
    store->held_timer.data = store;
    ownership_init(store, options);
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
