/* How what is remembered of reads is kept coherent (RESP3 client-side caching, default mode).
 *
 * Happy path: a greeted connection says CLIENT TRACKING ON; from then on Redis remembers each key
 * that is read on it, missing ones too, and pushes one invalidation when it changes. What a node
 * has is remembered and forgotten on this one connection to it, in the order of its bytes. What is
 * deleted is forgotten when that is acknowledged, by all workers alike, whichever connection
 * carried the command.
 *
 * Failure modes: the connection is lost, all keys are gone (FLUSHALL), or the node has lost a slot:
 * all that came from that node is forgotten at once. It goes silent: copies are not trusted once
 * what was heard is TRUST_MS old. Redis refuses to track: nothing is remembered, it is said, and
 * Redis is asked again now and then. It is too old for its pushes to be relied on: the same, and it
 * is not asked. */
#include "store/redis/redis_store_internal.h"

#include "mintd/clock.h"
#include "mintd/log.h"
#include "store/store_answer.h"

/* Together with the lag of the coarse clock and of the way to the client: under 2 s. */
#define TRUST_MS (LINK_SILENCE_MS - 100u)
#define RETRY_MS 5000u
#define SWEEP_MS 1000u

/* By the real time, not the loop's, which stands still within a turn, however long that takes. */
bool copies_is_recent(uint64_t asked_ms) {
    uint64_t now_ms = clock_monotonic_ms();
    return now_ms < asked_ms || now_ms - asked_ms < TRUST_MS;
}

/* A node of a cluster also has to have said lately which slots it has. */
static bool was_heard(const struct redis_node *node) {
    return copies_is_recent(link_heard_ms(node->link)) &&
           (node->store->cluster == NULL || (node->has_view && copies_is_recent(node->owned_ms)));
}

bool copies_is_trusted(const struct redis_node *node) {
    /* It tells only while its link is up. */
    return node->is_tracked && node->store->schema_is_ours &&
           identity_is_certain(&node->store->identity) && was_heard(node);
}

void copies_rest_on(struct store_operation *operation, const struct store_premise *premises,
                    unsigned count) {
    for (unsigned i = 0; i < STORE_PREMISES_MAX; i++) {
        operation->rests_on[i] = i < count ? premises[i].copy : (struct store_copy){0, 0};
    }
}

void copies_judge_premises(const struct redis_store *store, struct store_operation *operation) {
    operation->holds = true;
    for (unsigned i = 0; i < STORE_PREMISES_MAX; i++) {
        const struct store_copy *copy = &operation->rests_on[i];
        operation->holds =
            operation->holds && (copy->number == 0 || cache_holds(store->copies.cache, copy));
    }
}

/* ---- forgetting ---- */

void copies_forget_key(struct redis_store *store, struct slice key) {
    struct copies *copies = &store->copies;
    flights_spoil(&copies->flights, key);
    if (copies->cache != NULL && cache_drop(copies->cache, key)) {
        counter_add(&store->metrics->cache.invalidated, 1);
    }
}

/* What is under way elsewhere is spoiled too: it is answered, and asked for once more. */
void copies_forget_node(struct redis_node *node) {
    struct copies *copies = &node->store->copies;
    ownership_on_forgotten(node);
    flights_spoil_all(&copies->flights);
    if (copies->cache != NULL && node->index != NODE_NONE) {
        cache_forget(copies->cache, node->index);
    }
}

void copies_forget_all(struct redis_store *store) {
    for (unsigned i = 0; i < store->node_count; i++) {
        if (store->nodes[i] != NULL) {
            copies_forget_node(store->nodes[i]);
        }
    }
}

static void forget_one(struct redis_store *store, struct slice key) {
    copies_forget_key(store, key);
    if (slice_equal(key, S(REDIS_IDENTITY_KEY))) {
        identity_note_change(&store->identity);
    }
}

static void forget_pushed(struct redis_store *store, const struct reply *keys) {
    const struct reply *key = keys + 1;
    for (uint32_t i = 0; i < keys->elements; i++, key = reply_next(key)) {
        if (slice_starts_with(key->text, store->prefix)) {
            forget_one(store, slice_skip(key->text, store->prefix.size));
        }
    }
}

void copies_on_push(struct redis_node *node, const struct reply *push) {
    struct redis_store *store = node->store;
    if (!node->is_tracked) {
        return;
    }
    bool whole = push != NULL && push->elements == 2;
    if (whole && !slice_equal(reply_first(push)->text, S("invalidate"))) {
        return;
    }
    const struct reply *keys = whole ? reply_next(reply_first(push)) : NULL;
    if (keys != NULL && keys->type == REPLY_ARRAY) {
        forget_pushed(store, keys);
    } else { /* FLUSHALL; or too much, or nothing that we understand */
        copies_forget_node(node);
        ownership_on_emptied(node);
    }
}

/* ---- tracking ---- */

static void on_retry(uv_timer_t *timer) {
    copies_start_tracking(timer->data);
}

static const char does_not_tell[] =
    "redis does not tell of changes (CLIENT TRACKING): each request asks it; it needs Redis 7.0 or "
    "later, RESP3 (no proxy, no renamed command) and the right to client|tracking";
static const char is_too_old[] =
    "redis is too old to be relied on to tell of changes (CLIENT TRACKING): each request asks it; "
    "upgrade it to 7.0 or later, or to Valkey";

/* True: it is over for all links. */
static bool take_back_refusal(struct redis_node *node) {
    enum redis_standing before = node->refusal_told;
    node->refusal_told = REDIS_STANDS_WELL;
    return before != REDIS_STANDS_WELL && redis_told_end(node->store->told, before);
}

/* Once for as long as it is so. */
static void tell_refusal(struct redis_node *node, enum redis_standing standing,
                         struct log_field field) {
    if (node->refusal_told == standing) {
        return;
    }
    take_back_refusal(node);
    node->refusal_told = standing;
    if (redis_told_begin(node->store->told, standing)) {
        log_warning(standing == REDIS_IS_TOO_OLD ? is_too_old : does_not_tell, field);
    }
}

static void retry_later(struct redis_node *node) {
    if (!uv_is_closing((uv_handle_t *)&node->retry)) {
        uv_timer_start(&node->retry, on_retry, RETRY_MS, 0);
    }
}

/* It is on while all that are up tell. */
static void tell_whether_it_is_on(struct redis_store *store) {
    bool on = false;
    for (unsigned i = 0; i < store->node_count; i++) {
        const struct redis_node *node = store->nodes[i];
        bool speaks = node != NULL && (node_is_up(node) || node->is_tracked);
        if (speaks && !node->is_tracked) {
            on = false;
            break;
        }
        on = on || speaks;
    }
    counter_set(&store->metrics->cache.on, on);
}

static void on_tracking(void *context, const struct link_result *result) {
    struct redis_node *node = context;
    struct redis_store *store = node->store;
    if (result->reply == NULL) {
        return; /* the connection is lost */
    }
    node->is_tracked = result->trouble == STORE_TROUBLE_NONE;
    tell_whether_it_is_on(store);
    if (!node->is_tracked) {
        tell_refusal(node, REDIS_DOES_NOT_TELL,
                     (struct log_field)LOG_TEXT("reply", result->reply->text));
        retry_later(node);
        return;
    }
    if (take_back_refusal(node)) {
        log_info("redis tells of changes now: answers come from memory");
    }
    if (node_is_up(node) && store->identity.seed[0] != '\0') {
        identity_check(&store->identity); /* that it was read before does not count */
    }
}

/* False holds for as long as the connection does: it is said, and not asked again. */
static bool may_rely_on_pushes(struct redis_node *node) {
    struct slice version = link_server_version(node->link);
    if (!link_takes_pushes(node->link)) { /* Redis would say OK, and then nothing */
        tell_refusal(node, REDIS_DOES_NOT_TELL,
                     (struct log_field)LOG_STRING("reply", "the connection speaks RESP2"));
        return false;
    }
    if (redis_age_of(version) == REDIS_AGE_OLD) {
        tell_refusal(node, REDIS_IS_TOO_OLD, (struct log_field)LOG_TEXT("version", version));
        return false;
    }
    return true;
}

void copies_start_tracking(struct redis_node *node) {
    const struct link_handler handler = {.on_reply = on_tracking, .context = node, .replies = 1};
    if (node->store->copies.cache == NULL || !may_rely_on_pushes(node)) {
        return;
    }
    struct output *out = link_begin(node->link);
    unsigned slot;
    if (out == NULL) { /* too much waits; or it is down, and is asked once it is greeted */
        retry_later(node);
        return;
    }
    output_command(out, 3);
    output_argument(out, S("CLIENT"));
    output_argument(out, S("TRACKING"));
    output_argument(out, S("ON"));
    if (!link_end(node->link, &handler, &slot)) {
        link_fail(node->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

void copies_stop_tracking(struct redis_node *node) {
    struct redis_store *store = node->store;
    if (store->copies.cache == NULL) {
        return;
    }
    if (!uv_is_closing((uv_handle_t *)&node->retry)) {
        uv_timer_stop(&node->retry);
    }
    node->is_tracked = false;
    tell_whether_it_is_on(store);
    copies_forget_node(node);
}

/* ---- the other workers ---- */

static void wake(void *context) {
    const struct copies *copies = &((struct redis_store *)context)->copies;
    if (copies->own_group == NULL) {
        copies->wake(copies->wake_context);
    }
}

static void on_notice(void *context, struct slice key) {
    copies_forget_key(context, key);
}

static void on_told(void *context, void *told) {
    struct redis_store *store = context;
    struct store_operation *operation = told;
    deadlines_remove(&store->deadlines, operation);
    redis_finish(store, operation, STORE_FOUND, STORE_TROUBLE_NONE);
}

void copies_hear_siblings(struct redis_store *store) {
    if (store->copies.member != NULL) {
        cache_member_drain(store->copies.member);
    }
}

bool copies_prepare_notice(struct redis_store *store, struct slice key,
                           struct store_operation *operation) {
    struct copies *copies = &store->copies;
    if (copies->member != NULL) {
        operation->waits_for = cache_notice_new(copies->member, key, operation);
    }
    return copies->member == NULL || operation->waits_for != NULL;
}

void copies_forget_everywhere(struct redis_store *store, struct store_operation *operation) {
    copies_forget_key(store, cache_notice_key(operation->waits_for));
    redis_wait(store, WAITS_FOR_SIBLINGS, operation);
    cache_notice_send(operation->waits_for);
    if (store->copies.own_group != NULL) {
        cache_member_drain(store->copies.member);
    }
}

/* ---- life ---- */

bool copies_init(struct redis_store *store, const struct redis_store_options *options) {
    static const struct cache_member_events events = {wake, on_notice, on_told};
    struct copies *copies = &store->copies;
    copies->flights.seed = options->cache_seed;
    copies->wake = options->wake;
    copies->wake_context = options->wake_context;
    if (options->cache_size == 0) {
        return true;
    }
    copies->cache = cache_new(options->cache_size, &options->cache_seed, &store->metrics->cache);
    if (copies->cache == NULL) {
        return false;
    }
    struct cache_group *group = options->cache_group;
    if (group == NULL) {
        group = copies->own_group = cache_group_new(1);
    }
    copies->member = group == NULL ? NULL : cache_member_join(group, &events, store);
    return copies->member != NULL;
}

static void leave_group(struct copies *copies) {
    if (copies->member != NULL) {
        cache_member_leave(copies->member);
        copies->member = NULL;
    }
}

void copies_fini(struct redis_store *store) {
    leave_group(&store->copies);
    cache_group_free(store->copies.own_group);
    cache_free(store->copies.cache);
}

static void on_sweep(uv_timer_t *timer) {
    const struct redis_store *store = timer->data;
    cache_sweep(store->copies.cache, uv_now(store->loop));
}

void copies_start(struct redis_store *store) {
    struct copies *copies = &store->copies;
    uv_timer_init(store->loop, &copies->sweep); /* cannot fail */
    copies->sweep.data = store;
    if (copies->cache != NULL) {
        uv_timer_start(&copies->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    }
}

static struct store_operation *first_that_waits_for_siblings(struct redis_store *store) {
    struct store_operation *operation = store->deadlines.first;
    while (operation != NULL && operation->kind != WAITS_FOR_SIBLINGS) {
        operation = operation->next;
    }
    return operation;
}

/* Out of the group at once: nobody who still works is to wait for one that has ended. */
void copies_stop(struct redis_store *store) {
    struct store_operation *operation;
    while ((operation = first_that_waits_for_siblings(store)) != NULL) {
        deadlines_remove(&store->deadlines, operation);
        cache_notice_drop(operation->waits_for);
        redis_finish(store, operation, STORE_UNKNOWN, STORE_TROUBLE_DISCONNECTED);
    }
    leave_group(&store->copies);
    uv_close((uv_handle_t *)&store->copies.sweep, redis_part_closed);
}
