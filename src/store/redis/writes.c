/* The verbs that write, and any command for the operator's tool. */
#include "store/redis/redis_store_internal.h"

#include "store/redis/call.h"
#include "store/store_answer.h"

/* Which writes wait for replicas: deletions, which a fail-over must not undo, and mints, where it
 * is asked for. A counter, a note of when a secret was used, an instance's sign of life: if these
 * are lost, nothing is accepted that should not be. */

static struct output *begin_write(struct redis_store *store, bool waits, struct slice key,
                                  bool fits, struct store_operation *operation) {
    return waits ? durable_begin(store, key, fits, operation)
                 : redis_verb_begin(store, key, fits, operation);
}

static enum progress end_write(struct redis_store *store, bool waits, enum redis_verb verb,
                               struct store_operation *operation) {
    return waits ? durable_end(store, verb, operation) : redis_verb_end(store, verb, 1, operation);
}

enum progress redis_verb_set(struct store *base, struct slice key, struct slice value,
                             unsigned ttl_s, const struct store_premise *premises, unsigned count,
                             struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    bool fits = ttl_s != 0 && value.size <= STORE_VALUE_MAX && count <= STORE_PREMISES_MAX;
    bool waits = store->mints_wait && count != 0; /* what rests on nothing can be written again */
    struct output *out = begin_write(store, waits, key, fits, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    copies_rest_on(operation, premises, count);
    bool asks = store->cluster != NULL || waits; /* its own reply says nothing of the premises */
    if (asks && !confirm_prepare(store, premises, count, operation)) {
        return redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    output_command(out, 4);
    output_argument(out, S("SETEX"));
    output_joined(out, store->prefix, key);
    output_number(out, ttl_s);
    output_argument(out, value);
    enum progress progress = end_write(store, waits, REDIS_SET, operation);
    if (progress == PROGRESS_PENDING) {
        confirm_ask(premises, count, operation);
    } else {
        confirm_drop(operation);
    }
    return progress;
}

enum progress redis_verb_delete(struct store *base, struct slice key,
                                struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    bool waits = store->deletions_wait;
    struct output *out = begin_write(store, waits, key, true, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    if (!copies_prepare_notice(store, key, operation)) {
        return redis_done_unknown(store, operation, STORE_TROUBLE_OVERLOADED);
    }
    output_command(out, 2);
    output_argument(out, S("DEL"));
    output_joined(out, store->prefix, key);
    enum progress progress = end_write(store, waits, REDIS_DELETE, operation);
    if (progress == PROGRESS_DONE && operation->waits_for != NULL) {
        cache_notice_drop(operation->waits_for); /* it was not sent */
    }
    return progress;
}

struct slice redis_key_beside(const struct redis_store *store, struct slice word, struct slice key,
                              struct buffer *text) {
    bool has_tag = memchr(key.data, '{', key.size) != NULL ||
                   memchr(store->prefix.data, '{', store->prefix.size) != NULL;
    buffer_append(text, store->prefix);
    buffer_append(text, word);
    buffer_append(text, has_tag ? S(":") : S(":{"));
    buffer_append(text, store->prefix);
    buffer_append(text, key);
    buffer_append(text, has_tag ? S("") : S("}"));
    return buffer_slice(text);
}

/* All or nothing, without a script: the hash is made under another key, which becomes this one only
 * if this one is not there. */
enum progress redis_verb_create_hash(struct store *base, struct slice key,
                                     const struct store_field *fields, size_t count,
                                     struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    char storage[KEY_BESIDE_MAX];
    struct buffer text = buffer_of(storage, sizeof storage);
    struct output *out =
        redis_verb_begin(store, key, store_fields_are_valid(fields, count), operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    struct slice draft = redis_key_beside(store, S("new"), key, &text);
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
    return redis_verb_end(store, REDIS_CREATE_HASH, 6, operation);
}

/* Both commands see the hash at one moment, so the answer holds for what was set. */
enum progress redis_verb_set_field(struct store *base, struct slice key, struct slice beside,
                                   struct store_field field, struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    bool fits = store_fields_are_valid(&field, 1) && beside.size <= STORE_VALUE_MAX;
    struct output *out = redis_verb_begin(store, key, fits, operation);
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
    return redis_verb_end(store, REDIS_SET_FIELD, 4, operation);
}

enum progress redis_verb_remove_field(struct store *base, struct slice key, struct slice name,
                                      struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = redis_verb_begin(store, key, name.size <= STORE_VALUE_MAX, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 3);
    output_argument(out, S("HDEL"));
    output_joined(out, store->prefix, key);
    output_argument(out, name);
    return redis_verb_end(store, REDIS_REMOVE_FIELD, 1, operation);
}

/* SADD or SREM. */
static enum progress change_set(struct store *base, enum redis_verb verb, struct slice command,
                                struct slice key, struct slice member,
                                struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = redis_verb_begin(store, key, member.size <= STORE_VALUE_MAX, operation);
    if (out == NULL) {
        return PROGRESS_DONE;
    }
    output_command(out, 3);
    output_argument(out, command);
    output_joined(out, store->prefix, key);
    output_argument(out, member);
    return redis_verb_end(store, verb, 1, operation);
}

enum progress redis_verb_add_member(struct store *base, struct slice key, struct slice member,
                                    struct store_operation *operation) {
    return change_set(base, REDIS_ADD_MEMBER, S("SADD"), key, member, operation);
}

enum progress redis_verb_remove_member(struct store *base, struct slice key, struct slice member,
                                       struct store_operation *operation) {
    return change_set(base, REDIS_REMOVE_MEMBER, S("SREM"), key, member, operation);
}

/* The counter gets its end together with its beginning, and both commands see it at one moment: it
 * cannot end between them and be made again without an end. */
enum progress redis_verb_count(struct store *base, struct slice key, unsigned ttl_s,
                               struct store_operation *operation) {
    struct redis_store *store = redis_store_of(base);
    struct output *out = redis_verb_begin(store, key, ttl_s != 0, operation);
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
    return redis_verb_end(store, REDIS_COUNT, 4, operation);
}

/* The node that a call is for; NULL: there is none. */
static struct redis_node *node_of_call(const struct redis_store *store,
                                       const struct redis_call *call) {
    if (slice_is_absent(call->key)) {
        return call->node < store->node_count ? store->nodes[call->node] : NULL;
    }
    return store->cluster == NULL ? store->nodes[0]
                                  : cluster_node_of(store, cluster_slot(S(""), call->key));
}

enum progress redis_store_call(struct store *base, const struct redis_command *commands,
                               size_t count, struct redis_call *call) {
    struct redis_store *store = redis_store_of(base);
    struct redis_node *node = node_of_call(store, call);
    struct output *out = NULL;
    call->reply = NULL;
    call->trouble = store->closing ? STORE_TROUBLE_DISCONNECTED
                    : node == NULL ? STORE_TROUBLE_CLUSTER
                                   : link_trouble(node->link);
    if (call->trouble == STORE_TROUBLE_NONE) {
        out = link_begin(node->link);
        call->trouble = out == NULL ? STORE_TROUBLE_OVERLOADED : STORE_TROUBLE_NONE;
    }
    if (out == NULL) {
        return redis_done_unknown(store, &call->operation, call->trouble);
    }
    store_operation_reset(&call->operation);
    call->operation.way.node = node;
    if (slice_is_absent(call->key)) { /* what this node says is what is asked for */
        call->operation.way.hops = CLUSTER_HOPS_MAX;
    }
    call->operation.deadline_ns = 0;
    call->operation.on_done = redis_call_on_done;
    redis_call_write(commands, count, out);
    enum progress progress = redis_verb_end(store, REDIS_CALL, (unsigned)count, &call->operation);
    call->trouble = call->operation.trouble;
    return progress;
}

/* Those that are there have the numbers 0 … count - 1: a call is over before one is let go. */
unsigned redis_store_node_count(const struct store *store) {
    return ((const struct redis_store *)store)->node_count;
}

const char *redis_store_node_name(const struct store *base, unsigned node) {
    const struct redis_store *store = (const struct redis_store *)base;
    return node < store->node_count && store->nodes[node] != NULL
               ? link_address(store->nodes[node]->link)
               : "";
}
