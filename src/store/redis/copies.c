/* How what is remembered of reads is kept coherent (RESP3 client-side caching, default mode).
 *
 * Happy path: a greeted connection says CLIENT TRACKING ON; from then on Redis remembers each key
 * that is read on it, missing ones too, and pushes one invalidation when it changes. The cache is
 * filled and cleared on this one connection, in the order of its bytes.
 *
 * Failure modes: the connection is lost, or all keys are gone (FLUSHALL): everything is forgotten
 * at once. It goes silent: copies are not trusted once what was heard is TRUST_MS old. Redis
 * refuses to track: nothing is remembered, it is said, and Redis is asked again now and then. It is
 * too old for its pushes to be relied on: the same, and it is not asked. */
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

bool copies_is_trusted(const struct redis_store *store) {
    /* The schema is known to be ours only while the link is up. */
    return store->copies.is_tracked && store->schema_is_ours &&
           identity_is_certain(&store->identity) && copies_is_recent(link_heard_ms(store->link));
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

static void forget(struct redis_store *store, struct slice key) {
    struct copies *copies = &store->copies;
    flights_spoil(&copies->flights, key);
    if (cache_drop(copies->cache, key)) {
        counter_add(&store->metrics->cache.invalidated, 1);
    }
}

void copies_forget_all(struct redis_store *store) {
    flights_spoil_all(&store->copies.flights);
    if (store->copies.cache != NULL) {
        cache_empty(store->copies.cache);
    }
}

static void forget_one(struct redis_store *store, struct slice key) {
    forget(store, key);
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

void copies_on_push(struct redis_store *store, const struct reply *push) {
    if (!store->copies.is_tracked) {
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
        copies_forget_all(store);
        identity_doubt(&store->identity);
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
static bool take_back_refusal(struct redis_store *store) {
    enum redis_standing before = store->copies.refusal_told;
    store->copies.refusal_told = REDIS_STANDS_WELL;
    return before != REDIS_STANDS_WELL && redis_told_end(store->told, before);
}

/* Once for as long as it is so. */
static void tell_refusal(struct redis_store *store, enum redis_standing standing,
                         struct log_field field) {
    if (store->copies.refusal_told == standing) {
        return;
    }
    take_back_refusal(store);
    store->copies.refusal_told = standing;
    if (redis_told_begin(store->told, standing)) {
        log_warning(standing == REDIS_IS_TOO_OLD ? is_too_old : does_not_tell, field);
    }
}

static void retry_later(struct redis_store *store) {
    if (!store->closing) {
        uv_timer_start(&store->copies.retry, on_retry, RETRY_MS, 0);
    }
}

static void on_tracking(void *context, const struct link_result *result) {
    struct redis_store *store = context;
    struct copies *copies = &store->copies;
    if (result->reply == NULL) {
        return; /* the connection is lost */
    }
    copies->is_tracked = result->trouble == STORE_TROUBLE_NONE;
    counter_set(&store->metrics->cache.on, copies->is_tracked);
    if (!copies->is_tracked) {
        tell_refusal(store, REDIS_DOES_NOT_TELL,
                     (struct log_field)LOG_TEXT("reply", result->reply->text));
        retry_later(store);
        return;
    }
    if (take_back_refusal(store)) {
        log_info("redis tells of changes now: answers come from memory");
    }
    if (link_state(store->link) == LINK_UP && store->identity.seed[0] != '\0') {
        identity_check(&store->identity); /* that it was read before does not count */
    }
}

/* False holds for as long as the connection does: it is said, and not asked again. */
static bool may_rely_on_pushes(struct redis_store *store) {
    struct slice version = link_server_version(store->link);
    if (!link_takes_pushes(store->link)) { /* Redis would say OK, and then nothing */
        tell_refusal(store, REDIS_DOES_NOT_TELL,
                     (struct log_field)LOG_STRING("reply", "the connection speaks RESP2"));
        return false;
    }
    if (redis_age_of(version) == REDIS_AGE_OLD) {
        tell_refusal(store, REDIS_IS_TOO_OLD, (struct log_field)LOG_TEXT("version", version));
        return false;
    }
    return true;
}

void copies_start_tracking(struct redis_store *store) {
    const struct link_handler handler = {.on_reply = on_tracking, .context = store, .replies = 1};
    if (store->copies.cache == NULL || !may_rely_on_pushes(store)) {
        return;
    }
    struct output *out = link_begin(store->link);
    unsigned slot;
    if (out == NULL) { /* too much waits; or it is down, and is asked once it is greeted */
        retry_later(store);
        return;
    }
    output_command(out, 3);
    output_argument(out, S("CLIENT"));
    output_argument(out, S("TRACKING"));
    output_argument(out, S("ON"));
    if (!link_end(store->link, &handler, &slot)) {
        link_fail(store->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

void copies_stop_tracking(struct redis_store *store) {
    struct copies *copies = &store->copies;
    if (copies->cache == NULL) {
        return;
    }
    if (!store->closing) {
        uv_timer_stop(&copies->retry);
    }
    copies->is_tracked = false;
    store->identity.is_watched = false;
    counter_set(&store->metrics->cache.on, 0);
    copies_forget_all(store);
}

/* ---- the other workers ---- */

static void wake(void *context) {
    const struct copies *copies = &((struct redis_store *)context)->copies;
    copies->wake(copies->wake_context);
}

static void on_notice(void *context, struct slice key) {
    forget(context, key);
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

bool copies_forget(struct redis_store *store, struct slice key, struct store_operation *operation) {
    struct copies *copies = &store->copies;
    if (copies->member != NULL) {
        operation->waits_for = cache_notice_new(copies->member, key, operation);
        if (operation->waits_for == NULL) {
            return false;
        }
    }
    if (copies->cache != NULL) {
        forget(store, key);
    }
    return true;
}

void copies_forget_everywhere(struct redis_store *store, struct store_operation *operation) {
    redis_wait(store, WAITS_FOR_SIBLINGS, operation);
    cache_notice_send(operation->waits_for);
}

/* ---- life ---- */

bool copies_init(struct redis_store *store, const struct redis_store_options *options) {
    static const struct cache_member_events events = {wake, on_notice, on_told};
    struct copies *copies = &store->copies;
    copies->flights.seed = options->cache_seed;
    if (options->cache_size == 0) {
        return true;
    }
    copies->cache = cache_new(options->cache_size, &options->cache_seed, &store->metrics->cache);
    if (copies->cache == NULL) {
        return false;
    }
    if (options->cache_group != NULL) {
        copies->wake = options->wake;
        copies->wake_context = options->wake_context;
        copies->member = cache_member_join(options->cache_group, &events, store);
    }
    return true;
}

static void leave_group(struct copies *copies) {
    if (copies->member != NULL) {
        cache_member_leave(copies->member);
        copies->member = NULL;
    }
}

void copies_fini(struct redis_store *store) {
    leave_group(&store->copies);
    cache_free(store->copies.cache);
}

static void on_sweep(uv_timer_t *timer) {
    const struct redis_store *store = timer->data;
    cache_sweep(store->copies.cache, uv_now(store->loop));
}

void copies_start(struct redis_store *store) {
    struct copies *copies = &store->copies;
    uv_timer_init(store->loop, &copies->retry); /* none can fail */
    uv_timer_init(store->loop, &copies->sweep);
    copies->retry.data = copies->sweep.data = store;
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
    uv_close((uv_handle_t *)&store->copies.retry, redis_part_closed);
    uv_close((uv_handle_t *)&store->copies.sweep, redis_part_closed);
}
