/* stub_store.h: a store whose every answer a test decides: a few keys and hashes in memory.
 *
 * Operations are counted from 1. Unless said otherwise each is answered at once from what the store
 * holds. What was told to come later is PENDING until stub_store_answer_next(), and answered from
 * what the store holds then.
 *
 * As strict as store.h allows: what it hands out lies in memory that is freed as soon as the
 * contract lets it (the next verb; the return of on_done), and what it is given is copied before
 * the verb returns. */
#ifndef MINTD_TEST_STUB_STORE_H
#define MINTD_TEST_STUB_STORE_H

#include "mintd/store.h"

#define STUB_OPERATIONS_MAX 128u
#define STUB_FIELDS_MAX STORE_FIELDS_MAX

enum stub_verb {
    STUB_GET,
    STUB_SET,
    STUB_DELETE,
    STUB_READ_HASH,
    STUB_CREATE_HASH,
    STUB_SET_FIELD,
    STUB_REMOVE_FIELD,
    STUB_ADD_MEMBER,
    STUB_REMOVE_MEMBER,
    STUB_COUNT,
    STUB_CONFIRM,
};

/* What a verb was asked. Texts end with a NUL and are the stub's. */
struct stub_request {
    enum stub_verb verb;
    char *key;
    char *value; /* SET: the text; ADD_MEMBER, REMOVE_MEMBER: the member; SET_FIELD: the field
                    beside; REMOVE_FIELD: its name; else NULL */
    size_t value_size;
    unsigned ttl_s;
    uint64_t deadline_ns;
    const struct store_operation *after;            /* READ_HASH */
    struct store_copy rests_on[STORE_PREMISES_MAX]; /* SET, CONFIRM; key: of the first premise */
    unsigned premise_count;
    struct store_field *fields; /* CREATE_HASH, SET_FIELD */
    size_t field_count;
    /* the stub's own */
    struct store_operation *operation; /* while it waits */
};

struct stub_plan {
    bool later;
    enum store_trouble trouble; /* not NONE: UNKNOWN */
    bool happens;               /* though UNKNOWN: the write is made, the answer lost */
};

struct stub_entry; /* a key */

struct stub_store {
    struct store base; /* what the code under test is given */
    struct stub_request requests[STUB_OPERATIONS_MAX];
    unsigned request_count;
    unsigned pending;
    bool answers_from_memory; /* what reads that are answered at once say; set by the test */
    bool is_doubtful;         /* what reads and deletions say; set by the test */
    uint64_t changes;         /* set by the test: copies that were given before one do not hold */
    /* its own */
    struct stub_plan plans[STUB_OPERATIONS_MAX];
    struct stub_entry *entries;
    void *handed_out;
};

void stub_store_init(struct stub_store *stub);
/* Asserts that nobody waits any more. */
void stub_store_fini(struct stub_store *stub);

/* ---- what it holds ---- */

void stub_store_put(struct stub_store *stub, const char *key, struct slice value);
/* Sets one field of a hash. */
void stub_store_put_field(struct stub_store *stub, const char *key, const char *name,
                          struct slice value);
void stub_store_remove(struct stub_store *stub, const char *key);
/* One field, and with the last one the hash. False: there was none. */
bool stub_store_remove_field(struct stub_store *stub, const char *key, const char *name);
/* The text of a key, a field of a hash; absent where there is none. Until the next change. */
struct slice stub_store_text(const struct stub_store *stub, const char *key);
struct slice stub_store_field(const struct stub_store *stub, const char *key, const char *name);
bool stub_store_has_member(const struct stub_store *stub, const char *key, const char *member);

/* ---- how it answers ---- */

/* Forgets the requests and plans (nothing may be pending); what it holds stays. */
void stub_store_rewind(struct stub_store *stub);
/* The n-th operation is answered later; 0: every one. */
void stub_store_delay(struct stub_store *stub, unsigned n);
/* The n-th operation is UNKNOWN, and does nothing. */
void stub_store_fail(struct stub_store *stub, unsigned n, enum store_trouble trouble);
/* The n-th operation is UNKNOWN although it did its work. */
void stub_store_lose_answer(struct stub_store *stub, unsigned n, enum store_trouble trouble);

/* Answers the operation that has waited longest: calls its on_done. False where none waits. */
bool stub_store_answer_next(struct stub_store *stub);

#endif
