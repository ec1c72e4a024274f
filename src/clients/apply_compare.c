#include "clients/apply_compare.h"
#include "clients/apply_edit.h"
#include "clients/client_walk.h"
#include "mintd/say.h"

enum status apply_judge(struct apply_entry *entry, const struct client_record *present,
                        struct apply_plan *plan, apply_difference *on_difference, void *context) {
    struct client_edit edit;
    client_edit_init(&edit);
    apply_edit(entry, present, &edit);
    if (present == NULL && !entry->has_secrets) {
        say("%.*s: it is not there yet: it needs secrets or secret_file", (int)entry->id.size,
            entry->id.data);
        return STATUS_USAGE;
    }
    if (edit.text.overflow) {
        return STATUS_REFUSED;
    }
    entry->differs = edit.set_count + edit.removed_count != 0;
    entry->is_new = present == NULL;
    if (entry->differs) {
        *(present == NULL ? &plan->made : &plan->changed) += 1;
        if (on_difference != NULL) {
            on_difference(context, entry, present, &edit);
        }
    } else {
        plan->same++;
    }
    return STATUS_DONE;
}

struct comparison {
    struct redis *redis;
    const struct apply_file *file;
    struct apply_plan *plan;
    apply_difference *on_difference;
    void *context;
};

static struct slice id_of(void *context, size_t number) {
    const struct comparison *c = context;
    return c->file->entries[number].id;
}

static enum status compare(void *context, size_t number, const struct client_record *record) {
    struct comparison *c = context;
    struct apply_entry *entry = &c->file->entries[number];
    if (record->is_no_hash) {
        return client_no_hash(c->redis, entry->id);
    }
    if (redis_was_stopped(c->redis)) {
        say("it was ended early");
        return STATUS_REFUSED;
    }
    return apply_judge(entry, record->is_known ? record : NULL, c->plan, c->on_difference,
                       c->context);
}

enum status apply_compare(struct redis *redis, const struct apply_file *file,
                          struct apply_plan *plan, apply_difference *on_difference, void *context) {
    struct comparison comparison = {redis, file, plan, on_difference, context};
    *plan = (struct apply_plan){0, 0, 0};
    return client_walk(
        redis, &(struct client_walk){
                   .count = file->count, .id = id_of, .visit = compare, .context = &comparison});
}
