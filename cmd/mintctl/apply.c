/* apply.c: mintctl client apply: makes the clients what a file says.
 *
 * Happy path: the whole file is checked; each entry is compared with Redis and what would change is
 * shown; then those clients, and no others, are changed or made. Failure modes: a wrong file
 * changes nothing, nor does one that would remove too many. */
#include "apply_remove.h"
#include "clients/apply_compare.h"
#include "clients/apply_write.h"
#include "edit_print.h"
#include "input.h"
#include "output.h"
#include "settings.h"

#define FILE_MAX (256u * 1024u * 1024u)

struct plan {
    struct apply_plan kept;
    size_t removed;
    cJSON *clients; /* what is told of each, at the end; NULL: it is printed at once, for people */
};

/* ---- the difference, shown ---- */

/* `changes` is given away; NULL: none is told. */
static void describe(struct plan *plan, struct slice id, const char *result, cJSON *changes) {
    cJSON *client = cJSON_CreateObject();
    json_add_text(client, "id", id);
    cJSON_AddStringToObject(client, "result", result);
    if (changes != NULL && !cJSON_AddItemToObject(client, "changes", changes)) {
        cJSON_Delete(changes);
    }
    cJSON_AddItemToArray(plan->clients, client);
}

static void tell_entry(void *context, const struct apply_entry *entry,
                       const struct client_record *record, const struct client_edit *edit) {
    struct plan *plan = context;
    if (plan->clients != NULL) {
        describe(plan, entry->id, record == NULL ? "made" : "changed",
                 client_edit_json(record, edit));
        return;
    }
    print_coloured(record == NULL ? COLOUR_GREEN : COLOUR_YELLOW, record == NULL ? "+" : "~", 0);
    printf(" %.*s%s", (int)entry->id.size, entry->id.data, record == NULL ? ": new" : ": changed");
    client_edit_print(stdout, record, edit);
}

static bool is_to_go(const struct apply_file *file, const char *name) {
    return apply_file_find(file, slice_of_string(name)) == NULL;
}

static void count_removals(const struct apply_file *file, const struct client_ids *ids,
                           struct plan *plan) {
    for (size_t i = 0; i < ids->count; i++) {
        plan->removed += is_to_go(file, ids->items[i]);
    }
}

static void tell_removals(const struct apply_file *file, const struct client_ids *ids,
                          struct plan *plan) {
    for (size_t i = 0; i < ids->count; i++) {
        if (!is_to_go(file, ids->items[i])) {
            continue;
        }
        if (plan->clients != NULL) {
            describe(plan, slice_of_string(ids->items[i]), "removed", NULL);
        } else {
            print_coloured(COLOUR_RED, "-", 0);
            printf(" %s: removed\n", ids->items[i]);
        }
    }
}

/* The clients are given away. False, said, where there is no memory. */
static bool print_json(struct plan *plan, bool dry) {
    cJSON *document = cJSON_CreateObject();
    cJSON_AddBoolToObject(document, "dry_run", dry);
    json_add_number(document, "made", plan->kept.made);
    json_add_number(document, "changed", plan->kept.changed);
    json_add_number(document, "removed", plan->removed);
    json_add_number(document, "same", plan->kept.same);
    if (cJSON_AddItemToObject(document, "clients", plan->clients)) {
        plan->clients = NULL;
    }
    return json_print(document);
}

static bool tell_sums(struct plan *plan, bool dry) {
    if (plan->clients != NULL) {
        return print_json(plan, dry);
    }
    printf("%zu made, %zu changed, %zu removed, %zu as they were%s\n", plan->kept.made,
           plan->kept.changed, plan->removed, plan->kept.same,
           dry ? " (dry run: nothing was changed)" : "");
    return true;
}

/* ---- too many removals ---- */

/* A file that was cut short, or made by a tool that found nothing, must not remove everybody. */
static enum status check_removals(const struct arguments *arguments, const struct apply_file *file,
                                  const struct client_ids *ids, const struct plan *plan) {
    const char *most = arguments_value(arguments, "--max-removals");
    unsigned long long limit = ids->count / 2;
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
            plan->removed, ids->count, most == NULL ? "more than half" : "over --max-removals",
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
                           const struct client_ids *ids) {
    enum status status = apply_write(redis, file);
    if (status == STATUS_DONE) {
        status = apply_remove_others(redis, file, ids);
    }
    redis_settle(redis, NULL, 0);
    return status;
}

static enum status apply(const struct arguments *arguments, struct redis *redis,
                         struct apply_file *file, const struct client_ids *ids, struct plan *plan) {
    bool dry = arguments_has(arguments, "--dry-run");
    enum status status = apply_compare(redis, file, &plan->kept, tell_entry, plan);
    if (status == STATUS_DONE) {
        count_removals(file, ids, plan);
        status = check_removals(arguments, file, ids, plan);
    }
    if (status == STATUS_DONE) { /* what is refused is not told as if it were done */
        tell_removals(file, ids, plan);
    }
    if (!dry && status == STATUS_DONE) {
        status = confirm(arguments, plan);
    }
    if (!dry && status == STATUS_DONE &&
        plan->kept.made + plan->kept.changed + plan->removed != 0) {
        status = execute(redis, file, ids);
    }
    return status == STATUS_DONE && !tell_sums(plan, dry) ? STATUS_REFUSED : status;
}

static enum status apply_as_wanted(const struct arguments *arguments, struct redis *redis,
                                   struct apply_file *file, const struct client_ids *ids) {
    bool as_json = arguments_has(arguments, "--json");
    struct plan plan = {.clients = as_json ? cJSON_CreateArray() : NULL};
    if (as_json && plan.clients == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    enum status status = apply(arguments, redis, file, ids, &plan);
    cJSON_Delete(plan.clients);
    return status;
}

enum status client_apply(const struct arguments *arguments) {
    struct client_ids ids = {0, NULL};
    struct redis *redis = NULL;
    struct apply_file file;
    if (!removals_are_valid(arguments)) {
        return STATUS_USAGE;
    }
    enum status status = apply_file_read(arguments->operands[0], FILE_MAX, &file);
    if (status == STATUS_DONE) {
        bool dry = arguments_has(arguments, "--dry-run");
        status = open_redis(arguments, dry ? REDIS_REPLICA_TOO : REDIS_OUR_LAYOUT, &redis);
    }
    if (status == STATUS_DONE) {
        status = arguments_has(arguments, "--prune") ? client_ids_read(redis, &ids, NULL)
                                                     : client_ids_check(redis);
    }
    if (status == STATUS_DONE) {
        status = apply_as_wanted(arguments, redis, &file, &ids);
    }
    client_ids_fini(&ids);
    apply_file_fini(&file);
    redis_close(redis);
    return status;
}
