#include "support/store_call.h"

#include "mintd/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ANSWER_WITHIN_MS 20000u

static void keep(struct store_call *call) {
    const struct store_operation *operation = &call->operation;
    call->text = buffer_of(call->storage, sizeof call->storage);
    call->value = SLICE_ABSENT;
    if (!slice_is_absent(operation->value)) {
        call->value = slice_of(call->storage, operation->value.size);
        buffer_append(&call->text, operation->value);
    }
    for (size_t i = 0; i < operation->field_count; i++) {
        const struct store_field *field = &operation->fields[i];
        call->fields[i].name = slice_of(call->storage + call->text.size, field->name.size);
        buffer_append(&call->text, field->name);
        call->fields[i].value = slice_of(call->storage + call->text.size, field->value.size);
        buffer_append(&call->text, field->value);
    }
    assert_false(call->text.overflow);
    call->ended_ns = clock_monotonic_ns();
}

static void on_done(struct store_operation *operation) {
    struct store_call *call = container_of(operation, struct store_call, operation);
    assert_false(call->in_verb);
    call->answered++;
    keep(call);
}

struct store_call *store_call_new(struct test_loop *loop, struct store *store) {
    struct store_call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    call->loop = loop;
    call->store = store;
    return call;
}

void store_call_free(struct store_call *call) {
    free(call);
}

/* A caller sets two things; what else lies there is what was there before. */
static void begin(struct store_call *call) {
    memset(&call->operation, 0xbe, sizeof call->operation);
    call->operation.on_done = on_done;
    call->answered = 0;
    call->in_verb = true;
    call->operation.deadline_ns = call->deadline_ns;
}

static void end(struct store_call *call, enum progress progress) {
    call->in_verb = false;
    call->progress = progress;
    if (progress == PROGRESS_DONE) {
        keep(call);
    }
}

void store_call_get(struct store_call *call, struct slice key) {
    begin(call);
    end(call, store_get(call->store, key, &call->operation));
}

void store_call_set(struct store_call *call, struct slice key, struct slice value, unsigned ttl_s) {
    begin(call);
    end(call, store_set(call->store, key, value, ttl_s, &call->operation));
}

void store_call_delete(struct store_call *call, struct slice key) {
    begin(call);
    end(call, store_delete(call->store, key, &call->operation));
}

void store_call_read_hash(struct store_call *call, struct slice key) {
    begin(call);
    end(call, store_read_hash(call->store, key, &call->operation));
}

void store_call_read_hash_after(struct store_call *call, struct slice key,
                                const struct store_call *after) {
    begin(call);
    end(call, store_read_hash_after(call->store, key, &after->operation, &call->operation));
}

void store_call_create_hash(struct store_call *call, struct slice key,
                            const struct store_field *fields, size_t count) {
    begin(call);
    end(call, store_create_hash(call->store, key, fields, count, &call->operation));
}

void store_call_add_member(struct store_call *call, struct slice key, struct slice member) {
    begin(call);
    end(call, store_add_member(call->store, key, member, &call->operation));
}

void store_call_remove_member(struct store_call *call, struct slice key, struct slice member) {
    begin(call);
    end(call, store_remove_member(call->store, key, member, &call->operation));
}

void store_call_set_field(struct store_call *call, struct slice key, struct slice beside,
                          struct store_field field) {
    begin(call);
    end(call, store_set_field(call->store, key, beside, field, &call->operation));
}

void store_call_remove_field(struct store_call *call, struct slice key, struct slice name) {
    begin(call);
    end(call, store_remove_field(call->store, key, name, &call->operation));
}

void store_call_count(struct store_call *call, struct slice key, unsigned ttl_s) {
    begin(call);
    end(call, store_count(call->store, key, ttl_s, &call->operation));
}

void store_call_set_on_premises(struct store_call *call, struct slice key, struct slice value,
                                unsigned ttl_s, const struct store_premise *premises,
                                unsigned count) {
    begin(call);
    end(call,
        store_set_on_premises(call->store, key, value, ttl_s, premises, count, &call->operation));
}

void store_call_confirm(struct store_call *call, const struct store_premise *premises,
                        unsigned count) {
    begin(call);
    end(call, store_confirm(call->store, premises, count, &call->operation));
}

void store_call_fence(struct store_call *call) {
    store_call_confirm(call, NULL, 0);
}

bool store_call_has_ended(const struct store_call *call) {
    return call->progress == PROGRESS_DONE || call->answered != 0;
}

static bool has_ended(void *context) {
    return store_call_has_ended(context);
}

enum store_answer store_call_wait(struct store_call *call) {
    assert_true(test_loop_run_until(call->loop, has_ended, call, ANSWER_WITHIN_MS));
    assert_int_equal(call->answered, call->progress == PROGRESS_DONE ? 0 : 1);
    if (call->operation.answer != STORE_UNKNOWN) {
        assert_int_equal(call->operation.trouble, STORE_TROUBLE_NONE);
    } else {
        assert_int_not_equal(call->operation.trouble, STORE_TROUBLE_NONE);
    }
    return call->operation.answer;
}

void assert_unknown(struct store_call *call, enum store_trouble trouble) {
    assert_int_equal(store_call_wait(call), STORE_UNKNOWN);
    assert_string_equal(store_trouble_name(call->operation.trouble), store_trouble_name(trouble));
}

bool store_is_away(void *store) {
    return store_trouble_now(store) != STORE_TROUBLE_NONE;
}

struct slice store_call_field(const struct store_call *call, struct slice name) {
    for (size_t i = 0; i < call->operation.field_count; i++) {
        if (slice_equal(call->fields[i].name, name)) {
            return call->fields[i].value;
        }
    }
    return SLICE_ABSENT;
}

struct wanted {
    struct store *store;
    enum store_trouble trouble;
};

static bool is_as_wanted(void *context) {
    const struct wanted *wanted = context;
    return store_trouble_now(wanted->store) == wanted->trouble;
}

bool store_wait_for(struct test_loop *loop, struct store *store, enum store_trouble trouble,
                    unsigned timeout_ms) {
    struct wanted wanted = {store, trouble};
    return test_loop_run_until(loop, is_as_wanted, &wanted, timeout_ms);
}

static void on_closed(void *context) {
    bool *closed = context;
    assert_false(*closed);
    *closed = true;
}

static bool is_true(void *context) {
    return *(bool *)context;
}

static void flush_all(void *context) {
    struct store_crew *crew = context;
    for (unsigned i = 0; i < STORE_CREW_MAX; i++) {
        if (crew->stores[i] != NULL) {
            store_flush(crew->stores[i]);
        }
    }
}

void store_crew_open(struct store_crew *crew, struct test_loop *loop) {
    *crew = (struct store_crew){.loop = loop};
    loop->on_turn = flush_all;
    loop->on_turn_context = crew;
}

struct store *store_crew_add(struct store_crew *crew, struct store *store) {
    unsigned i = 0;
    assert_non_null(store);
    while (crew->stores[i] != NULL) {
        i++;
        assert_true(i < STORE_CREW_MAX);
    }
    crew->stores[i] = store;
    return store;
}

void store_crew_drop(struct store_crew *crew, struct store *store) {
    bool closed = false;
    store_close(store, on_closed, &closed);
    assert_false(closed);
    assert_true(test_loop_run_until(crew->loop, is_true, &closed, 5000));
    for (unsigned i = 0; i < STORE_CREW_MAX; i++) {
        if (crew->stores[i] == store) {
            crew->stores[i] = NULL;
        }
    }
    store_free(store);
}

void store_crew_close(struct store_crew *crew) {
    for (unsigned i = 0; i < STORE_CREW_MAX; i++) {
        if (crew->stores[i] != NULL) {
            store_crew_drop(crew, crew->stores[i]);
        }
    }
}
