/* store_call.h: an operation of a store, waited for, with its result kept. */
#ifndef MINTD_TEST_STORE_CALL_H
#define MINTD_TEST_STORE_CALL_H

#include "mintd/store.h"
#include "support/loop.h"

#define CALL_TEXT_MAX (STORE_VALUE_MAX + 4096u)

struct store_call {
    struct store_operation operation;
    struct test_loop *loop;
    struct store *store;
    uint64_t deadline_ns;   /* for the next operation; 0: the store's timeout */
    enum progress progress; /* what the verb returned */
    unsigned answered;      /* on_done calls */
    bool in_verb;           /* on_done from inside the verb fails the test */
    uint64_t ended_ns;
    /* Of the result, copied. */
    struct slice value;
    struct store_field fields[STORE_FIELDS_MAX];
    struct buffer text; /* holds them */
    char storage[CALL_TEXT_MAX];
};

struct store_call *store_call_new(struct test_loop *loop, struct store *store);
void store_call_free(struct store_call *call);

/* Each starts one; store_call_wait() waits for it. A call can be used again once it has ended. */
void store_call_get(struct store_call *call, struct slice key);
void store_call_set(struct store_call *call, struct slice key, struct slice value, unsigned ttl_s);
void store_call_delete(struct store_call *call, struct slice key);
void store_call_read_hash(struct store_call *call, struct slice key);
/* After another call's read, which has no answer yet. */
void store_call_read_hash_after(struct store_call *call, struct slice key,
                                const struct store_call *after);
void store_call_create_hash(struct store_call *call, struct slice key,
                            const struct store_field *fields, size_t count);
void store_call_add_member(struct store_call *call, struct slice key, struct slice member);
void store_call_remove_member(struct store_call *call, struct slice key, struct slice member);
void store_call_set_field(struct store_call *call, struct slice key, struct slice beside,
                          struct store_field field);
void store_call_remove_field(struct store_call *call, struct slice key, struct slice name);
void store_call_count(struct store_call *call, struct slice key, unsigned ttl_s);
void store_call_set_on_premises(struct store_call *call, struct slice key, struct slice value,
                                unsigned ttl_s, const struct store_premise *premises,
                                unsigned count);
void store_call_confirm(struct store_call *call, const struct store_premise *premises,
                        unsigned count);
/* Without a premise: what Redis had to tell before has been heard of. */
void store_call_fence(struct store_call *call);

bool store_call_has_ended(const struct store_call *call);
/* Waits, and fails the test where no answer comes; gives the answer. */
enum store_answer store_call_wait(struct store_call *call);
/* Waits, and asserts that nobody can tell, and why. */
void assert_unknown(struct store_call *call, enum store_trouble trouble);
/* The value of this field; absent where there is none. */
struct slice store_call_field(const struct store_call *call, struct slice name);

/* Waits until store_trouble_now() is this; false: not within timeout_ms. */
bool store_wait_for(struct test_loop *loop, struct store *store, enum store_trouble trouble,
                    unsigned timeout_ms);

/* For test_loop_run_until(), with a store. */
bool store_is_away(void *store);

/* The stores of a loop: each is flushed once a turn. */
#define STORE_CREW_MAX 4u
struct store_crew {
    struct test_loop *loop;
    struct store *stores[STORE_CREW_MAX];
};
void store_crew_open(struct store_crew *crew, struct test_loop *loop);
struct store *store_crew_add(struct store_crew *crew, struct store *store); /* gives it back */
/* Closes and frees this one, and runs the loop in between. */
void store_crew_drop(struct store_crew *crew, struct store *store);
void store_crew_close(struct store_crew *crew); /* all that are left */

#endif
