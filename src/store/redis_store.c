/* The verbs of a store as commands of Redis, and the replies as answers.
 *
 * An operation waits in two places: in the link's ring for its reply and in `deadlines` for its
 * time. Whichever comes first takes it out of the other and ends it. */
#include "mintd/redis_store.h"

#include "mintd/clock.h"
#include "mintd/log.h"
#include "store/deadlines.h"
#include "store/redis_answer.h"
#include "store/redis_call.h"
#include "store/redis_link.h"
#include "store/redis_schema.h"
#include "store/store_answer.h"
#include <stdlib.h>

#define PREFIX_MAX 64u
#define SCHEMA_RECHECK_MS 5000u

/* Who gets the replies to commands of one kind that nobody waits for any more. */
struct late_replies {
    struct redis_store *store;
    enum redis_verb verb;
};

struct redis_store {
    struct store base;
    struct redis_link *link;
    struct deadlines deadlines;
    struct store_metrics *metrics;
    char prefix_text[PREFIX_MAX];
    struct slice prefix;

    struct redis_schema schema;
    bool schema_is_ours;
    uv_timer_t schema_timer; /* runs while it is not */

    struct redis_fields fields;
    struct late_replies late[REDIS_VERB_COUNT];

    bool closing;
    unsigned open_parts; /* the link and two timers, until they are closed */
    void (*on_closed)(void *);
    void *on_closed_context;
};

static struct redis_store *redis_store_of(struct store *base) {
    return (struct redis_store *)base;
}

/* ---- an operation's end ---- */

static enum progress done_unknown(struct redis_store *store, struct store_operation *operation,
                                  enum store_trouble trouble) {
    store_operation_set(operation, store->metrics, STORE_UNKNOWN, trouble);
    return PROGRESS_DONE;
}

static void finish(struct redis_store *store, struct store_operation *operation,
                   enum store_answer answer, enum store_trouble trouble) {
    counter_set(&store->metrics->pending, store->deadlines.count);
    store_operation_set(operation, store->metrics, answer, trouble);
    operation->on_done(operation);
}

/* Nobody waits for it. But if it is no reply to that command, the order of replies is lost. */
static void on_late_reply(void *context, const struct link_result *result) {
    const struct late_replies *late = context;
    struct store_operation nobodys = {.trouble = STORE_TROUBLE_NONE};
    bool can_tell =
        late->verb != REDIS_CALL && result->reply != NULL && result->trouble == STORE_TROUBLE_NONE;
    if (can_tell && !redis_answer(late->verb, result->reply, &late->store->fields, &nobodys)) {
        link_fail(late->store->link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
    }
}

static void on_expired(void *context, struct store_operation *operation) {
    struct redis_store *store = context;
    link_hand_over(store->link, operation->slot, on_late_reply, &store->late[operation->kind]);
    finish(store, operation, STORE_UNKNOWN, STORE_TROUBLE_TIMEOUT);
}

/* A Redis that may no longer be written to is not the one behind this address any more, or not for
 * long: a new connection finds the right one. */
static void leave_replica(struct redis_store *store, enum store_trouble trouble) {
    if (trouble == STORE_TROUBLE_READONLY) {
        link_fail(store->link, trouble, "it has become a replica");
    } else if (trouble == STORE_TROUBLE_MASTERDOWN) {
        link_fail(store->link, trouble, "it is a replica without its master");
    }
}

static void on_reply(void *context, const struct link_result *result) {
    struct store_operation *operation = context;
    struct redis_store *store = link_context(operation->link);
    deadlines_remove(&store->deadlines, operation);
    if (result->reply != NULL) {
        histogram_record(&store->metrics->round_trip, clock_monotonic_ns() - operation->started_ns);
    }
    if (operation->kind == REDIS_CALL) {
        finish(store, operation, redis_call_take(operation, result), result->trouble);
        return;
    }
    if (result->trouble != STORE_TROUBLE_NONE) {
        leave_replica(store, result->trouble);
        finish(store, operation, STORE_UNKNOWN, result->trouble);
        return;
    }
    if (!redis_answer(operation->kind, result->reply, &store->fields, operation)) {
        link_fail(store->link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
    }
    finish(store, operation, operation->answer, operation->trouble);
}

/* ---- verbs ---- */

/* NULL: the operation is DONE and UNKNOWN. */
static struct output *verb_begin(struct redis_store *store, struct slice key, bool fits,
                                 struct store_operation *operation) {
    store_operation_reset(operation);
    enum store_trouble trouble = store->base.verbs->trouble(&store->base);
    if (trouble != STORE_TROUBLE_NONE) {
        done_unknown(store, operation, trouble);
        return NULL;
    }
    if (key.size > STORE_KEY_MAX || !fits) {
        done_unknown(store, operation, STORE_TROUBLE_PROTOCOL);
        return NULL;
    }
    if (operation->deadline_ns != 0 && operation->deadline_ns <= clock_monotonic_ns()) {
        done_unknown(store, operation, STORE_TROUBLE_TIMEOUT); /* nobody waits: not sent at all */
        return NULL;
    }
    struct output *out = link_begin(store->link);
    if (out == NULL) {
        done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    return out;
}

static enum progress verb_end(struct redis_store *store, enum redis_verb verb, unsigned replies,
                              struct store_operation *operation) {
    const struct link_handler handler = {on_reply, operation, replies};
    if (!link_end(store->link, &handler, &operation->slot)) {
        return done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    operation->kind = verb;
    operation->link = store->link;
    deadlines_add(&store->deadlines, operation);
    counter_set(&store->metrics->pending, store->deadlines.count);
    return PROGRESS_PENDING;
}

static enum progress redis_get(struct store *base, struct slice key,
                               struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = verb_begin(store, key, true, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 2);
    output_argument(out, S("GET"));
    output_joined(out, store->prefix, key);
    return verb_end(store, REDIS_GET, 1, operation);
}

static enum progress redis_set(struct store *base, struct slice key, struct slice value,
                               unsigned ttl_s, struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    bool fits = ttl_s != 0 && value.size <= STORE_VALUE_MAX;
    struct output *out = verb_begin(store, key, fits, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 4);
    output_argument(out, S("SETEX"));
    output_joined(out, store->prefix, key);
    output_number(out, ttl_s);
    output_argument(out, value);
    return verb_end(store, REDIS_SET, 1, operation);
}

static enum progress redis_delete(struct store *base, struct slice key,
                                  struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = verb_begin(store, key, true, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 2);
    output_argument(out, S("DEL"));
    output_joined(out, store->prefix, key);
    return verb_end(store, REDIS_DELETE, 1, operation);
}

static enum progress redis_read_hash(struct store *base, struct slice key,
                                     struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = verb_begin(store, key, true, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 2);
    output_argument(out, S("HGETALL"));
    output_joined(out, store->prefix, key);
    return verb_end(store, REDIS_READ_HASH, 1, operation);
}

/* The key under which a hash is made before it gets its name. The braces put it into the same slot
 * of a cluster; a key that has braces of its own brings its slot along. */
static struct slice draft_key(struct redis_store *store, struct slice key, struct buffer *text) {
    bool has_tag = memchr(key.data, '{', key.size) != NULL ||
                   memchr(store->prefix.data, '{', store->prefix.size) != NULL;
    buffer_append(text, store->prefix);
    buffer_append(text, has_tag ? S("new:") : S("new:{"));
    buffer_append(text, store->prefix);
    buffer_append(text, key);
    buffer_append(text, has_tag ? S("") : S("}"));
    return buffer_slice(text);
}

/* All or nothing, without a script: the hash is made under another key, which becomes this one only
 * if this one is not there. */
static enum progress redis_create_hash(struct store *base, struct slice key,
                                       const struct store_field *fields, size_t count,
                                       struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    char storage[STORE_KEY_MAX + 2 * PREFIX_MAX + sizeof "new:{}"];
    struct buffer text = buffer_of(storage, sizeof storage);
    struct output *out = verb_begin(store, key, store_fields_are_valid(fields, count), operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    struct slice draft = draft_key(store, key, &text);
    output_command(out, 1);
    output_argument(out, S("MULTI"));
    output_command(out, 2);
    output_argument(out, S("DEL"));
    output_argument(out, draft);
    output_command(out, 2 + 2 * (unsigned)count);
    output_argument(out, S("HSET"));
    output_argument(out, draft);
    for (size_t i = 0; i < count; i++) {
        output_argument(out, fields[i].name);
        output_argument(out, fields[i].value);
    }
    output_command(out, 3);
    output_argument(out, S("RENAMENX"));
    output_argument(out, draft);
    output_joined(out, store->prefix, key);
    output_command(out, 2);
    output_argument(out, S("DEL"));
    output_argument(out, draft);
    output_command(out, 1);
    output_argument(out, S("EXEC"));
    return verb_end(store, REDIS_CREATE_HASH, 6, operation);
}

/* Both commands see the hash at one moment, so the answer holds for what was set. */
static enum progress redis_set_field(struct store *base, struct slice key, struct slice beside,
                                     struct store_field field, struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    bool fits = store_fields_are_valid(&field, 1) && beside.size <= STORE_VALUE_MAX;
    struct output *out = verb_begin(store, key, fits, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 1);
    output_argument(out, S("MULTI"));
    output_command(out, 4);
    output_argument(out, S("HSET"));
    output_joined(out, store->prefix, key);
    output_argument(out, field.name);
    output_argument(out, field.value);
    output_command(out, 3);
    output_argument(out, S("HEXISTS"));
    output_joined(out, store->prefix, key);
    output_argument(out, beside);
    output_command(out, 1);
    output_argument(out, S("EXEC"));
    return verb_end(store, REDIS_SET_FIELD, 4, operation);
}

static enum progress redis_remove_field(struct store *base, struct slice key, struct slice name,
                                        struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = verb_begin(store, key, name.size <= STORE_VALUE_MAX, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 3);
    output_argument(out, S("HDEL"));
    output_joined(out, store->prefix, key);
    output_argument(out, name);
    return verb_end(store, REDIS_REMOVE_FIELD, 1, operation);
}

static enum progress redis_add_member(struct store *base, struct slice key, struct slice member,
                                      struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = verb_begin(store, key, member.size <= STORE_VALUE_MAX, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 3);
    output_argument(out, S("SADD"));
    output_joined(out, store->prefix, key);
    output_argument(out, member);
    return verb_end(store, REDIS_ADD_MEMBER, 1, operation);
}

/* The counter gets its end together with its beginning, and both commands see it at one moment: it
 * cannot end between them and be made again without an end. */
static enum progress redis_count(struct store *base, struct slice key, unsigned ttl_s,
                                 struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = verb_begin(store, key, ttl_s != 0, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 1);
    output_argument(out, S("MULTI"));
    output_command(out, 6);
    output_argument(out, S("SET"));
    output_joined(out, store->prefix, key);
    output_argument(out, S("0"));
    output_argument(out, S("EX"));
    output_number(out, ttl_s);
    output_argument(out, S("NX"));
    output_command(out, 2);
    output_argument(out, S("INCR"));
    output_joined(out, store->prefix, key);
    output_command(out, 1);
    output_argument(out, S("EXEC"));
    return verb_end(store, REDIS_COUNT, 4, operation);
}

enum progress redis_store_call(struct store *base, const struct redis_command *commands,
                               size_t count, struct redis_call *call) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = NULL;
    call->reply = NULL;
    call->trouble = link_trouble(store->link);
    if (call->trouble == STORE_TROUBLE_NONE) {
        out = link_begin(store->link);
        call->trouble = out == NULL ? STORE_TROUBLE_OVERLOADED : STORE_TROUBLE_NONE;
    }
    if (out == NULL) {
        return done_unknown(store, &call->operation, call->trouble);
    }
    store_operation_reset(&call->operation);
    call->operation.deadline_ns = 0;
    call->operation.on_done = redis_call_on_done;
    redis_call_write(commands, count, out);
    enum progress progress = verb_end(store, REDIS_CALL, (unsigned)count, &call->operation);
    call->trouble = call->operation.trouble;
    return progress;
}

const char *redis_store_reason(const struct store *store) {
    return link_reason(((const struct redis_store *)store)->link);
}

static void redis_flush(struct store *base) {
    link_flush(redis_store_of(base)->link);
}

static enum store_trouble redis_trouble(const struct store *base) {
    const struct redis_store *store = (const struct redis_store *)base;
    enum store_trouble trouble = link_trouble(store->link);
    return trouble == STORE_TROUBLE_NONE && !store->schema_is_ours ? STORE_TROUBLE_SCHEMA : trouble;
}

/* ---- the link's and the schema's news ---- */

static void on_schema_timer(uv_timer_t *timer) {
    struct redis_store *store = timer->data;
    schema_check(&store->schema);
}

static void on_schema_checked(void *context, struct slice version) {
    struct redis_store *store = context;
    bool was_ours = store->schema_is_ours;
    store->schema_is_ours = slice_is_absent(version);
    if (link_state(store->link) == LINK_GREETING) {
        link_set_up(store->link);
        counter_add(&store->metrics->connects, 1);
    } else if (store->schema_is_ours == was_ours) {
        return;
    }
    counter_set(&store->metrics->link_up, store->schema_is_ours);
    if (store->schema_is_ours) {
        uv_timer_stop(&store->schema_timer);
        return;
    }
    uv_timer_start(&store->schema_timer, on_schema_timer, SCHEMA_RECHECK_MS, SCHEMA_RECHECK_MS);
    log_error("the data in redis was laid out by another version; run the mintd that knows it, or "
              "use another --redis-prefix",
              LOG_TEXT("prefix", store->prefix), LOG_TEXT("found", version),
              LOG_STRING("known", REDIS_SCHEMA_VERSION));
}

static void on_greeting(void *context) {
    struct redis_store *store = context;
    store->schema_is_ours = false;
    schema_check(&store->schema);
}

static void on_down(void *context) {
    struct redis_store *store = context;
    store->schema_is_ours = false;
    counter_set(&store->metrics->link_up, 0);
    if (!store->closing) {
        uv_timer_stop(&store->schema_timer);
    }
}

static const struct link_events link_events = {.on_greeting = on_greeting, .on_down = on_down};

/* ---- close ---- */

static void part_closed(struct redis_store *store) {
    if (--store->open_parts == 0) {
        store->on_closed(store->on_closed_context);
    }
}

static void on_timer_closed(uv_handle_t *handle) {
    part_closed(handle->data);
}

static void on_link_closed(void *context) {
    part_closed(context);
}

static void redis_close(struct store *base, void (*on_closed)(void *), void *context) {
    struct redis_store *store = redis_store_of(base);
    store->on_closed = on_closed;
    store->on_closed_context = context;
    store->closing = true;
    store->open_parts = 3;
    link_close(store->link, on_link_closed, store);
    store->deadlines.timer.data = store->schema_timer.data = store;
    uv_close((uv_handle_t *)&store->schema_timer, on_timer_closed);
    uv_close((uv_handle_t *)&store->deadlines.timer, on_timer_closed);
}

static void redis_free(struct store *base) {
    struct redis_store *store = redis_store_of(base);
    link_free(store->link);
    free(store);
}

static const struct store_verbs verbs = {
    .get = redis_get,
    .set = redis_set,
    .delete = redis_delete,
    .read_hash = redis_read_hash,
    .create_hash = redis_create_hash,
    .set_field = redis_set_field,
    .remove_field = redis_remove_field,
    .add_member = redis_add_member,
    .count = redis_count,
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

struct store *redis_store_new(uv_loop_t *loop, const struct redis_store_options *options) {
    struct redis_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    const struct link_options link_options = {
        .url = &options->url,
        .name = options->name,
        .pending_max = options->pending_max,
        .events = &link_events,
        .context = store,
    };
    store->link = link_new(loop, &link_options);
    if (store->link == NULL) {
        free(store);
        return NULL;
    }
    store->base.verbs = &verbs;
    store->metrics = options->metrics;
    set_prefix(store, options->prefix);
    deadlines_init(&store->deadlines, loop, options->timeout_ms);
    store->deadlines.on_expired = on_expired;
    store->deadlines.context = store;
    for (unsigned verb = 0; verb < REDIS_VERB_COUNT; verb++) {
        store->late[verb] = (struct late_replies){store, (enum redis_verb)verb};
    }
    uv_timer_init(loop, &store->schema_timer);
    store->schema_timer.data = store;
    store->schema = (struct redis_schema){store->link, store->prefix, 0, on_schema_checked, store};
    link_start(store->link);
    return &store->base;
}
