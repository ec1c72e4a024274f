#include "api/status_instances.h"
#include "mintd/clock.h"
#include "mintd/encoding.h"
#include "mintd/heartbeat_view.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

/* ---- a record ---- */

static void copy_text(const cJSON *record, const char *name, char *text, size_t size) {
    snprintf(text, size, "%s", heartbeat_text(record, name));
}

static unsigned count_of(const cJSON *record, const char *name) {
    uint64_t number = heartbeat_number(record, name);
    return number < 1000000000 ? (unsigned)number : 0;
}

/* In one text, with commas. */
static void copy_notices(const cJSON *record, char *text, size_t size) {
    struct buffer notices = buffer_of(text, size - 1);
    const char *notice;
    for (unsigned i = 0; (notice = heartbeat_notice(record, i)) != NULL; i++) {
        if (*notice != '\0') {
            buffer_append(&notices, notices.size == 0 ? S("") : S(", "));
            buffer_append(&notices, slice_of_string(notice));
        }
    }
    text[notices.overflow ? 0 : notices.size] = '\0';
}

bool instance_view_read(struct instance_view *view, struct slice record) {
    cJSON *json = heartbeat_parse(record);
    if (json == NULL) {
        return false;
    }
    copy_text(json, "version", view->version, sizeof view->version);
    copy_text(json, "commit", view->commit, sizeof view->commit);
    copy_text(json, "host", view->host, sizeof view->host);
    copy_notices(json, view->notices, sizeof view->notices);
    view->started = heartbeat_number(json, "started");
    view->uptime = heartbeat_number(json, "uptime");
    view->seen = heartbeat_number(json, "seen");
    view->workers = count_of(json, "workers");
    view->links = count_of(json, "links");
    view->caching = count_of(json, "caching");
    view->connections = count_of(json, "connections");
    view->is_draining = heartbeat_is(json, "draining");
    view->minted = heartbeat_rate(json, "minted");
    view->validated = heartbeat_rate(json, "validated");
    view->refused = heartbeat_rate(json, "refused");
    view->answered = heartbeat_rate(json, "answered");
    view->was_seen = true;
    view->is_gone = false;
    cJSON_Delete(json);
    return true;
}

/* ---- the table ---- */

static struct instance_view *find(struct instances *all, struct slice name) {
    for (unsigned i = 0; i < all->count; i++) {
        if (slice_equal(slice_of_string(all->views[i].name), name)) {
            return &all->views[i];
        }
    }
    return NULL;
}

static void take_name(struct instances *all, struct slice name) {
    if (!word_is_plain(name) || name.size > INSTANCES_NAME_MAX ||
        slice_equal(name, slice_of_string(all->own_name))) {
        return;
    }
    struct instance_view *view = find(all, name);
    if (view == NULL && all->count == INSTANCES_SHOWN) {
        all->has_more = true;
        return;
    }
    if (view == NULL) {
        view = &all->views[all->count++];
        memset(view, 0, sizeof *view);
        memcpy(view->name, name.data, name.size);
    }
    view->is_named = true;
}

/* Those that left in order took their names along; one that nobody here ever saw is a leftover. */
static bool is_kept(const struct instances *all, const struct instance_view *view) {
    bool is_long_gone = view->is_gone && all->began_ns > view->gone_ns + INSTANCES_GONE_FOR_NS;
    return view->was_seen && (view->is_named || all->has_more) && !is_long_gone;
}

static void drop_the_others(struct instances *all) {
    unsigned kept = 0;
    for (unsigned i = 0; i < all->count; i++) {
        if (is_kept(all, &all->views[i])) {
            if (kept != i) {
                all->views[kept] = all->views[i];
            }
            kept++;
        }
    }
    all->count = kept;
}

/* ---- a refresh ---- */

static void note_trouble(struct instances *all, enum store_trouble trouble) {
    if (all->trouble == STORE_TROUBLE_NONE) {
        all->trouble = trouble;
    }
}

static void end_refresh(struct instances *all) {
    all->is_open = false;
    if (all->trouble == STORE_TROUBLE_NONE) {
        drop_the_others(all);
        all->read_ms = all->wall_ms();
    }
}

static void take_record(struct instances_read *read) {
    struct instances *all = read->instances;
    const struct store_operation *operation = &read->operation;
    struct instance_view *view = find(all, slice_of_string(read->name));
    read->is_open = false;
    all->open--;
    if (view == NULL) {
        return;
    }
    switch (operation->answer) {
    case STORE_FOUND:
        instance_view_read(view, operation->value); /* what is no record is as good as not seen */
        break;
    case STORE_ABSENT:
        view->gone_ns = view->is_gone ? view->gone_ns : clock_monotonic_ns();
        view->is_gone = true;
        break;
    case STORE_UNKNOWN:
        note_trouble(all, operation->trouble);
        break;
    }
}

static void on_record(struct store_operation *operation);

/* One more record is asked for; answered at once, it is taken at once. */
static void read_record(struct instances_read *read, const struct instance_view *view) {
    struct instances *all = read->instances;
    char storage[INSTANCES_NAME_MAX + 16];
    struct buffer key = buffer_of(storage, sizeof storage);
    memcpy(read->name, view->name, sizeof read->name);
    buffer_append(&key, S(HEARTBEAT_RECORD));
    buffer_append(&key, slice_of_string(view->name));
    read->operation.deadline_ns = all->names.deadline_ns; /* all of it by that of the first */
    read->operation.on_done = on_record;
    read->is_open = true;
    all->open++;
    if (store_get(all->store, buffer_slice(&key), &read->operation) == PROGRESS_DONE) {
        take_record(read);
    }
}

static enum progress read_on(struct instances *all) {
    for (unsigned i = 0; i < INSTANCES_READ_TOGETHER; i++) {
        while (!all->reads[i].is_open && all->next < all->count) {
            read_record(&all->reads[i], &all->views[all->next++]);
        }
    }
    if (all->open != 0) {
        return PROGRESS_PENDING;
    }
    end_refresh(all);
    return PROGRESS_DONE;
}

static void on_record(struct store_operation *operation) {
    struct instances_read *read = container_of(operation, struct instances_read, operation);
    struct instances *all = read->instances;
    take_record(read);
    if (read_on(all) == PROGRESS_DONE) {
        all->on_refreshed(all);
    }
}

static enum progress take_names(struct instances *all) {
    const struct store_operation *names = &all->names;
    if (names->answer == STORE_UNKNOWN) {
        note_trouble(all, names->trouble);
        end_refresh(all);
        return PROGRESS_DONE;
    }
    for (unsigned i = 0; i < all->count; i++) {
        all->views[i].is_named = false;
    }
    all->has_more = names->field_count == STORE_MEMBERS_MAX;
    for (size_t i = 0; i < names->field_count; i++) {
        take_name(all, names->fields[i].name);
    }
    return read_on(all);
}

static void on_names(struct store_operation *operation) {
    struct instances *all = container_of(operation, struct instances, names);
    if (take_names(all) == PROGRESS_DONE) {
        all->on_refreshed(all);
    }
}

enum progress instances_refresh(struct instances *all) {
    uint64_t now_ns = clock_monotonic_ns();
    if (all->is_open) {
        return PROGRESS_PENDING;
    }
    if (all->began_ns != 0 && now_ns - all->began_ns < INSTANCES_GOOD_FOR_NS) {
        return PROGRESS_DONE;
    }
    all->began_ns = now_ns;
    all->next = 0;
    all->trouble = store_trouble_now(all->store);
    if (all->trouble != STORE_TROUBLE_NONE) {
        return PROGRESS_DONE;
    }
    all->is_open = true;
    all->names.deadline_ns = 0;
    all->names.on_done = on_names;
    return store_read_members(all->store, S(HEARTBEAT_NAMES), &all->names) == PROGRESS_DONE
               ? take_names(all)
               : PROGRESS_PENDING;
}

void instances_init(struct instances *all, struct store *store, const char *own_name,
                    uint64_t (*wall_ms)(void)) {
    memset(all, 0, sizeof *all);
    all->store = store;
    all->own_name = own_name;
    all->wall_ms = wall_ms;
    for (unsigned i = 0; i < INSTANCES_READ_TOGETHER; i++) {
        all->reads[i].instances = all;
    }
}
