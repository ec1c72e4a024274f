#include "store/redis/redis_store_internal.h"

#include "mintd/clock.h"

#define NS_PER_MS 1000000u
/* Redis tells by its own tick, up to 100 ms late; a silent link is left after LINK_SILENCE_MS. */
#define WAIT_LAST_MS (LINK_SILENCE_MS - 500u)
/* Where the earliest has no time left, the others have. */
#define WAIT_LEAST_MS 50u

static struct redis_node *second_of(const struct store_operation *operation) {
    return operation->way.node;
}

/* ---- the question ---- */

void durable_put_wait(const struct redis_store *store, struct output *out, unsigned replicas,
                      uint64_t ms) {
    bool for_files = store->wait.files;
    output_command(out, for_files ? 4 : 3);
    output_argument(out, for_files ? S("WAITAOF") : S("WAIT"));
    if (for_files) {
        output_argument(out, S("1"));
    }
    output_number(out, replicas);
    output_number(out, ms);
}

/* What WAIT or WAITAOF says: how many have it. False: it is no such answer. */
static bool read_counts(const struct redis_store *store, const struct reply *reply, int64_t *files,
                        int64_t *replicas) {
    bool is_pair = reply->type == REPLY_ARRAY && reply->elements == 2 && reply->below == 2;
    *files = 0;
    if (!store->wait.files) {
        *replicas = reply->number;
        return reply->type == REPLY_INTEGER;
    }
    if (!is_pair || reply[1].type != REPLY_INTEGER || reply[2].type != REPLY_INTEGER) {
        return false;
    }
    *files = reply[1].number;
    *replicas = reply[2].number;
    return true;
}

bool durable_is_answer(const struct redis_store *store, const struct reply *reply) {
    int64_t files, replicas;
    return read_counts(store, reply, &files, &replicas);
}

/* Of an answer to WAIT: NONE where enough have it. */
static enum store_trouble judge(const struct redis_store *store, const struct reply *reply,
                                unsigned wanted) {
    int64_t files, replicas;
    if (!read_counts(store, reply, &files, &replicas)) {
        return STORE_TROUBLE_PROTOCOL;
    }
    bool is_enough = replicas >= (int64_t)wanted && (!store->wait.files || files >= 1);
    return is_enough ? STORE_TROUBLE_NONE : STORE_TROUBLE_NOREPLICAS;
}

/* ---- a batch ends ---- */

static void append(struct durable_operations *all, struct store_operation *one) {
    one->next_waiting = NULL;
    *(all->first == NULL ? &all->first : &all->last->next_waiting) = one;
    all->last = one;
}

/* False: it is not among them. */
static bool take_out(struct durable_operations *all, const struct store_operation *it) {
    struct store_operation *before = NULL, *one = all->first;
    while (one != NULL && one != it) {
        before = one;
        one = one->next_waiting;
    }
    if (one == NULL) {
        return false;
    }
    *(before == NULL ? &all->first : &before->next_waiting) = one->next_waiting;
    all->last = all->last == one ? before : all->last;
    one->next_waiting = NULL;
    return true;
}

/* In the order in which they came; one may start the next from inside its end. */
static void end_all(struct redis_store *store, struct durable_operations *all,
                    enum store_trouble trouble) {
    struct store_operation *next = all->first;
    *all = (struct durable_operations){NULL, NULL};
    while (next != NULL) {
        struct store_operation *operation = next;
        next = operation->next_waiting;
        operation->next_waiting = NULL;
        operation->way.awaits_replicas = false;
        deadlines_remove(&store->deadlines, operation);
        if (trouble != STORE_TROUBLE_NONE) {
            operation->answer = STORE_UNKNOWN;
            operation->trouble = trouble;
        }
        redis_end_with_answer(store, operation);
    }
}

void durable_refuse(struct redis_node *durable, enum store_trouble trouble, const char *words) {
    redis_leave_if_no_master(durable, trouble);
    link_fail(durable->link, trouble, words);
}

static void on_waited(void *context, const struct link_result *result) {
    struct redis_node *node = context;
    struct redis_store *store = node->store;
    enum store_trouble trouble = result->trouble;
    node->batch->is_waiting = false;
    if (trouble == STORE_TROUBLE_NONE) {
        trouble = judge(store, result->reply, node->batch->asked);
    }
    if (trouble == STORE_TROUBLE_NONE || trouble == STORE_TROUBLE_NOREPLICAS) {
        counter_add(&store->metrics->waits, 1);
        counter_add(&store->metrics->waits_short, trouble != STORE_TROUBLE_NONE);
    } else {
        durable_refuse(node, trouble, "its answer to WAIT makes no sense");
    }
    end_all(store, &node->batch->waiting, trouble);
}

static bool has_changed_nothing(const struct store_operation *operation) {
    return operation->kind == REDIS_DELETE && operation->number == 0;
}

static void move_unchanged(struct durable_operations *from, struct durable_operations *to) {
    struct store_operation *next = from->first;
    while (next != NULL) {
        struct store_operation *one = next;
        next = one->next_waiting;
        if (has_changed_nothing(one)) {
            take_out(from, one);
            append(to, one);
        }
    }
}

/* Those of the mark, and where another one stands behind it already those of that one too. */
void durable_end_unchanged(struct redis_node *durable, enum store_trouble trouble) {
    struct durable_operations all = {NULL, NULL};
    move_unchanged(&durable->batch->waiting, &all);
    move_unchanged(&durable->batch->unchanged, &all);
    end_all(durable->store, &all, trouble);
}

/* ---- a batch leaves ---- */

static uint64_t patience_ms(const struct durable_batch *batch) {
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t left_ms = batch->until_ns > now_ns ? (batch->until_ns - now_ns) / NS_PER_MS : 0;
    left_ms = left_ms < WAIT_LEAST_MS ? WAIT_LEAST_MS : left_ms;
    return left_ms < WAIT_LAST_MS ? left_ms : WAIT_LAST_MS;
}

static void close_batch(struct redis_node *node) {
    const struct link_handler handler = {.on_reply = on_waited, .context = node, .replies = 1};
    const struct redis_store *store = node->store;
    struct durable_batch *batch = node->batch;
    unsigned slot;
    batch->gathered = 0;
    if (batch->wanted == 0 && !store->wait.files && batch->unchanged.first == NULL) {
        return;
    }
    batch->waiting = batch->unchanged; /* of the batch before nothing waits any more */
    batch->unchanged = (struct durable_operations){NULL, NULL};
    struct output *out = link_begin(node->link);
    if (out != NULL) {
        durable_put_wait(store, out, batch->wanted, patience_ms(batch));
        batch->asked = batch->wanted;
        batch->is_waiting = link_end(node->link, &handler, &slot);
    }
    if (!batch->is_waiting) {
        link_fail(node->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

void durable_flush(struct redis_node *durable) {
    if (durable->batch->is_waiting) {
        return;
    }
    if (durable->batch->gathered != 0) {
        close_batch(durable);
    }
    link_flush(durable->link, false);
}

/* ---- operations ---- */

struct output *durable_begin(struct redis_store *store, struct slice key, bool fits,
                             struct store_operation *operation) {
    if (!redis_verb_may_start(store, key, fits, operation)) {
        return NULL;
    }
    struct redis_node *node = second_of(operation)->durable;
    enum store_trouble trouble = link_trouble(node->link);
    bool has_room = link_pending(node->link) < store->settings.pending_max;
    struct output *out = trouble == STORE_TROUBLE_NONE && has_room ? link_begin(node->link) : NULL;
    operation->way.node = node;
    if (out == NULL) {
        redis_done_unknown(store, operation,
                           trouble != STORE_TROUBLE_NONE ? trouble : STORE_TROUBLE_OVERLOADED);
    }
    return out;
}

enum progress durable_end(struct redis_store *store, enum redis_verb verb,
                          struct store_operation *operation) {
    enum progress progress = redis_verb_end_to_wait(store, verb, operation);
    if (progress == PROGRESS_PENDING) {
        durable_gather(second_of(operation), operation);
    }
    return progress;
}

void durable_gather(struct redis_node *durable, const struct store_operation *operation) {
    struct durable_batch *batch = durable->batch;
    if (batch->gathered++ == 0 || operation->deadline_ns < batch->until_ns) {
        batch->until_ns = operation->deadline_ns;
    }
}

bool durable_wait(struct store_operation *operation, struct slice command) {
    struct redis_node *node = second_of(operation);
    struct durable_batch *batch = node->batch;
    if (!batch->is_waiting) { /* there are no replicas */
        return false;
    }
    bool is_unchanged = has_changed_nothing(operation);
    bool needs_mark = is_unchanged && batch->unchanged.first == NULL;
    if (needs_mark && !durable_put_mark(operation, command)) {
        operation->answer = STORE_UNKNOWN;
        operation->trouble = STORE_TROUBLE_OVERLOADED;
        return false;
    }
    operation->way.awaits_replicas = true;
    append(is_unchanged ? &batch->unchanged : &batch->waiting, operation);
    deadlines_add(&node->store->deadlines, operation);
    return true;
}

void durable_leave(struct store_operation *operation) {
    struct durable_batch *batch = second_of(operation)->batch;
    if (!take_out(&batch->waiting, operation)) {
        take_out(&batch->unchanged, operation);
    }
    operation->way.awaits_replicas = false;
}
