#include "instances.h"
#include "mintd/clock.h"
#include "output.h"
#include <stdlib.h>

#define SCAN_MS 5000u

static bool is_known(const struct instances *instances, const char *name) {
    for (size_t i = 0; i < instances->count; i++) {
        if (strcmp(instances->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What is gone again, or is no JSON object, is left out. */
static enum status add(struct redis *redis, struct instances *instances, struct slice key,
                       size_t prefix_size) {
    const struct slice arguments[] = {S("GET"), key};
    struct value *reply = redis_ask(redis, arguments, 2);
    if (reply == NULL) {
        return STATUS_REDIS;
    }
    cJSON *heartbeat = reply->kind == REDIS_VALUE_TEXT
                           ? cJSON_ParseWithLength(reply->text.data, reply->text.size)
                           : NULL;
    value_free(reply);
    char *name = strndup(key.data + prefix_size, key.size - prefix_size);
    if (name == NULL || !cJSON_IsObject(heartbeat) || is_known(instances, name)) {
        cJSON_Delete(heartbeat);
        free(name);
        return STATUS_DONE;
    }
    instances->items[instances->count++] = (struct instance_view){name, heartbeat};
    return STATUS_DONE;
}

static enum status add_page(struct redis *redis, struct instances *instances,
                            const struct value *keys, size_t prefix_size) {
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < keys->count && status == STATUS_DONE; i++) {
        if (instances->count == INSTANCES_MAX) {
            instances->is_complete = false;
            return STATUS_DONE;
        }
        if (keys->items[i].text.size > prefix_size) {
            status = add(redis, instances, keys->items[i].text, prefix_size);
        }
    }
    return status;
}

static int compare(const void *a, const void *b) {
    return strcmp(((const struct instance_view *)a)->name, ((const struct instance_view *)b)->name);
}

/* One page; the next cursor is left in `cursor`, "0" at the end. */
static enum status read_page(struct redis *redis, struct instances *instances, bool *is_allowed,
                             char cursor[24]) {
    char storage[REDIS_KEY_MAX];
    struct slice pattern = redis_key(redis, "instance:", S("*"), storage);
    const struct slice arguments[] = {
        S("SCAN"), slice_of_string(cursor), S("MATCH"), pattern, S("COUNT"), S("1000")};
    struct value *page = redis_try(redis, arguments, 6);
    enum status status = page == NULL ? STATUS_REDIS : STATUS_DONE;
    *is_allowed = value_is(page, REDIS_VALUE_LIST) && page->count == 2 &&
                  page->items[0].text.size > 0 && page->items[0].text.size < 24;
    if (*is_allowed) {
        status = add_page(redis, instances, &page->items[1], pattern.size - 1);
        memcpy(cursor, page->items[0].text.data, page->items[0].text.size + 1);
    }
    value_free(page);
    return status;
}

enum status instances_read(struct redis *redis, struct instances *instances, bool *is_allowed) {
    char cursor[24] = "0";
    uint64_t until = clock_monotonic_ns() + SCAN_MS * 1000000ull;
    instances->count = 0;
    instances->is_complete = true;
    do {
        enum status status = read_page(redis, instances, is_allowed, cursor);
        if (status != STATUS_DONE || !*is_allowed) {
            return status;
        }
        if (clock_monotonic_ns() > until) {
            instances->is_complete = false;
            break;
        }
    } while (strcmp(cursor, "0") != 0);
    qsort(instances->items, instances->count, sizeof instances->items[0], compare);
    return STATUS_DONE;
}

void instances_fini(struct instances *instances) {
    for (size_t i = 0; i < instances->count; i++) {
        free(instances->items[i].name);
        cJSON_Delete(instances->items[i].heartbeat);
    }
    instances->count = 0;
}

const char *instance_text(const struct instance_view *instance, const char *member) {
    const char *text =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(instance->heartbeat, member));
    return text == NULL ? "" : text;
}

uint64_t instance_number(const struct instance_view *instance, const char *member) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(instance->heartbeat, member);
    bool fits = cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 9e15;
    return fits ? (uint64_t)item->valuedouble : 0;
}
