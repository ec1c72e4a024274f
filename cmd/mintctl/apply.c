/* apply.c: mintctl client apply: makes the clients what a file says.
 *
 * Happy path: the whole file is checked; each entry is compared with Redis and what would change is
 * shown; then each client is changed at once, or made at once. Failure modes: a wrong file changes
 * nothing; where Redis goes away half-way, whole clients are done and the rest is not, and applying
 * again does the rest. */
#include "apply_edit.h"
#include "client_names.h"
#include "input.h"
#include "mintd/clock.h"
#include "output.h"
#include "secret.h"

struct plan {
    size_t made, changed, same, removed;
};

/* ---- the difference, shown ---- */

static void print_field(const char *what, struct slice before, struct slice after) {
    char text[1100];
    printf("; %s", what);
    if (!slice_is_absent(before)) {
        printf(" \"%s\" ->", visible(before, text, sizeof text));
    }
    if (slice_is_absent(after)) {
        printf(" none");
    } else {
        printf(" \"%s\"", visible(after, text, sizeof text));
    }
}

static bool is_secret(struct slice name) {
    return slice_starts_with(name, S("secret:"));
}

/* "secret:2", not "secret:2:made". */
static bool is_secret_itself(struct slice name) {
    return is_secret(name) && name.size == sizeof "secret:2" - 1;
}

static void print_edit(const struct client_record *record, const struct client_edit *edit) {
    for (unsigned i = 0; i < edit->set_count; i++) {
        struct slice name = edit->set[i].name;
        char text[40];
        if (is_secret_itself(name)) {
            printf("; secret %c new", name.data[name.size - 1]);
        } else if (!is_secret(name)) {
            print_field(visible(name, text, sizeof text),
                        record == NULL ? SLICE_ABSENT : value_find_text(record->reply, name),
                        edit->set[i].value);
        }
    }
    for (unsigned i = 0; i < edit->removed_count; i++) {
        struct slice name = edit->removed[i];
        char text[40];
        if (is_secret_itself(name)) {
            printf("; secret %c removed", name.data[name.size - 1]);
        } else if (!is_secret(name)) {
            print_field(visible(name, text, sizeof text), value_find_text(record->reply, name),
                        SLICE_ABSENT);
        } else if (name.data[name.size - 1] == 's') { /* ":expires" */
            printf("; secret %c without an end again", name.data[sizeof "secret:" - 1]);
        }
    }
    printf("\n");
}

static void print_entry(const struct apply_entry *entry, const struct client_record *record,
                        const struct client_edit *edit) {
    print_coloured(record == NULL ? COLOUR_GREEN : COLOUR_YELLOW, record == NULL ? "+" : "~", 0);
    printf(" %.*s%s", (int)entry->id.size, entry->id.data, record == NULL ? ": new" : ": changed");
    print_edit(record, edit);
}

static enum status compare(struct redis *redis, struct apply_entry *entry, struct plan *plan) {
    struct client_record record;
    struct client_edit edit;
    enum status status = client_record_read(redis, entry->id, &record);
    if (status != STATUS_DONE) {
        return status;
    }
    const struct client_record *present = record.is_known ? &record : NULL;
    client_edit_init(&edit);
    apply_edit(entry, present, &edit);
    if (present == NULL && !entry->has_secrets) {
        say("%.*s: it is not there yet: it needs secrets or secret_file", (int)entry->id.size,
            entry->id.data);
        status = STATUS_USAGE;
    } else if (edit.text.overflow) {
        status = STATUS_REFUSED;
    } else if (edit.set_count + edit.removed_count == 0) {
        plan->same++;
    } else {
        *(present == NULL ? &plan->made : &plan->changed) += 1;
        print_entry(entry, present, &edit);
    }
    client_record_fini(&record);
    return status;
}

static void print_removals(const struct apply_file *file, const struct client_names *names,
                           struct plan *plan) {
    for (size_t i = 0; i < names->count; i++) {
        if (apply_file_find(file, slice_of_string(names->items[i])) == NULL) {
            print_coloured(COLOUR_RED, "-", 0);
            printf(" %s: removed\n", names->items[i]);
            plan->removed++;
        }
    }
}

/* ---- the change ---- */

static enum status decide(void *context, const struct client_record *record,
                          struct client_edit *edit) {
    apply_edit(context, record, edit);
    return STATUS_DONE;
}

static enum status make(struct redis *redis, struct apply_entry *entry, bool *made) {
    struct client_edit edit;
    struct crypto *crypto = crypto_new();
    uint64_t generation;
    bool is_random = crypto != NULL && secret_random_generation(crypto, &generation);
    crypto_free(crypto);
    if (!is_random) {
        say("the client cannot be made: the random generator fails");
        return STATUS_REFUSED;
    }
    client_edit_init(&edit);
    apply_edit(entry, NULL, &edit);
    client_edit_set_number(&edit, S("gen"), generation);
    client_edit_set_number(&edit, S("created"), clock_wall_ms() / 1000);
    return edit.text.overflow ? STATUS_REFUSED : client_make(redis, entry->id, &edit, made);
}

static enum status apply_entry(struct redis *redis, struct apply_entry *entry) {
    struct client_record record;
    bool made = false;
    enum status status = client_record_read(redis, entry->id, &record);
    if (status != STATUS_DONE) {
        return status;
    }
    bool is_known = record.is_known;
    client_record_fini(&record);
    if (!is_known) {
        status = make(redis, entry, &made);
    }
    return status != STATUS_DONE || made
               ? status
               : client_change(redis, entry->id, &(struct client_change){decide, entry});
}

static enum status remove_others(struct redis *redis, const struct apply_file *file,
                                 const struct client_names *names) {
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < names->count && status == STATUS_DONE; i++) {
        struct slice id = slice_of_string(names->items[i]);
        bool removed;
        if (apply_file_find(file, id) == NULL) {
            status = client_delete(redis, id, &removed);
        }
    }
    return status;
}

static enum status execute(struct redis *redis, struct apply_file *file,
                           const struct client_names *names) {
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < file->count && status == STATUS_DONE; i++) {
        status = apply_entry(redis, &file->entries[i]);
    }
    if (status == STATUS_DONE) {
        status = remove_others(redis, file, names);
    }
    redis_settle(redis);
    return status;
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

static enum status apply(const struct arguments *arguments, struct redis *redis,
                         struct apply_file *file, const struct client_names *names) {
    bool dry = arguments_has(arguments, "--dry-run");
    struct plan plan = {0, 0, 0, 0};
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < file->count && status == STATUS_DONE; i++) {
        status = compare(redis, &file->entries[i], &plan);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    print_removals(file, names, &plan);
    if (!dry) {
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
    enum status status = apply_file_read(arguments->operands[0], &file);
    if (status == STATUS_DONE) {
        status = redis_open(arguments, REDIS_OUR_LAYOUT, &redis);
    }
    if (status == STATUS_DONE && arguments_has(arguments, "--prune")) {
        status = client_names_read(redis, &names);
    }
    if (status == STATUS_DONE) {
        status = apply(arguments, redis, &file, &names);
    }
    client_names_fini(&names);
    apply_file_fini(&file);
    redis_close(redis);
    return status;
}
