#include "support/stub_store.h"
#include "unit/unit.h"
#include <stdio.h>
#include <stdlib.h>

/* A key: a text, or a hash. A member of a set is a field without a value. */
struct stub_entry {
    struct stub_entry *next;
    char *key;
    char *text; /* NULL of a hash */
    size_t text_size;
    struct store_field fields[STUB_FIELDS_MAX];
    size_t field_count;
};

static char *copy_of(struct slice s) {
    char *copy = malloc(s.size + 1);
    assert_non_null(copy);
    if (s.size != 0) {
        memcpy(copy, s.data, s.size);
    }
    copy[s.size] = '\0';
    return copy;
}

static struct slice copied(struct slice s) {
    return slice_of(copy_of(s), s.size);
}

static void free_slice(struct slice s) {
    free((void *)(uintptr_t)s.data);
}

/* ---- what it holds ---- */

static struct stub_entry **find(struct stub_store *stub, const char *key) {
    struct stub_entry **place = &stub->entries;
    while (*place != NULL && strcmp((*place)->key, key) != 0) {
        place = &(*place)->next;
    }
    return place;
}

static const struct stub_entry *look_up(const struct stub_store *stub, const char *key) {
    const struct stub_entry *entry = stub->entries;
    while (entry != NULL && strcmp(entry->key, key) != 0) {
        entry = entry->next;
    }
    return entry;
}

static struct stub_entry *find_or_make(struct stub_store *stub, const char *key) {
    struct stub_entry **place = find(stub, key);
    if (*place == NULL) {
        *place = calloc(1, sizeof **place);
        assert_non_null(*place);
        (*place)->key = copy_of(slice_of_string(key));
    }
    return *place;
}

void stub_store_put(struct stub_store *stub, const char *key, struct slice value) {
    struct stub_entry *entry = find_or_make(stub, key);
    assert_int_equal(entry->field_count, 0);
    free(entry->text);
    entry->text = copy_of(value);
    entry->text_size = value.size;
}

static void put_field(struct stub_entry *entry, struct slice name, struct slice value) {
    size_t i = 0;
    assert_null(entry->text);
    while (i < entry->field_count && !slice_equal(entry->fields[i].name, name)) {
        i++;
    }
    if (i == entry->field_count) {
        assert_true(i < STUB_FIELDS_MAX);
        entry->fields[i].name = copied(name);
        entry->field_count++;
    } else {
        free_slice(entry->fields[i].value);
    }
    entry->fields[i].value = copied(value);
}

void stub_store_put_field(struct stub_store *stub, const char *key, const char *name,
                          struct slice value) {
    put_field(find_or_make(stub, key), slice_of_string(name), value);
}

void stub_store_remove(struct stub_store *stub, const char *key) {
    struct stub_entry **place = find(stub, key);
    struct stub_entry *entry = *place;
    if (entry == NULL) {
        return;
    }
    *place = entry->next;
    for (size_t i = 0; i < entry->field_count; i++) {
        free_slice(entry->fields[i].name);
        free_slice(entry->fields[i].value);
    }
    free(entry->text);
    free(entry->key);
    free(entry);
}

bool stub_store_remove_field(struct stub_store *stub, const char *key, const char *name) {
    struct stub_entry *entry = *find(stub, key);
    size_t i = 0;
    while (entry != NULL && i < entry->field_count &&
           !slice_equal(entry->fields[i].name, slice_of_string(name))) {
        i++;
    }
    if (entry == NULL || i == entry->field_count) {
        return false;
    }
    free_slice(entry->fields[i].name);
    free_slice(entry->fields[i].value);
    entry->fields[i] = entry->fields[--entry->field_count];
    if (entry->field_count == 0) {
        stub_store_remove(stub, key);
    }
    return true;
}

struct slice stub_store_text(const struct stub_store *stub, const char *key) {
    const struct stub_entry *entry = look_up(stub, key);
    return entry == NULL || entry->text == NULL ? SLICE_ABSENT
                                                : slice_of(entry->text, entry->text_size);
}

struct slice stub_store_field(const struct stub_store *stub, const char *key, const char *name) {
    const struct stub_entry *entry = look_up(stub, key);
    for (size_t i = 0; entry != NULL && i < entry->field_count; i++) {
        if (slice_equal(entry->fields[i].name, slice_of_string(name))) {
            return entry->fields[i].value;
        }
    }
    return SLICE_ABSENT;
}

bool stub_store_has_member(const struct stub_store *stub, const char *key, const char *member) {
    return !slice_is_absent(stub_store_field(stub, key, member));
}

/* ---- answers ---- */

static void take_back(struct stub_store *stub) {
    free(stub->handed_out);
    stub->handed_out = NULL;
}

/* Memory that is freed as soon as the contract allows. */
static void *hand_out(struct stub_store *stub, size_t size) {
    take_back(stub);
    stub->handed_out = malloc(size == 0 ? 1 : size);
    assert_non_null(stub->handed_out);
    return stub->handed_out;
}

static void answer_text(struct stub_store *stub, const struct stub_entry *entry,
                        struct store_operation *operation) {
    char *text = hand_out(stub, entry->text_size);
    if (entry->text_size != 0) {
        memcpy(text, entry->text, entry->text_size);
    }
    operation->value = slice_of(text, entry->text_size);
}

static size_t bytes_of(const struct stub_entry *entry) {
    size_t bytes = entry->field_count * sizeof entry->fields[0];
    for (size_t i = 0; i < entry->field_count; i++) {
        bytes += entry->fields[i].name.size + entry->fields[i].value.size;
    }
    return bytes;
}

static void answer_fields(struct stub_store *stub, const struct stub_entry *entry,
                          struct store_operation *operation) {
    struct store_field *fields = hand_out(stub, bytes_of(entry));
    char *texts = (char *)(fields + entry->field_count);
    for (size_t i = 0; i < entry->field_count; i++) {
        const struct store_field *field = &entry->fields[i];
        memcpy(texts, field->name.data, field->name.size);
        fields[i].name = slice_of(texts, field->name.size);
        texts += field->name.size;
        memcpy(texts, field->value.data, field->value.size);
        fields[i].value = slice_of(texts, field->value.size);
        texts += field->value.size;
    }
    operation->fields = fields;
    operation->field_count = entry->field_count;
}

static void read_entry(struct stub_store *stub, const struct stub_request *request,
                       struct store_operation *operation) {
    const struct stub_entry *entry = look_up(stub, request->key);
    if (entry == NULL) {
        operation->answer = STORE_ABSENT;
    } else if ((request->verb == STUB_GET) != (entry->text != NULL)) {
        operation->answer = STORE_UNKNOWN;
        operation->trouble = STORE_TROUBLE_WRONGTYPE;
    } else if (request->verb == STUB_GET) {
        answer_text(stub, entry, operation);
    } else {
        answer_fields(stub, entry, operation);
    }
}

static void write_hash(struct stub_store *stub, const struct stub_request *request,
                       struct store_operation *operation) {
    operation->number = look_up(stub, request->key) == NULL;
    for (size_t i = 0; operation->number != 0 && i < request->field_count; i++) {
        put_field(find_or_make(stub, request->key), request->fields[i].name,
                  request->fields[i].value);
    }
}

static void count_up(struct stub_store *stub, const struct stub_request *request,
                     struct store_operation *operation) {
    unsigned long long number = 0;
    char text[24];
    slice_to_number(stub_store_text(stub, request->key), INT64_MAX, &number);
    int size = snprintf(text, sizeof text, "%llu", ++number);
    stub_store_put(stub, request->key, slice_of(text, (size_t)size));
    operation->number = (int64_t)number;
}

static struct store_copy copy_of_now(const struct stub_store *stub) {
    return (struct store_copy){1, stub->changes + 1};
}

static bool premises_hold(const struct stub_store *stub, const struct stub_request *request) {
    bool hold = true;
    for (unsigned i = 0; i < request->premise_count; i++) {
        hold = hold && (request->rests_on[i].number == 0 ||
                        request->rests_on[i].number == copy_of_now(stub).number);
    }
    return hold;
}

static void perform(struct stub_store *stub, const struct stub_request *request,
                    struct store_operation *operation) {
    operation->answer = STORE_FOUND;
    operation->holds = premises_hold(stub, request);
    switch (request->verb) {
    case STUB_GET:
    case STUB_READ_HASH:
        read_entry(stub, request, operation);
        operation->copy = copy_of_now(stub);
        break;
    case STUB_CONFIRM:
        break;
    case STUB_SET:
        stub_store_put(stub, request->key, slice_of(request->value, request->value_size));
        break;
    case STUB_DELETE:
        operation->number = look_up(stub, request->key) != NULL;
        stub_store_remove(stub, request->key);
        break;
    case STUB_SET_FIELD:
        put_field(find_or_make(stub, request->key), request->fields[0].name,
                  request->fields[0].value);
        if (slice_is_absent(stub_store_field(stub, request->key, request->value))) {
            operation->answer = STORE_ABSENT;
        }
        break;
    case STUB_REMOVE_FIELD:
    case STUB_REMOVE_MEMBER:
        operation->number = stub_store_remove_field(stub, request->key, request->value);
        break;
    case STUB_CREATE_HASH:
        write_hash(stub, request, operation);
        break;
    case STUB_COUNT:
        count_up(stub, request, operation);
        break;
    case STUB_ADD_MEMBER:
        put_field(find_or_make(stub, request->key), slice_of(request->value, request->value_size),
                  S(""));
        break;
    }
}

static void clear_result(struct store_operation *operation) {
    operation->answer = STORE_UNKNOWN;
    operation->trouble = STORE_TROUBLE_NONE;
    operation->value = SLICE_ABSENT;
    operation->fields = NULL;
    operation->field_count = 0;
    operation->number = 0;
    operation->from_memory = false;
    operation->is_doubtful = false;
    operation->copy = (struct store_copy){0, 0};
    operation->holds = false;
}

static void answer(struct stub_store *stub, unsigned index, struct store_operation *operation) {
    const struct stub_plan *plan = &stub->plans[index];
    clear_result(operation);
    if (plan->trouble == STORE_TROUBLE_NONE || plan->happens) {
        perform(stub, &stub->requests[index], operation);
        enum stub_verb verb = stub->requests[index].verb;
        operation->is_doubtful = stub->is_doubtful && (verb == STUB_GET || verb == STUB_READ_HASH ||
                                                       verb == STUB_DELETE);
    }
    if (plan->trouble != STORE_TROUBLE_NONE) {
        clear_result(operation);
        operation->trouble = plan->trouble;
    }
}

/* Takes the request down, and answers it now or leaves it waiting. */
static enum progress take(struct stub_store *stub, enum stub_verb verb, struct slice key,
                          struct slice value, struct store_operation *operation) {
    take_back(stub);
    assert_true(stub->request_count < STUB_OPERATIONS_MAX);
    assert_in_range(key.size, verb == STUB_CONFIRM ? 0 : 1, STORE_KEY_MAX);
    assert_non_null(operation->on_done);
    unsigned index = stub->request_count++;
    struct stub_request *request = &stub->requests[index];
    request->verb = verb;
    request->key = copy_of(key);
    request->value = slice_is_absent(value) ? NULL : copy_of(value);
    request->value_size = value.size;
    request->deadline_ns = operation->deadline_ns;
    if (!stub->plans[index].later) {
        return PROGRESS_DONE;
    }
    request->operation = operation;
    stub->pending++;
    return PROGRESS_PENDING;
}

static enum progress take_and_answer(struct stub_store *stub, enum stub_verb verb, struct slice key,
                                     struct slice value, struct store_operation *operation) {
    if (take(stub, verb, key, value, operation) == PROGRESS_PENDING) {
        return PROGRESS_PENDING;
    }
    answer(stub, stub->request_count - 1, operation);
    operation->from_memory = stub->answers_from_memory && operation->answer != STORE_UNKNOWN &&
                             (verb == STUB_GET || verb == STUB_READ_HASH);
    return PROGRESS_DONE;
}

bool stub_store_answer_next(struct stub_store *stub) {
    unsigned index = 0;
    while (index < stub->request_count && stub->requests[index].operation == NULL) {
        index++;
    }
    if (index == stub->request_count) {
        return false;
    }
    struct store_operation *operation = stub->requests[index].operation;
    stub->requests[index].operation = NULL;
    stub->pending--;
    answer(stub, index, operation);
    void *handed_out = stub->handed_out;
    stub->handed_out = NULL; /* on_done may start the next verb, and still read this */
    operation->on_done(operation);
    free(handed_out);
    return true;
}

/* ---- the verbs ---- */

static struct stub_store *stub_of(struct store *store) {
    return container_of(store, struct stub_store, base);
}

static enum progress get(struct store *store, struct slice key, struct store_operation *operation) {
    return take_and_answer(stub_of(store), STUB_GET, key, SLICE_ABSENT, operation);
}

static void keep_premises(struct stub_request *request, const struct store_premise *premises,
                          unsigned count) {
    assert_true(count <= STORE_PREMISES_MAX);
    request->premise_count = count;
    for (unsigned i = 0; i < count; i++) {
        request->rests_on[i] = premises[i].copy;
    }
}

static enum progress set(struct store *store, struct slice key, struct slice value, unsigned ttl_s,
                         const struct store_premise *premises, unsigned count,
                         struct store_operation *operation) {
    struct stub_store *stub = stub_of(store);
    keep_premises(&stub->requests[stub->request_count], premises, count);
    assert_true(ttl_s != 0);
    assert_true(value.size <= STORE_VALUE_MAX);
    stub->requests[stub->request_count].ttl_s = ttl_s;
    return take_and_answer(stub, STUB_SET, key, value, operation);
}

static enum progress delete (struct store *store, struct slice key,
                             struct store_operation *operation) {
    return take_and_answer(stub_of(store), STUB_DELETE, key, SLICE_ABSENT, operation);
}

static enum progress read_hash(struct store *store, struct slice key,
                               const struct store_operation *after,
                               struct store_operation *operation) {
    struct stub_store *stub = stub_of(store);
    stub->requests[stub->request_count].after = after;
    return take_and_answer(stub, STUB_READ_HASH, key, SLICE_ABSENT, operation);
}

static void keep_fields(struct stub_request *request, const struct store_field *fields,
                        size_t field_count) {
    assert_in_range(field_count, 1, STORE_FIELDS_MAX);
    request->fields = calloc(field_count, sizeof *fields);
    assert_non_null(request->fields);
    for (size_t i = 0; i < field_count; i++) {
        request->fields[i] = (struct store_field){copied(fields[i].name), copied(fields[i].value)};
    }
    request->field_count = field_count;
}

static enum progress create_hash(struct store *store, struct slice key,
                                 const struct store_field *fields, size_t field_count,
                                 struct store_operation *operation) {
    struct stub_store *stub = stub_of(store);
    keep_fields(&stub->requests[stub->request_count], fields, field_count);
    return take_and_answer(stub, STUB_CREATE_HASH, key, SLICE_ABSENT, operation);
}

static enum progress set_field(struct store *store, struct slice key, struct slice beside,
                               struct store_field field, struct store_operation *operation) {
    struct stub_store *stub = stub_of(store);
    keep_fields(&stub->requests[stub->request_count], &field, 1);
    return take_and_answer(stub, STUB_SET_FIELD, key, beside, operation);
}

static enum progress remove_field(struct store *store, struct slice key, struct slice name,
                                  struct store_operation *operation) {
    return take_and_answer(stub_of(store), STUB_REMOVE_FIELD, key, name, operation);
}

static enum progress add_member(struct store *store, struct slice key, struct slice member,
                                struct store_operation *operation) {
    return take_and_answer(stub_of(store), STUB_ADD_MEMBER, key, member, operation);
}

static enum progress remove_member(struct store *store, struct slice key, struct slice member,
                                   struct store_operation *operation) {
    return take_and_answer(stub_of(store), STUB_REMOVE_MEMBER, key, member, operation);
}

static enum progress count(struct store *store, struct slice key, unsigned ttl_s,
                           struct store_operation *operation) {
    struct stub_store *stub = stub_of(store);
    assert_true(ttl_s != 0);
    stub->requests[stub->request_count].ttl_s = ttl_s;
    return take_and_answer(stub, STUB_COUNT, key, SLICE_ABSENT, operation);
}

static enum progress confirm(struct store *store, const struct store_premise *premises,
                             unsigned count, struct store_operation *operation) {
    struct stub_store *stub = stub_of(store);
    keep_premises(&stub->requests[stub->request_count], premises, count);
    return take_and_answer(stub, STUB_CONFIRM, count == 0 ? S("") : premises[0].key, SLICE_ABSENT,
                           operation);
}

static void ignore(struct store *store) {
    (void)store;
}

/* The test owns the stub, and no code under test closes it. */
static void refuse_close(struct store *store, void (*on_closed)(void *), void *context) {
    (void)store, (void)on_closed, (void)context;
    fail();
}

static enum store_trouble trouble_now(const struct store *store) {
    (void)store;
    return STORE_TROUBLE_NONE;
}

/* ---- the stub itself ---- */

void stub_store_init(struct stub_store *stub) {
    static const struct store_verbs verbs = {
        .get = get,
        .set = set,
        .delete = delete,
        .read_hash = read_hash,
        .create_hash = create_hash,
        .set_field = set_field,
        .remove_field = remove_field,
        .add_member = add_member,
        .remove_member = remove_member,
        .count = count,
        .confirm = confirm,
        .flush = ignore,
        .close = refuse_close,
        .free = ignore,
        .trouble = trouble_now,
    };
    memset(stub, 0, sizeof *stub);
    stub->base.verbs = &verbs;
}

static void forget_request(struct stub_request *request) {
    for (size_t i = 0; i < request->field_count; i++) {
        free_slice(request->fields[i].name);
        free_slice(request->fields[i].value);
    }
    free(request->fields);
    free(request->key);
    free(request->value);
    memset(request, 0, sizeof *request);
}

void stub_store_rewind(struct stub_store *stub) {
    assert_int_equal(stub->pending, 0);
    for (unsigned i = 0; i < stub->request_count; i++) {
        forget_request(&stub->requests[i]);
    }
    memset(stub->plans, 0, sizeof stub->plans);
    stub->request_count = 0;
}

void stub_store_fini(struct stub_store *stub) {
    stub_store_rewind(stub);
    while (stub->entries != NULL) {
        stub_store_remove(stub, stub->entries->key);
    }
    take_back(stub);
}

static struct stub_plan *plan_of(struct stub_store *stub, unsigned n) {
    assert_in_range(n, 1, STUB_OPERATIONS_MAX);
    return &stub->plans[n - 1];
}

void stub_store_delay(struct stub_store *stub, unsigned n) {
    if (n != 0) {
        plan_of(stub, n)->later = true;
        return;
    }
    for (n = 1; n <= STUB_OPERATIONS_MAX; n++) {
        plan_of(stub, n)->later = true;
    }
}

void stub_store_fail(struct stub_store *stub, unsigned n, enum store_trouble trouble) {
    plan_of(stub, n)->trouble = trouble;
}

void stub_store_lose_answer(struct stub_store *stub, unsigned n, enum store_trouble trouble) {
    plan_of(stub, n)->trouble = trouble;
    plan_of(stub, n)->happens = true;
}
