#include "store/local/table.h"

#include <stdlib.h>

#define BUCKETS_MIN 64u
#define BUCKETS_MAX (1u << 20)
#define SWEPT_A_WRITE 4u   /* buckets looked through for what has expired */
#define SWEPT_FOR_ROOM 64u /* the same where the table is full */

/* ---- entries ---- */

void entry_free(struct entry *entry) {
    free(entry->fields);
    free(entry);
}

static struct entry *entry_new(enum entry_kind kind, struct slice key, struct slice value) {
    struct entry *entry = malloc(sizeof *entry + key.size + value.size);
    if (entry == NULL) {
        return NULL;
    }
    *entry = (struct entry){
        .kind = kind,
        .expires_ms = ENTRY_NEVER_EXPIRES,
        .key_size = key.size,
        .value_size = value.size,
    };
    struct buffer bytes = buffer_of(entry->bytes, key.size + value.size);
    buffer_append(&bytes, key);
    buffer_append(&bytes, value);
    return entry;
}

struct entry *entry_new_text(struct slice key, struct slice value, uint64_t expires_ms) {
    struct entry *entry = entry_new(ENTRY_TEXT, key, value);
    if (entry != NULL) {
        entry->expires_ms = expires_ms;
    }
    return entry;
}

struct entry *entry_new_set(struct slice key) {
    return entry_new(ENTRY_SET, key, SLICE_ABSENT);
}

struct entry *entry_new_member(struct slice set, struct slice member) {
    return entry_new(ENTRY_MEMBER, set, member);
}

struct store_field *store_fields_copy(const struct store_field *fields, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += fields[i].name.size + fields[i].value.size;
    }
    struct store_field *copy = malloc(count * sizeof *copy + size);
    if (copy == NULL) {
        return NULL;
    }
    struct buffer text = buffer_of((char *)(copy + count), size);
    for (size_t i = 0; i < count; i++) {
        copy[i].name = slice_of(text.data + text.size, fields[i].name.size);
        buffer_append(&text, fields[i].name);
        copy[i].value = slice_of(text.data + text.size, fields[i].value.size);
        buffer_append(&text, fields[i].value);
    }
    return copy;
}

struct entry *entry_new_hash(struct slice key, const struct store_field *fields, size_t count) {
    struct entry *entry = entry_new(ENTRY_HASH, key, SLICE_ABSENT);
    if (entry == NULL) {
        return NULL;
    }
    entry->fields = store_fields_copy(fields, count);
    entry->field_count = count;
    if (entry->fields == NULL) {
        entry_free(entry);
        return NULL;
    }
    return entry;
}

/* ---- the table ---- */

bool table_init(struct local_table *table, size_t max_keys, uint64_t (*now_ms)(void)) {
    size_t buckets = BUCKETS_MIN;
    while (buckets < max_keys && buckets < BUCKETS_MAX) {
        buckets *= 2;
    }
    *table = (struct local_table){.now_ms = now_ms, .max_keys = max_keys};
    table->bucket_mask = buckets - 1;
    table->buckets = calloc(buckets, sizeof(struct entry *));
    return table->buckets != NULL;
}

static void remove_at(struct local_table *table, struct entry **place) {
    struct entry *entry = *place;
    *place = entry->next;
    table->keys--;
    entry_free(entry);
}

void table_fini(struct local_table *table) {
    for (size_t i = 0; i <= table->bucket_mask; i++) {
        while (table->buckets[i] != NULL) {
            remove_at(table, &table->buckets[i]);
        }
    }
    free(table->buckets);
}

static uint64_t hash(uint64_t state, struct slice s) { /* FNV-1a */
    for (size_t i = 0; i < s.size; i++) {
        state = (state ^ (uint8_t)s.data[i]) * 0x100000001b3u;
    }
    return state;
}

/* `member`: NULL for the key itself. */
static size_t bucket_of(const struct local_table *table, struct slice key,
                        const struct slice *member) {
    uint64_t state = hash(0xcbf29ce484222325u, key);
    if (member != NULL) {
        state = hash(state + 1, *member);
    }
    return (size_t)(state ^ state >> 32) & table->bucket_mask;
}

static void sweep_bucket(struct local_table *table, size_t bucket) {
    uint64_t now = table->now_ms();
    struct entry **place = &table->buckets[bucket];
    while (*place != NULL) {
        if ((*place)->expires_ms <= now) {
            remove_at(table, place);
        } else {
            place = &(*place)->next;
        }
    }
}

static void sweep(struct local_table *table, size_t buckets) {
    for (size_t i = 0; i < buckets; i++) {
        sweep_bucket(table, table->sweep_at);
        table->sweep_at = (table->sweep_at + 1) & table->bucket_mask;
    }
}

static bool is_it(const struct entry *entry, struct slice key, const struct slice *member) {
    return (entry->kind == ENTRY_MEMBER) == (member != NULL) &&
           slice_equal(entry_key(entry), key) &&
           (member == NULL || slice_equal(entry_value(entry), *member));
}

/* Where the entry hangs; *place is NULL, at the end of the chain, where there is none. */
static struct entry **find(struct local_table *table, struct slice key,
                           const struct slice *member) {
    size_t bucket = bucket_of(table, key, member);
    struct entry **place = &table->buckets[bucket];
    sweep_bucket(table, bucket);
    while (*place != NULL && !is_it(*place, key, member)) {
        place = &(*place)->next;
    }
    return place;
}

struct entry *table_find(struct local_table *table, struct slice key) {
    return *find(table, key, NULL);
}

struct entry *table_find_member(struct local_table *table, struct slice set, struct slice member) {
    return *find(table, set, &member);
}

size_t table_list_members(const struct local_table *table, struct slice set, struct slice *members,
                          size_t most) {
    size_t count = 0;
    for (size_t bucket = 0; bucket <= table->bucket_mask && count < most; bucket++) {
        const struct entry *entry = table->buckets[bucket];
        for (; entry != NULL && count < most; entry = entry->next) {
            if (entry->kind == ENTRY_MEMBER && slice_equal(entry_key(entry), set)) {
                members[count++] = entry_value(entry);
            }
        }
    }
    return count;
}

bool table_has_room(struct local_table *table, size_t more) {
    sweep(table, SWEPT_A_WRITE);
    if (table->keys + more > table->max_keys) {
        sweep(table, SWEPT_FOR_ROOM);
    }
    return table->keys + more <= table->max_keys;
}

void table_insert(struct local_table *table, struct entry *entry) {
    struct slice member = entry_value(entry);
    bool is_member = entry->kind == ENTRY_MEMBER;
    size_t bucket = bucket_of(table, entry_key(entry), is_member ? &member : NULL);
    if (is_member) {
        table_find(table, entry_key(entry))->member_count++;
    }
    entry->next = table->buckets[bucket];
    table->buckets[bucket] = entry;
    table->keys++;
}

static void remove_members(struct local_table *table, struct slice set) {
    for (size_t i = 0; i <= table->bucket_mask; i++) {
        struct entry **place = &table->buckets[i];
        while (*place != NULL) {
            if ((*place)->kind == ENTRY_MEMBER && slice_equal(entry_key(*place), set)) {
                remove_at(table, place);
            } else {
                place = &(*place)->next;
            }
        }
    }
}

bool table_remove(struct local_table *table, struct slice key) {
    struct entry **place = find(table, key, NULL);
    if (*place == NULL) {
        return false;
    }
    bool is_set = (*place)->kind == ENTRY_SET;
    remove_at(table, place);
    if (is_set) {
        remove_members(table, key);
    }
    return true;
}

bool table_remove_member(struct local_table *table, struct slice set, struct slice member) {
    struct entry **place = find(table, set, &member);
    if (*place == NULL) {
        return false;
    }
    remove_at(table, place);
    struct entry **its_set = find(table, set, NULL);
    (*its_set)->member_count--;
    if ((*its_set)->member_count == 0) {
        remove_at(table, its_set);
    }
    return true;
}
