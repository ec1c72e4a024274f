/* table.h: texts, hashes and sets by their keys, in memory, with times to live.
 *
 * Not locked: whoever owns it has a lock. A member of a set is an entry of its own, so that it
 * costs and counts what a key does. */
#ifndef MINTD_MEMORY_TABLE_H
#define MINTD_MEMORY_TABLE_H

#include "mintd/store.h"

enum entry_kind { ENTRY_TEXT, ENTRY_HASH, ENTRY_SET, ENTRY_MEMBER };

#define ENTRY_NEVER_EXPIRES UINT64_MAX

struct entry {
    struct entry *next;
    uint64_t expires_ms;
    enum entry_kind kind;
    struct store_field *fields;       /* of a HASH: a block of its own, with what it points at */
    size_t field_count, member_count; /* of a HASH; of a SET */
    size_t key_size, value_size;      /* value: a TEXT, or the member of the set `key` */
    char bytes[];                     /* key, then value */
};

static inline struct slice entry_key(const struct entry *entry) {
    return slice_of(entry->bytes, entry->key_size);
}
static inline struct slice entry_value(const struct entry *entry) {
    return slice_of(entry->bytes + entry->key_size, entry->value_size);
}

/* NULL: no memory. */
struct entry *entry_new_text(struct slice key, struct slice value, uint64_t expires_ms);
struct entry *entry_new_hash(struct slice key, const struct store_field *fields, size_t count);
struct entry *entry_new_set(struct slice key);
struct entry *entry_new_member(struct slice set, struct slice member);
void entry_free(struct entry *entry);

/* Fields and what they point at, in one block to free(). NULL: no memory. */
struct store_field *store_fields_copy(const struct store_field *fields, size_t count);

struct local_table {
    uint64_t (*now_ms)(void);
    size_t keys, max_keys;
    size_t bucket_mask, sweep_at;
    struct entry **buckets;
};

bool table_init(struct local_table *table, size_t max_keys, uint64_t (*now_ms)(void));
void table_fini(struct local_table *table);

/* NULL: none, or expired. */
struct entry *table_find(struct local_table *table, struct slice key);
struct entry *table_find_member(struct local_table *table, struct slice set, struct slice member);
/* The values of its members, `most` at most: how many. They stay in place until the next change. */
size_t table_list_members(const struct local_table *table, struct slice set, struct slice *members,
                          size_t most);
/* Whether so many more fit; sweeps out a few that have expired. Pointers to entries with a time to
 * live are not valid behind it. */
bool table_has_room(struct local_table *table, size_t more);
/* Takes the entry over. There must be room, and none of this name; of a member, its set. */
void table_insert(struct local_table *table, struct entry *entry);
/* A key, with its members where it is a set. False: there was none. */
bool table_remove(struct local_table *table, struct slice key);
/* A member, and with the last one its set. False: it was not there. */
bool table_remove_member(struct local_table *table, struct slice set, struct slice member);

#endif
