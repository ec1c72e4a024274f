#include "clients/value.h"
#include <stdlib.h>

struct room {
    struct value *values;
    char *text;
};

static void measure(const struct redis_value *reply, size_t *values, size_t *bytes) {
    enum redis_value_kind kind = redis_value_kind(reply);
    *values += 1;
    if (kind == REDIS_VALUE_TEXT || kind == REDIS_VALUE_ERROR) {
        *bytes += redis_value_text(reply).size + 1;
    }
    if (kind != REDIS_VALUE_LIST || redis_value_count(reply) == 0) {
        return;
    }
    const struct redis_value *item = redis_value_first(reply);
    for (size_t i = 0; i < redis_value_count(reply); i++, item = redis_value_next(item)) {
        measure(item, values, bytes);
    }
}

static struct slice copy_text(struct slice text, struct room *room) {
    char *copy = room->text;
    if (text.size != 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    room->text += text.size + 1;
    return slice_of(copy, text.size);
}

static void copy(const struct redis_value *reply, struct value *value, struct room *room) {
    value->kind = redis_value_kind(reply);
    if (value->kind == REDIS_VALUE_TEXT || value->kind == REDIS_VALUE_ERROR) {
        value->text = copy_text(redis_value_text(reply), room);
    }
    if (value->kind == REDIS_VALUE_NUMBER) {
        value->number = redis_value_number(reply);
    }
    if (value->kind != REDIS_VALUE_LIST || redis_value_count(reply) == 0) {
        return;
    }
    struct value *items = room->values;
    const struct redis_value *item = redis_value_first(reply);
    value->items = items;
    value->count = redis_value_count(reply);
    room->values += value->count;
    for (size_t i = 0; i < value->count; i++, item = redis_value_next(item)) {
        copy(item, &items[i], room);
    }
}

/* The values first, then the bytes of the texts. */
struct value *value_copy(const struct redis_value *reply) {
    size_t values = 0, bytes = 0;
    measure(reply, &values, &bytes);
    struct value *root = calloc(1, values * sizeof *root + bytes);
    if (root == NULL) {
        return NULL;
    }
    struct room room = {root + 1, (char *)(root + values)};
    copy(reply, root, &room);
    return root;
}

struct value *value_of_fields(const struct store_field *fields, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += fields[i].name.size + fields[i].value.size + 2;
    }
    struct value *root = calloc(1, (1 + 2 * count) * sizeof *root + bytes);
    if (root == NULL) {
        return NULL;
    }
    struct value *items = root + 1;
    struct room room = {.text = (char *)(items + 2 * count)};
    *root = (struct value){.kind = REDIS_VALUE_LIST, .count = 2 * count, .items = items};
    for (size_t i = 0; i < count; i++) {
        struct slice name = copy_text(fields[i].name, &room);
        struct slice text = copy_text(fields[i].value, &room);
        items[2 * i] = (struct value){.kind = REDIS_VALUE_TEXT, .text = name};
        items[2 * i + 1] = (struct value){.kind = REDIS_VALUE_TEXT, .text = text};
    }
    return root;
}

void value_free(struct value *value) {
    free(value);
}

bool value_is(const struct value *value, enum redis_value_kind kind) {
    return value != NULL && value->kind == kind;
}

const struct value *value_find(const struct value *list, struct slice name) {
    for (size_t i = 0; i + 1 < list->count; i += 2) {
        if (slice_equal(list->items[i].text, name)) {
            return &list->items[i + 1];
        }
    }
    return NULL;
}

struct slice value_find_text(const struct value *list, struct slice name) {
    const struct value *value = value_find(list, name);
    return value_is(value, REDIS_VALUE_TEXT) ? value->text : SLICE_ABSENT;
}
