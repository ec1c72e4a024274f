/* The verbs of a store on a table in memory.
 *
 * What a verb hands out is copied into the worker's own store: the table may change as soon as the
 * lock is given back. */
#include "mintd/local_store.h"

#include "store/local/table.h"
#include "store/store_answer.h"
#include <pthread.h>
#include <stdlib.h>

struct memory_data {
    pthread_mutex_t lock;
    struct local_table table;
};

struct local_store {
    struct store base;
    struct memory_data *data;
    struct store_metrics *metrics;
    void *copy; /* what was handed out last */
    bool closed;
    void (*on_closed)(void *); /* until it is called */
    void *on_closed_context;
};

/* ---- the data ---- */

struct memory_data *memory_data_new(size_t max_keys, uint64_t (*now_ms)(void)) {
    struct memory_data *data = calloc(1, sizeof *data);
    if (data == NULL) {
        return NULL;
    }
    if (!table_init(&data->table, max_keys, now_ms)) {
        free(data);
        return NULL;
    }
    if (pthread_mutex_init(&data->lock, NULL) != 0) {
        table_fini(&data->table);
        free(data);
        return NULL;
    }
    return data;
}

void memory_data_free(struct memory_data *data) {
    table_fini(&data->table);
    pthread_mutex_destroy(&data->lock);
    free(data);
}

/* ---- verbs ---- */

/* Takes the lock; NULL: the operation is UNKNOWN already. */
static struct local_table *begin(struct local_store *store, struct slice key, bool fits,
                                 struct store_operation *operation) {
    store_operation_reset(operation);
    free(store->copy);
    store->copy = NULL;
    if (store->closed || key.size > STORE_KEY_MAX || !fits) {
        store_operation_set(operation, store->metrics, STORE_UNKNOWN,
                            store->closed ? STORE_TROUBLE_DISCONNECTED : STORE_TROUBLE_PROTOCOL);
        return NULL;
    }
    pthread_mutex_lock(&store->data->lock);
    return &store->data->table;
}

/* Gives the lock back. */
static enum progress end(struct local_store *store, struct store_operation *operation,
                         enum store_answer answer, enum store_trouble trouble) {
    pthread_mutex_unlock(&store->data->lock);
    store_operation_set(operation, store->metrics, answer, trouble);
    return PROGRESS_DONE;
}

static enum progress found(struct local_store *store, struct store_operation *operation,
                           int64_t number) {
    operation->number = number;
    return end(store, operation, STORE_FOUND, STORE_TROUBLE_NONE);
}

static enum progress unknown(struct local_store *store, struct store_operation *operation,
                             enum store_trouble trouble) {
    return end(store, operation, STORE_UNKNOWN, trouble);
}

static struct local_store *local_store_of(struct store *base) {
    return (struct local_store *)base;
}

static enum progress memory_get(struct store *base, struct slice key,
                                struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, true, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *entry = table_find(table, key);
    if (entry == NULL) {
        return end(store, operation, STORE_ABSENT, STORE_TROUBLE_NONE);
    }
    if (entry->kind != ENTRY_TEXT) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    store->copy = malloc(entry->value_size + 1); /* an empty text has data too */
    if (store->copy == NULL) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    memcpy(store->copy, entry_value(entry).data, entry->value_size);
    operation->value = slice_of(store->copy, entry->value_size);
    return found(store, operation, 0);
}

/* In place of the text that is there, if any. False: no memory. */
static bool put_text(struct local_table *table, struct slice key, struct slice value,
                     uint64_t expires_ms) {
    bool is_new = table_find(table, key) == NULL;
    struct entry *entry =
        table_has_room(table, is_new ? 1 : 0) ? entry_new_text(key, value, expires_ms) : NULL;
    if (entry == NULL) {
        return false;
    }
    table_remove(table, key);
    table_insert(table, entry);
    return true;
}

static enum progress memory_set(struct store *base, struct slice key, struct slice value,
                                unsigned ttl_s, const struct store_premise *premises,
                                unsigned count, struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    bool fits = ttl_s != 0 && value.size <= STORE_VALUE_MAX && count <= STORE_PREMISES_MAX;
    (void)premises; /* it gives no copies */
    struct local_table *table = begin(store, key, fits, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    if (!put_text(table, key, value, table->now_ms() + (uint64_t)ttl_s * 1000)) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    operation->holds = true;
    return found(store, operation, 0);
}

static enum progress memory_delete(struct store *base, struct slice key,
                                   struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, true, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    return found(store, operation, table_remove(table, key) ? 1 : 0);
}

/* Nothing is ever PENDING: what is asked later is answered later. */
static enum progress memory_read_hash(struct store *base, struct slice key,
                                      const struct store_operation *after,
                                      struct store_operation *operation) {
    (void)after;
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, true, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *entry = table_find(table, key);
    if (entry == NULL) {
        return end(store, operation, STORE_ABSENT, STORE_TROUBLE_NONE);
    }
    if (entry->kind != ENTRY_HASH) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    store->copy = store_fields_copy(entry->fields, entry->field_count);
    if (store->copy == NULL) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    operation->fields = store->copy;
    operation->field_count = entry->field_count;
    return found(store, operation, 0);
}

static enum progress memory_create_hash(struct store *base, struct slice key,
                                        const struct store_field *fields, size_t count,
                                        struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, store_fields_are_valid(fields, count), operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    if (table_find(table, key) != NULL) {
        return found(store, operation, 0);
    }
    struct entry *entry = table_has_room(table, 1) ? entry_new_hash(key, fields, count) : NULL;
    if (entry == NULL) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    table_insert(table, entry);
    return found(store, operation, 1);
}

enum progress local_store_replace_hash(struct store *base, struct slice key,
                                       const struct store_field *fields, size_t count,
                                       struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, store_fields_are_valid(fields, count), operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *old = table_find(table, key);
    if (old == NULL) {
        return end(store, operation, STORE_ABSENT, STORE_TROUBLE_NONE);
    }
    if (old->kind != ENTRY_HASH) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    struct entry *entry = entry_new_hash(key, fields, count);
    if (entry == NULL) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    table_remove(table, key);
    table_insert(table, entry);
    return found(store, operation, 1);
}

/* Where the field stands; the count of fields where it does not. */
static size_t field_index(const struct entry *hash, struct slice name) {
    size_t i = 0;
    while (i < hash->field_count && !slice_equal(hash->fields[i].name, name)) {
        i++;
    }
    return i;
}

/* The entry's fields with this one put in or over; NULL: no memory, or too many. */
static struct entry *with_field(struct slice key, const struct entry *old,
                                struct store_field field) {
    struct store_field fields[STORE_FIELDS_MAX];
    size_t count = old->field_count;
    size_t place = field_index(old, field.name);
    if (place == STORE_FIELDS_MAX) {
        return NULL;
    }
    memcpy(fields, old->fields, count * sizeof *fields);
    fields[place] = field;
    return entry_new_hash(key, fields, place == count ? count + 1 : count);
}

/* The entry's fields but this one, which is there; NULL: no memory. */
static struct entry *without_field(struct slice key, const struct entry *old, struct slice name) {
    struct store_field fields[STORE_FIELDS_MAX];
    size_t last = old->field_count - 1;
    memcpy(fields, old->fields, old->field_count * sizeof *fields);
    fields[field_index(old, name)] = fields[last];
    return entry_new_hash(key, fields, last);
}

static enum progress memory_set_field(struct store *base, struct slice key, struct slice beside,
                                      struct store_field field, struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    bool fits = store_fields_are_valid(&field, 1) && beside.size <= STORE_VALUE_MAX;
    struct local_table *table = begin(store, key, fits, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *old = table_find(table, key);
    if (old != NULL && old->kind != ENTRY_HASH) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    if (old == NULL || field_index(old, beside) == old->field_count) {
        return end(store, operation, STORE_ABSENT, STORE_TROUBLE_NONE);
    }
    struct entry *entry = with_field(key, old, field);
    if (entry == NULL) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    table_remove(table, key);
    table_insert(table, entry);
    return found(store, operation, 0);
}

static enum progress memory_remove_field(struct store *base, struct slice key, struct slice name,
                                         struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, name.size <= STORE_VALUE_MAX, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *old = table_find(table, key);
    if (old != NULL && old->kind != ENTRY_HASH) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    if (old == NULL || field_index(old, name) == old->field_count) {
        return found(store, operation, 0);
    }
    struct entry *entry = old->field_count == 1 ? NULL : without_field(key, old, name);
    if (entry == NULL && old->field_count != 1) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    table_remove(table, key);
    if (entry != NULL) {
        table_insert(table, entry);
    }
    return found(store, operation, 1);
}

/* Puts the set's own entry where it is missing. False: no memory. */
static bool make_set(struct local_table *table, struct slice key) {
    if (table_find(table, key) != NULL) {
        return true;
    }
    struct entry *set = entry_new_set(key);
    if (set == NULL) {
        return false;
    }
    table_insert(table, set);
    return true;
}

static enum progress memory_add_member(struct store *base, struct slice key, struct slice member,
                                       struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, member.size <= STORE_VALUE_MAX, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *set = table_find(table, key);
    if (set != NULL && set->kind != ENTRY_SET) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    if (set != NULL && table_find_member(table, key, member) != NULL) {
        return found(store, operation, 0);
    }
    struct entry *entry = table_has_room(table, 2) ? entry_new_member(key, member) : NULL;
    if (entry == NULL) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    if (!make_set(table, key)) {
        entry_free(entry);
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    table_insert(table, entry);
    return found(store, operation, 1);
}

/* The whole table is gone through: who asks for this is no request of a client. */
static enum progress memory_read_members(struct store *base, struct slice key,
                                         struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, true, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *set = table_find(table, key);
    if (set != NULL && set->kind != ENTRY_SET) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    if (set == NULL) {
        return end(store, operation, STORE_ABSENT, STORE_TROUBLE_NONE);
    }
    struct slice members[STORE_MEMBERS_MAX];
    struct store_field fields[STORE_MEMBERS_MAX];
    size_t count = table_list_members(table, key, members, STORE_MEMBERS_MAX);
    for (size_t i = 0; i < count; i++) {
        fields[i] = (struct store_field){.name = members[i], .value = S("")};
    }
    store->copy = store_fields_copy(fields, count);
    if (store->copy == NULL) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    operation->fields = store->copy;
    operation->field_count = count;
    return found(store, operation, (int64_t)count);
}

static const char *memory_look(const struct store *base, store_visit *visit, void *context) {
    (void)base, (void)visit, (void)context;
    return "memory";
}

static enum progress memory_remove_member(struct store *base, struct slice key, struct slice member,
                                          struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, member.size <= STORE_VALUE_MAX, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *set = table_find(table, key);
    if (set != NULL && set->kind != ENTRY_SET) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    return found(store, operation, table_remove_member(table, key, member) ? 1 : 0);
}

static enum progress memory_count(struct store *base, struct slice key, unsigned ttl_s,
                                  struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    struct local_table *table = begin(store, key, ttl_s != 0, operation);
    if (table == NULL) {
        return PROGRESS_DONE;
    }
    const struct entry *entry = table_find(table, key);
    unsigned long long count = 0;
    if (entry != NULL && entry->kind != ENTRY_TEXT) {
        return unknown(store, operation, STORE_TROUBLE_WRONGTYPE);
    }
    if (entry != NULL && !slice_to_number(entry_value(entry), INT64_MAX - 1, &count)) {
        return unknown(store, operation, STORE_TROUBLE_PROTOCOL);
    }
    uint64_t ends = entry == NULL ? table->now_ms() + (uint64_t)ttl_s * 1000 : entry->expires_ms;
    char storage[24];
    struct buffer text = buffer_of(storage, sizeof storage);
    buffer_append_number(&text, count + 1);
    if (!put_text(table, key, buffer_slice(&text), ends)) {
        return unknown(store, operation, STORE_TROUBLE_OOM);
    }
    return found(store, operation, (int64_t)count + 1);
}

static enum store_trouble memory_trouble(const struct store *base) {
    const struct local_store *store = (const struct local_store *)base;
    return store->closed ? STORE_TROUBLE_DISCONNECTED : STORE_TROUBLE_NONE;
}

/* It keeps no copies: nothing is to be heard of. */
static enum progress memory_confirm(struct store *base, const struct store_premise *premises,
                                    unsigned count, struct store_operation *operation) {
    struct local_store *store = local_store_of(base);
    (void)premises, (void)count;
    store_operation_reset(operation);
    operation->holds = true;
    store_operation_set(operation, store->metrics, store->closed ? STORE_UNKNOWN : STORE_FOUND,
                        memory_trouble(base));
    return PROGRESS_DONE;
}

/* ---- the store ---- */

static void memory_flush(struct store *base) {
    struct local_store *store = local_store_of(base);
    void (*on_closed)(void *) = store->on_closed;
    if (on_closed != NULL) {
        store->on_closed = NULL;
        on_closed(store->on_closed_context);
    }
}

static void memory_close(struct store *base, void (*on_closed)(void *), void *context) {
    struct local_store *store = local_store_of(base);
    store->closed = true;
    store->on_closed = on_closed;
    store->on_closed_context = context;
}

static void memory_free(struct store *base) {
    struct local_store *store = local_store_of(base);
    free(store->copy);
    free(store);
}

struct store *local_store_new(struct memory_data *data, struct store_metrics *metrics) {
    static const struct store_verbs verbs = {
        .get = memory_get,
        .set = memory_set,
        .delete = memory_delete,
        .read_hash = memory_read_hash,
        .create_hash = memory_create_hash,
        .set_field = memory_set_field,
        .remove_field = memory_remove_field,
        .add_member = memory_add_member,
        .remove_member = memory_remove_member,
        .read_members = memory_read_members,
        .count = memory_count,
        .confirm = memory_confirm,
        .flush = memory_flush,
        .close = memory_close,
        .free = memory_free,
        .trouble = memory_trouble,
        .look = memory_look,
    };
    struct local_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->base.verbs = &verbs;
    store->data = data;
    store->metrics = metrics;
    return &store->base;
}
