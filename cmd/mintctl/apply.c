/* apply.c: mintctl client apply: makes the clients what a file says.
 *
 * Happy path: the whole file is checked; each entry is compared with Redis and what would change is
 * shown; then those clients, and no others, are changed or made. Failure modes: a wrong file
 * changes nothing, nor does one that would remove too many. */
#include "apply_edit.h"
#include "apply_write.h"
#include "client_walk.h"
#include "edit_print.h"
#include "input.h"
#include "output.h"

struct plan {
    size_t made, changed, same, removed;
};

/* ---- the difference, shown ---- */

static void print_entry(const struct apply_entry *entry, const struct client_record *record,
                        const struct client_edit *edit) {
    print_coloured(record == NULL ? COLOUR_GREEN : COLOUR_YELLOW, record == NULL ? "+" : "~", 0);
    printf(" %.*s%s", (int)entry->id.size, entry->id.data, record == NULL ? ": new" : ": changed");
    client_edit_print(record, edit);
}

struct comparison {
    struct redis *redis;
    const struct apply_file *file;
    struct plan *plan;
};

static struct slice id_of(void *context, size_t number) {
    const struct comparison *c = context;
    return c->file->entries[number].id;
}

static enum status judge(struct comparison *c, struct apply_entry *entry,
                         const struct client_record *present) {
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
        *(present == NULL ? &c->plan->made : &c->plan->changed) += 1;
        print_entry(entry, present, &edit);
    } else {
        c->plan->same++;
    }
    return STATUS_DONE;
}

static enum status compare(void *context, size_t number, const struct client_record *record) {
    struct comparison *c = context;
    struct apply_entry *entry = &c->file->entries[number];
    if (record->is_no_hash) {
        return client_no_hash(c->redis, entry->id);
    }
    return judge(c, entry, record->is_known ? record : NULL);
}

static enum status compare_all(struct redis *redis, const struct apply_file *file,
                               struct plan *plan) {
    struct comparison comparison = {redis, file, plan};
    return client_walk(
        redis, &(struct client_walk){
                   .count = file->count, .id = id_of, .visit = compare, .context = &comparison});
}

static bool is_to_go(const struct apply_file *file, const char *name) {
    return apply_file_find(file, slice_of_string(name)) == NULL;
}

static void count_removals(const struct apply_file *file, const struct client_names *names,
                           struct plan *plan) {
    for (size_t i = 0; i < names->count; i++) {
        plan->removed += is_to_go(file, names->items[i]);
    }
}

static void print_removals(const struct apply_file *file, const struct client_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        if (is_to_go(file, names->items[i])) {
            print_coloured(COLOUR_RED, "-", 0);
            printf(" %s: removed\n", names->items[i]);
        }
    }
}

/* ---- too many removals ---- */

/* A file that was cut short, or made by a tool that found nothing, must not remove everybody. */
static enum status check_removals(const struct arguments *arguments, const struct apply_file *file,
                                  const struct client_names *names, const struct plan *plan) {
    const char *most = arguments_value(arguments, "--max-removals");
    unsigned long long limit = names->count / 2;
    if (most != NULL) {
        slice_to_number(slice_of_string(most), UINT32_MAX, &limit);
    } else if (arguments_has(arguments, "--allow-empty") && file->count == 0) {
        return STATUS_DONE;
    }
    if (plan->removed != 0 && file->count == 0 && !arguments_has(arguments, "--allow-empty")) {
        say("the file has no clients: nothing was changed; --allow-empty removes them all");
        return STATUS_REFUSED;
    }
    if (plan->removed > limit) {
        say("%zu of %zu clients would be removed, %s: nothing was changed; --max-removals %zu "
            "allows it",
            plan->removed, names->count, most == NULL ? "more than half" : "over --max-removals",
            plan->removed);
        return STATUS_REFUSED;
    }
    return STATUS_DONE;
}

static bool removals_are_valid(const struct arguments *arguments) {
    const char *most = arguments_value(arguments, "--max-removals");
    unsigned long long limit;
    if (most != NULL && !slice_to_number(slice_of_string(most), UINT32_MAX, &limit)) {
        say("--max-removals: it is a number");
        return false;
    }
    if (!arguments_has(arguments, "--prune") &&
        (most != NULL || arguments_has(arguments, "--allow-empty"))) {
        say("--max-removals and --allow-empty: nothing is removed without --prune");
        return false;
    }
    return true;
}

/* ---- all of it ---- */

static enum status confirm(const struct arguments *arguments, const struct plan *plan) {
    char question[80];
    snprintf(question, sizeof question, "Remove %zu client%s?", plan->removed,
             plan->removed == 1 ? "" : "s");
    fflush(stdout);
    if (plan->removed == 0) {
        return STATUS_DONE;
    }
    switch (input_confirm(arguments_has(arguments, "--yes"), question)) {
    case INPUT_YES:
        return STATUS_DONE;
    case INPUT_NO:
        say("nothing was changed");
        return STATUS_REFUSED;
    case INPUT_NOBODY:
        break;
    }
    return STATUS_USAGE;
}

static enum status execute(struct redis *redis, const struct apply_file *file,
                           const struct client_names *names) {
    enum status status = apply_write(redis, file);
    if (status == STATUS_DONE) {
        status = apply_remove_others(redis, file, names);
    }
    redis_settle(redis, NULL, 0);
    return status;
}

static enum status apply(const struct arguments *arguments, struct redis *redis,
                         struct apply_file *file, const struct client_names *names) {
    bool dry = arguments_has(arguments, "--dry-run");
    struct plan plan = {0, 0, 0, 0};
    enum status status = compare_all(redis, file, &plan);
    if (status == STATUS_DONE) {
        count_removals(file, names, &plan);
        status = check_removals(arguments, file, names, &plan);
    }
    if (status == STATUS_DONE) { /* what is refused is not told as if it were done */
        print_removals(file, names);
    }
    if (!dry && status == STATUS_DONE) {
        status = confirm(arguments, &plan);
    }
    if (!dry && status == STATUS_DONE && plan.made + plan.changed + plan.removed != 0) {
        status = execute(redis, file, names);
    }
    if (status == STATUS_DONE) {
        printf("%zu made, %zu changed, %zu removed, %zu as they were%s\n", plan.made, plan.changed,
               plan.removed, plan.same, dry ? " (dry run: nothing was changed)" : "");
    }
    return status;
}

enum status client_apply(const struct arguments *arguments) {
    struct client_names names = {0, NULL};
    struct redis *redis = NULL;
    struct apply_file file;
    if (!removals_are_valid(arguments)) {
        return STATUS_USAGE;
    }
    enum status status = apply_file_read(arguments->operands[0], &file);
    if (status == STATUS_DONE) {
        bool dry = arguments_has(arguments, "--dry-run");
        status = redis_open(arguments, dry ? REDIS_REPLICA_TOO : REDIS_OUR_LAYOUT, &redis);
    }
    if (status == STATUS_DONE) {
        status = arguments_has(arguments, "--prune") ? client_names_read(redis, &names, NULL)
                                                     : client_names_check(redis);
    }
    if (status == STATUS_DONE) {
        status = apply(arguments, redis, &file, &names);
    }
    client_names_fini(&names);
    apply_file_fini(&file);
    redis_close(redis);
    return status;
}
