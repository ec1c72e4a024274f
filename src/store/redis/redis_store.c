/* A store kept in Redis: its life, and what it hears of its link, the schema and the identity. How
 * an operation waits and ends: waiting.c. */
#include "store/redis/redis_store_internal.h"

#include "mintd/log.h"
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA_RECHECK_MS 5000u

const char *redis_store_reason(const struct store *store) {
    return link_reason(((const struct redis_store *)store)->link);
}

void redis_store_use_tls(struct store *store, struct tls_context *tls) {
    const struct redis_store *redis = redis_store_of(store);
    if (redis->sentinels != NULL) {
        sentinels_use_tls(redis->sentinels, tls);
    }
    link_use_tls(redis->link, tls);
}

bool redis_store_look_at_tls(const struct store *store, struct tls_client_view *view) {
    return link_look_at_tls(((const struct redis_store *)store)->link, view);
}

/* To be woken costs Redis more than a command does, and more than one may wait for the same answer.
 * So commands gather as long as this worker is busy anyhow: until a turn brings nobody who waits.
 */
static bool turn_brought_some(struct redis_store *store) {
    bool some = store->waits != store->waits_last_turn;
    store->waits_last_turn = store->waits;
    return some;
}

static void redis_flush(struct store *base) {
    struct redis_store *store = redis_store_of(base);
    if (link_flush(store->link, turn_brought_some(store))) {
        flights_take_off(&store->copies.flights);
    }
    if (store->sentinels != NULL) {
        sentinels_flush(store->sentinels);
    }
}

static enum store_trouble redis_trouble(const struct store *base) {
    const struct redis_store *store = (const struct redis_store *)base;
    enum store_trouble trouble = link_trouble(store->link);
    if (trouble != STORE_TROUBLE_NONE) {
        return trouble;
    }
    return !store->schema_is_ours                 ? STORE_TROUBLE_SCHEMA
           : !identity_is_right(&store->identity) ? STORE_TROUBLE_IDENTITY
                                                  : STORE_TROUBLE_NONE;
}

/* ---- the news of the link, the schema and the identity ---- */

static void tell_whether_it_serves(struct redis_store *store) {
    counter_set(&store->metrics->link_up,
                store->base.verbs->trouble(&store->base) == STORE_TROUBLE_NONE);
}

static void on_identity_timer(uv_timer_t *timer) {
    struct redis_store *store = timer->data;
    identity_check(&store->identity);
}

static void set_link_up(struct redis_store *store) {
    link_set_up(store->link);
    if (store->sentinels != NULL) {
        sentinels_found(store->sentinels);
    }
    counter_add(&store->metrics->connects, 1);
    if (store->identity.seed[0] != '\0') {
        uv_timer_start(&store->identity_timer, on_identity_timer, REDIS_IDENTITY_MS,
                       REDIS_IDENTITY_MS);
    }
    login_renew(store);
}

static void on_identity_checked(void *context) {
    struct redis_store *store = context;
    if (link_state(store->link) == LINK_GREETING) {
        set_link_up(store);
    }
    tell_whether_it_serves(store);
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

/* Before a link serves. */
static void look_at_identity(struct redis_store *store) {
    if (store->identity.seed[0] != '\0') {
        identity_check(&store->identity);
    } else {
        on_identity_checked(store);
    }
}

static void on_schema_timer(uv_timer_t *timer) {
    struct redis_store *store = timer->data;
    schema_check(&store->schema);
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
    bool is_greeting = link_state(store->link) == LINK_GREETING;
    store->schema_is_ours = slice_is_absent(version);
    if (store->schema_is_ours && (is_greeting || !was_ours)) {
        uv_timer_stop(&store->schema_timer);
        take_back_layout(store);
        look_at_identity(store);
        return;
    }
    if (is_greeting) {
        set_link_up(store);
    } else if (store->schema_is_ours == was_ours) {
        return;
    }
    tell_whether_it_serves(store);
    uv_timer_start(&store->schema_timer, on_schema_timer, SCHEMA_RECHECK_MS, SCHEMA_RECHECK_MS);
    tell_layout(store, version);
}

static void on_greeting(void *context) {
    struct redis_store *store = context;
    store->schema_is_ours = false;
    copies_start_tracking(store);
    redis_clock_start(&store->clock); /* ahead of all that goes by it */
    schema_check(&store->schema);
}

static void on_down(void *context) {
    struct redis_store *store = context;
    store->schema_is_ours = false;
    copies_stop_tracking(store);
    redis_clock_stop(&store->clock);
    counter_set(&store->metrics->link_up, 0);
    if (!store->closing) {
        uv_timer_stop(&store->schema_timer);
        uv_timer_stop(&store->identity_timer);
    }
}

static void on_push(void *context, const struct reply *push) {
    copies_on_push(context, push);
}

static const struct link_events link_events = {
    .on_greeting = on_greeting, .on_down = on_down, .on_push = on_push};

/* ---- where an attempt leads ---- */

static void seek(struct redis_store *store) {
    if (!login_is_ready(store)) {
        return;
    }
    if (store->sentinels == NULL) {
        link_connect_to(store->link, NULL);
        return;
    }
    const struct redis_endpoint *master = sentinels_master(store->sentinels);
    if (master != NULL) {
        link_connect_to(store->link, master);
    } else if (sentinels_deny(store->sentinels)) {
        link_fail(store->link, STORE_TROUBLE_NOMASTER, sentinels_reason(store->sentinels));
    }
}

static void on_attempt(void *context) {
    struct redis_store *store = context;
    login_ask(store);
    if (store->sentinels != NULL) {
        sentinels_seek(store->sentinels);
    }
    seek(store);
}

static void on_sentinel_told(void *context) {
    struct redis_store *store = context;
    enum link_state state = link_state(store->link);
    if (link_seeks(store->link)) {
        seek(store);
    } else if (sentinels_agree(store->sentinels)) {
        return;
    } else if (state == LINK_DOWN) {
        link_hurry(store->link);
    } else {
        if (state == LINK_UP) {
            counter_add(&store->metrics->master_changes, 1);
        }
        link_fail(store->link, STORE_TROUBLE_DISCONNECTED, "the Sentinels name another master");
    }
}

static const char *why_nowhere(void *context, enum store_trouble *trouble) {
    struct redis_store *store = context;
    if (login_is_awaited(store)) {
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
static void take_news(struct redis_store *store) {
    if (link_seeks(store->link)) {
        seek(store);
    } else {
        login_renew(store);
    }
}

void redis_store_woken(struct store *base) {
    struct redis_store *store = redis_store_of(base);
    copies_hear_siblings(store);
    if (store->login.member != NULL) {
        take_news(store);
    }
}

static const struct link_events sought_link_events = {.on_attempt = on_attempt,
                                                      .why_nowhere = why_nowhere,
                                                      .on_refused = on_refused,
                                                      .on_greeting = on_greeting,
                                                      .on_down = on_down,
                                                      .on_push = on_push};

static bool init_sentinels(struct redis_store *store, uv_loop_t *loop,
                           const struct redis_store_options *options) {
    if (options->url.topology != REDIS_SENTINEL) {
        return true;
    }
    store->sentinels =
        sentinels_new(loop, &(struct sentinels_options){.url = &options->url,
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

static void part_closed(struct redis_store *store) {
    if (--store->open_parts == 0) {
        store->on_closed(store->on_closed_context);
    }
}

void redis_part_closed(uv_handle_t *handle) {
    part_closed(handle->data);
}

static void on_part_closed(void *context) {
    part_closed(context);
}

static void redis_close(struct store *base, void (*on_closed)(void *), void *context) {
    struct redis_store *store = redis_store_of(base);
    store->on_closed = on_closed;
    store->on_closed_context = context;
    store->closing = true;
    store->open_parts = 7;
    login_fini(store);
    link_close(store->link, on_part_closed, store);
    if (store->sentinels != NULL) {
        store->open_parts++;
        sentinels_close(store->sentinels, on_part_closed, store);
    }
    store->deadlines.timer.data = store->schema_timer.data = store->identity_timer.data = store;
    redis_clock_close(&store->clock, store, redis_part_closed);
    uv_close((uv_handle_t *)&store->schema_timer, redis_part_closed);
    uv_close((uv_handle_t *)&store->identity_timer, redis_part_closed);
    uv_close((uv_handle_t *)&store->deadlines.timer, redis_part_closed);
    copies_stop(store);
}

static void redis_free(struct store *base) {
    struct redis_store *store = redis_store_of(base);
    link_free(store->link);
    sentinels_free(store->sentinels);
    copies_fini(store);
    free(store);
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
    identity->link = store->link;
    identity->prefix = store->prefix;
    identity->is_tracked = &store->copies.is_tracked;
    identity->on_checked = on_identity_checked;
    identity->on_news = on_identity_news;
    identity->context = store;
    snprintf(identity->seed, sizeof identity->seed, "%.*s", (int)options->identity_seed.size,
             options->identity_seed.data);
    snprintf(identity->pinned, sizeof identity->pinned, "%.*s", (int)options->identity.size,
             options->identity.data);
}

struct store *redis_store_new(uv_loop_t *loop, const struct redis_store_options *options) {
    bool is_bare = options->url.is_tls && options->tls == NULL; /* never in the clear */
    struct redis_store *store = is_bare ? NULL : calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    const struct link_options link_options = {
        .url = &options->url,
        .tls = options->tls,
        .tls_name = options->tls_name,
        .name = options->name,
        .pending_max = options->pending_max,
        .peer = options->takes_replica ? LINK_TO_ANY : LINK_TO_MASTER,
        .told = options->told,
        .events = options->url.topology == REDIS_STANDALONE && options->password == NULL
                      ? &link_events
                      : &sought_link_events,
        .context = store,
    };
    store->base.verbs = &verbs;
    store->loop = loop;
    store->metrics = options->metrics;
    store->told = options->told;
    store->link = copies_init(store, options) && login_init(store, options) &&
                          init_sentinels(store, loop, options)
                      ? link_new(loop, &link_options)
                      : NULL;
    if (store->link == NULL) {
        sentinels_free(store->sentinels);
        login_fini(store);
        copies_fini(store);
        free(store);
        return NULL;
    }
    copies_start(store);
    set_prefix(store, options->prefix);
    redis_waiting_init(store, options->timeout_ms);
    redis_clock_init(&store->clock, loop, store->link, options->shares_clock);
    uv_timer_init(loop, &store->schema_timer);
    uv_timer_init(loop, &store->identity_timer);
    store->schema_timer.data = store->identity_timer.data = store;
    set_identity(store, options);
    store->schema = (struct redis_schema){.link = store->link,
                                          .prefix = store->prefix,
                                          .only_reads = options->takes_replica,
                                          .on_checked = on_schema_checked,
                                          .context = store};
    if (store->sentinels != NULL) {
        sentinels_start(store->sentinels);
    }
    link_start(store->link);
    return &store->base;
}
