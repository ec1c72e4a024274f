/* instances.c: the set of names is gone through page by page; the heartbeats of its names are asked
 * for together. */
#include "instances.h"
#include "clients/flaw.h"
#include "mintd/clock.h"
#include "output.h"
#include <stdlib.h>

#define TOGETHER 32u /* heartbeats: less than 1 MiB */
#define PAGE_MEMBERS "100"

struct search {
    struct redis *redis;
    enum instances_care care;
    struct instances *instances;
    struct redis_batch *batch;
    const struct slice *names; /* [count], at most TOGETHER */
    bool *is_gone;             /* [count]: it has no heartbeat any more */
    size_t count;
};

static bool is_known(const struct instances *instances, struct slice name) {
    for (size_t i = 0; i < instances->count; i++) {
        if (slice_equal(slice_of_string(instances->items[i].name), name)) {
            return true;
        }
    }
    return false;
}

static void note_unreadable(struct instances *instances, struct slice name) {
    if (instances->unreadable++ == 0) {
        memcpy(instances->unreadable_name, name.data, name.size);
        instances->unreadable_name[name.size] = '\0';
    }
}

/* What is no JSON object is left out. */
static void add(struct instances *instances, struct slice name, const struct value *reply) {
    cJSON *heartbeat = reply->kind == REDIS_VALUE_TEXT ? heartbeat_parse(reply->text) : NULL;
    char *copy = strndup(name.data, name.size);
    if (heartbeat == NULL && reply->kind != REDIS_VALUE_NIL) {
        note_unreadable(instances, name);
    }
    if (copy == NULL || heartbeat == NULL || is_known(instances, name)) {
        cJSON_Delete(heartbeat);
        free(copy);
    } else if (instances->count == INSTANCES_MAX) {
        instances->is_complete = false;
        cJSON_Delete(heartbeat);
        free(copy);
    } else {
        instances->items[instances->count++] = (struct instance_view){copy, heartbeat};
    }
}

static struct slice set_key(const struct search *s, char *storage) {
    return redis_key(s->redis, HEARTBEAT_NAMES, S(""), storage);
}

/* Whether it may is Redis' to say: an error harms nothing. */
static enum status clean(const struct search *s) {
    char storage[REDIS_KEY_MAX];
    struct slice arguments[2 + TOGETHER] = {S("SREM"), set_key(s, storage)};
    size_t count = 2;
    for (size_t i = 0; i < s->count; i++) {
        if (s->is_gone[i]) {
            arguments[count++] = s->names[i];
        }
    }
    if (count == 2) {
        return STATUS_DONE;
    }
    struct value *reply = redis_try(s->redis, arguments, count);
    enum status status = reply == NULL ? STATUS_REDIS : STATUS_DONE;
    value_free(reply);
    return status;
}

/* What one node of a cluster keeps back, said, the others may tell nevertheless. */
static enum status ask_all(const struct search *s) {
    char storage[REDIS_KEY_MAX];
    redis_batch_start(s->batch);
    for (size_t i = 0; i < s->count; i++) {
        const struct slice get[] = {S("GET"),
                                    redis_key(s->redis, HEARTBEAT_RECORD, s->names[i], storage)};
        redis_batch_add(s->batch, get[1], &(struct redis_command){get, 2}, 1);
    }
    enum status status = redis_batch_wait(s->batch);
    return status == STATUS_REDIS && redis_is_cluster(s->redis) ? STATUS_DONE : status;
}

static void take_replies(struct search *s, bool *is_allowed) {
    for (size_t i = 0; i < s->count && *is_allowed; i++) {
        struct value *reply = redis_batch_take(s->batch, i);
        s->is_gone[i] = false;
        if (reply == NULL) {
            s->instances->unanswered++;
            continue;
        }
        *is_allowed = reply->kind != REDIS_VALUE_ERROR || flaw_is_meant(reply->text);
        s->is_gone[i] = reply->kind == REDIS_VALUE_NIL;
        if (*is_allowed) {
            add(s->instances, s->names[i], reply);
        }
        value_free(reply);
    }
}

static enum status read_some(struct search *s, bool *is_allowed) {
    bool is_gone[TOGETHER];
    enum status status = ask_all(s);
    s->is_gone = is_gone;
    if (status == STATUS_DONE) {
        take_replies(s, is_allowed);
    }
    if (status == STATUS_DONE && *is_allowed && s->care == INSTANCES_CLEAN) {
        status = clean(s);
    }
    s->is_gone = NULL; /* it ends here */
    return status;
}

static enum status read_members(struct search *s, const struct value *members, bool *is_allowed) {
    struct slice names[TOGETHER];
    enum status status = STATUS_DONE;
    size_t next = 0;
    s->names = names;
    while (next < members->count && status == STATUS_DONE && *is_allowed) {
        for (s->count = 0; next < members->count && s->count < TOGETHER; next++) {
            struct slice name = members->items[next].text;
            if (name.size != 0 && name.size <= INSTANCE_NAME_MAX) {
                names[s->count++] = name;
            }
        }
        if (s->count != 0) {
            status = read_some(s, is_allowed);
        }
    }
    s->names = NULL; /* they end here */
    return status;
}

/* One page; the next cursor is left in `cursor`, "0" at the end. */
static enum status read_page(struct search *s, bool *is_allowed, char cursor[24]) {
    char storage[REDIS_KEY_MAX];
    const struct slice arguments[] = {S("SSCAN"), set_key(s, storage), slice_of_string(cursor),
                                      S("COUNT"), S(PAGE_MEMBERS)};
    struct value *page = redis_try(s->redis, arguments, 5);
    enum status status = page == NULL ? STATUS_REDIS : STATUS_DONE;
    s->instances->is_no_set = value_is(page, REDIS_VALUE_ERROR) && flaw_is_meant(page->text);
    *is_allowed = value_is(page, REDIS_VALUE_LIST) && page->count == 2 &&
                  page->items[0].text.size > 0 && page->items[0].text.size < 24;
    if (*is_allowed) {
        status = read_members(s, &page->items[1], is_allowed);
        memcpy(cursor, page->items[0].text.data, page->items[0].text.size + 1);
    }
    value_free(page);
    return status;
}

static int compare(const void *a, const void *b) {
    return strcmp(((const struct instance_view *)a)->name, ((const struct instance_view *)b)->name);
}

static enum status read_pages(struct search *s, bool *is_allowed) {
    struct instances *instances = s->instances;
    char cursor[24] = "0";
    do {
        enum status status = read_page(s, is_allowed, cursor);
        if (status != STATUS_DONE || !*is_allowed) {
            return status;
        }
    } while (strcmp(cursor, "0") != 0 && instances->is_complete);
    qsort(instances->items, instances->count, sizeof instances->items[0], compare);
    return STATUS_DONE;
}

enum status instances_read(struct redis *redis, enum instances_care care,
                           struct instances *instances, bool *is_allowed) {
    struct search search = {.redis = redis, .care = care, .instances = instances};
    instances->count = instances->unreadable = instances->unanswered = 0;
    instances->is_complete = true;
    *is_allowed = false;
    search.batch = redis_batch_new(redis);
    enum status status = search.batch == NULL ? STATUS_REFUSED : read_pages(&search, is_allowed);
    redis_batch_free(search.batch);
    return status;
}

void instances_fini(struct instances *instances) {
    for (size_t i = 0; i < instances->count; i++) {
        free(instances->items[i].name);
        cJSON_Delete(instances->items[i].heartbeat);
    }
    instances->count = 0;
}

void instances_say_flaws(const struct redis *redis, const struct instances *instances) {
    char storage[REDIS_KEY_MAX];
    if (instances->is_no_set) {
        flaw_say(redis, redis_key(redis, HEARTBEAT_NAMES, S(""), storage));
    }
    if (instances->unreadable != 0) {
        struct slice name = slice_of_string(instances->unreadable_name);
        flaw_say(redis, redis_key(redis, HEARTBEAT_RECORD, name, storage));
    }
    if (instances->unreadable > 1) {
        say("mintctl doctor counts the other keys of instances that are like that: %zu",
            instances->unreadable - 1);
    }
}

/* ---- members ---- */

uint64_t instance_age(const struct instance_view *instance) {
    uint64_t seen = heartbeat_number(instance->heartbeat, "seen");
    uint64_t now = clock_shared_ms() / 1000;
    return now > seen ? now - seen : 0;
}

bool instance_has_notice(const struct instance_view *instance, const char *notice) {
    const char *told;
    for (unsigned i = 0; (told = heartbeat_notice(instance->heartbeat, i)) != NULL; i++) {
        if (strcmp(told, notice) == 0) {
            return true;
        }
    }
    return false;
}
