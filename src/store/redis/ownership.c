/* Whose data it is: the layout (schema.h) and the identity (identity.h) of what is in Redis.
 *
 * One Redis is looked at in each greeting, and serves only then. In a cluster each of the two keys
 * has its node: it is looked at when that one comes up, or the key has another one. The layout has
 * a second key there, its mark, beside the generation, without which nothing is served anyhow: what
 * it says counts while the node of the first is away, so that this one is nobody's but its own
 * keys'. */
#include "store/redis/redis_store_internal.h"

#include "mintd/log.h"
#include <stdio.h>

#define SCHEMA_KEY "schema"

#define SCHEMA_RECHECK_MS 5000u

enum store_trouble redis_data_trouble(const struct redis_store *store) {
    if (!store->schema_is_ours) { /* or nobody has looked yet */
        return store->schema_is_told ? STORE_TROUBLE_SCHEMA : STORE_TROUBLE_DISCONNECTED;
    }
    return identity_is_right(&store->identity) ? STORE_TROUBLE_NONE : STORE_TROUBLE_IDENTITY;
}

static void on_identity_timer(uv_timer_t *timer) {
    struct redis_store *store = timer->data;
    identity_check(&store->identity);
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

static void look_at(const struct redis_store *store, struct redis_schema *schema) {
    const struct redis_node *node = route_of(store, schema->key);
    bool is_kept = !schema->is_mark || store->cluster != NULL;
    if (is_kept && node != NULL && node_is_up(node) && !schema->is_open) {
        schema->link = node->link;
        schema_check(schema);
    }
}

void redis_look_at_layout(struct redis_store *store) {
    if (!store->schema_is_ours || store->schema.is_due) {
        look_at(store, &store->schema);
    }
    if (!store->schema_is_ours || store->mark.is_due) {
        look_at(store, &store->mark);
    }
}

/* Not only: not up yet. */
static bool schema_is_away(const struct redis_store *store) {
    const struct redis_node *node = route_of(store, S(SCHEMA_KEY));
    return node == NULL || (!node_is_up(node) && *link_reason(node->link) != '\0');
}

/* Once it is ours it stays so until somebody says something else. */
static bool find_whether_it_is_ours(const struct redis_store *store) {
    enum redis_schema_word word = store->schema.word, mark = store->mark.word;
    if (word == SCHEMA_IS_OTHER || mark == SCHEMA_IS_OTHER) {
        return false;
    }
    return store->schema_is_ours || word == SCHEMA_IS_OURS ||
           (mark == SCHEMA_IS_OURS && schema_is_away(store));
}

/* Once for as long as it is so. */
static void tell_layout(struct redis_store *store, struct slice key, struct slice version) {
    if (!store->schema_is_told && redis_told_begin(store->told, REDIS_HAS_OTHER_LAYOUT)) {
        log_error("the data in redis was laid out by another version; run the mintd that knows it, "
                  "or use another --redis-prefix",
                  LOG_TEXT("prefix", store->prefix), LOG_TEXT("key", key),
                  LOG_TEXT("found", version), LOG_STRING("known", REDIS_SCHEMA_VERSION));
    }
    store->schema_is_told = true;
}

static void take_back_layout(struct redis_store *store) {
    if (store->schema_is_told) {
        (void)redis_told_end(store->told, REDIS_HAS_OTHER_LAYOUT);
    }
    store->schema_is_told = false;
}

/* `version` is absent: it is ours, as that key says. */
static void take_word(struct redis_store *store, struct slice key, struct slice version) {
    bool was_ours = store->schema_is_ours;
    struct redis_node *greeted = greeted_node(store);
    store->schema_is_ours = find_whether_it_is_ours(store);
    if (store->schema_is_ours && (greeted != NULL || !was_ours)) {
        uv_timer_stop(&store->schema_timer);
        take_back_layout(store);
        look_at_identity(store);
        return;
    }
    if (!slice_is_absent(version)) {
        tell_layout(store, key, version);
    }
    if (greeted != NULL) {
        redis_node_set_up(greeted);
    } else if (store->schema_is_ours == was_ours) {
        return;
    }
    redis_tell_whether_it_serves(store);
    uv_timer_start(&store->schema_timer, on_schema_timer, SCHEMA_RECHECK_MS, SCHEMA_RECHECK_MS);
}

static void on_schema_checked(void *context, struct slice version) {
    struct redis_store *store = context;
    take_word(store, store->schema.key, version);
    bool may_mark = store->schema_is_ours && store->schema.word == SCHEMA_IS_OURS &&
                    store->schema.absent == SCHEMA_ABSENT_IS_MADE;
    store->mark.absent = may_mark ? SCHEMA_ABSENT_IS_MADE : SCHEMA_ABSENT_IS_UNTOLD;
    if (may_mark) {
        look_at(store, &store->mark);
    }
}

static void on_mark_checked(void *context, struct slice version) {
    struct redis_store *store = context;
    take_word(store, store->mark.key, version);
}

static void init_schema(struct redis_store *store, bool only_reads) {
    bool is_cluster = store->cluster != NULL;
    int size = snprintf(store->mark_key, sizeof store->mark_key, "schema:{%.*sgeneration}",
                        (int)store->prefix.size, store->prefix.data);
    store->schema =
        (struct redis_schema){.prefix = store->prefix,
                              .key = S(SCHEMA_KEY),
                              .is_moving = is_cluster,
                              .absent = only_reads ? SCHEMA_ABSENT_IS_OURS : SCHEMA_ABSENT_IS_MADE,
                              .on_checked = on_schema_checked,
                              .context = store};
    store->mark = (struct redis_schema){.prefix = store->prefix,
                                        .key = slice_of(store->mark_key, (size_t)size),
                                        .is_moving = is_cluster,
                                        .absent = SCHEMA_ABSENT_IS_UNTOLD,
                                        .is_mark = true,
                                        .on_checked = on_mark_checked,
                                        .context = store};
}

static void init_identity(struct redis_store *store, const struct redis_store_options *options) {
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

void ownership_init(struct redis_store *store, const struct redis_store_options *options) {
    uv_timer_init(store->loop, &store->schema_timer); /* none can fail */
    uv_timer_init(store->loop, &store->identity_timer);
    store->schema_timer.data = store->identity_timer.data = store;
    init_identity(store, options);
    init_schema(store, options->takes_replica);
}

void ownership_close(struct redis_store *store) {
    uv_close((uv_handle_t *)&store->schema_timer, redis_part_closed);
    uv_close((uv_handle_t *)&store->identity_timer, redis_part_closed);
}

void ownership_on_node_up(struct redis_node *node) {
    struct redis_store *store = node->store;
    if (store->identity.seed[0] != '\0') {
        uv_timer_start(&store->identity_timer, on_identity_timer, REDIS_IDENTITY_MS,
                       REDIS_IDENTITY_MS);
    }
    if (store->cluster != NULL && route_of(store, store->schema.key) == node) {
        look_at(store, &store->schema);
    }
    if (store->cluster != NULL && route_of(store, store->mark.key) == node) {
        look_at(store, &store->mark);
    }
}

/* Whether what is known of the identity was read on this node. */
static bool has_told_identity(const struct redis_node *node) {
    return node->store->identity.link == node->link;
}

void ownership_on_forgotten(const struct redis_node *node) {
    if (has_told_identity(node)) {
        identity_note_change(&node->store->identity);
    }
}

void ownership_on_emptied(const struct redis_node *node) {
    if (has_told_identity(node)) {
        identity_doubt(&node->store->identity);
    }
}

void ownership_on_map(struct redis_store *store) {
    const struct redis_node *keeper = route_of(store, S(REDIS_IDENTITY_KEY));
    if (keeper == NULL || !has_told_identity(keeper)) {
        identity_note_change(&store->identity);
    }
    redis_look_at_layout(store);
}

void ownership_on_greeting(struct redis_node *only) {
    struct redis_store *store = only->store;
    store->schema_is_ours = false;
    store->schema.word = SCHEMA_UNTOLD;
    store->schema.link = only->link;
    schema_check(&store->schema);
}

void ownership_on_down(struct redis_store *store) {
    store->schema_is_ours = false;
    if (!store->closing) {
        uv_timer_stop(&store->schema_timer);
        uv_timer_stop(&store->identity_timer);
    }
}
