#include "edit_print.h"
#include "output.h"

static void print_field(FILE *out, const char *what, struct slice before, struct slice after) {
    char text[1100];
    fprintf(out, "; %s", what);
    if (!slice_is_absent(before)) {
        fprintf(out, " \"%s\" ->", visible(before, text, sizeof text));
    }
    if (slice_is_absent(after)) {
        fprintf(out, " none");
    } else {
        fprintf(out, " \"%s\"", visible(after, text, sizeof text));
    }
}

static bool is_secret(struct slice name) {
    return slice_starts_with(name, S("secret:"));
}

/* "secret:2", not "secret:2:made". */
static bool is_secret_itself(struct slice name) {
    return is_secret(name) && name.size == sizeof "secret:2" - 1;
}

/* "secret:2:expires" */
static bool is_end(struct slice name) {
    return is_secret(name) && name.size == sizeof "secret:2:expires" - 1 &&
           name.data[name.size - 1] == 's';
}

/* ---- for people ---- */

void client_edit_print(FILE *out, const struct client_record *record,
                       const struct client_edit *edit) {
    for (unsigned i = 0; i < edit->set_count; i++) {
        struct slice name = edit->set[i].name;
        char text[40];
        if (is_secret_itself(name)) {
            fprintf(out, "; secret %c new", name.data[name.size - 1]);
        } else if (is_end(name)) {
            fprintf(out, "; secret %c until %s", name.data[sizeof "secret:" - 1],
                    time_text(client_number(edit->set[i].value), text));
        } else if (!is_secret(name)) {
            print_field(out, visible(name, text, sizeof text),
                        record == NULL ? SLICE_ABSENT : value_find_text(record->reply, name),
                        edit->set[i].value);
        }
    }
    for (unsigned i = 0; i < edit->removed_count; i++) {
        struct slice name = edit->removed[i];
        char text[40];
        if (is_secret_itself(name)) {
            fprintf(out, "; secret %c removed", name.data[name.size - 1]);
        } else if (!is_secret(name)) {
            print_field(out, visible(name, text, sizeof text), value_find_text(record->reply, name),
                        SLICE_ABSENT);
        } else if (is_end(name)) {
            fprintf(out, "; secret %c without an end again", name.data[sizeof "secret:" - 1]);
        }
    }
    fprintf(out, "\n");
}

/* ---- for programs ---- */

static void add_secret_change(cJSON *change, struct slice name, const char *what) {
    json_add_number(change, "secret", (uint64_t)(name.data[sizeof "secret:" - 1] - '0'));
    cJSON_AddStringToObject(change, "change", what);
}

static void add_field_change(cJSON *change, struct slice name, struct slice before,
                             struct slice after) {
    json_add_text(change, "field", name);
    if (!slice_is_absent(before)) {
        json_add_text(change, "before", before);
    }
    if (!slice_is_absent(after)) {
        json_add_text(change, "after", after);
    }
}

/* `after` absent: it is removed. What goes along with a secret is not told of. */
static void add_change(cJSON *changes, const struct client_record *record, struct slice name,
                       struct slice after) {
    cJSON *change = cJSON_CreateObject();
    bool is_removed = slice_is_absent(after);
    if (is_secret_itself(name)) {
        add_secret_change(change, name, is_removed ? "removed" : "new");
    } else if (is_end(name)) {
        add_secret_change(change, name, "end");
        if (is_removed) {
            cJSON_AddNullToObject(change, "expires");
        } else {
            json_add_number(change, "expires", client_number(after));
        }
    } else if (!is_secret(name)) {
        add_field_change(change, name,
                         record == NULL ? SLICE_ABSENT : value_find_text(record->reply, name),
                         after);
    }
    if (cJSON_GetArraySize(change) == 0) {
        cJSON_Delete(change);
    } else {
        cJSON_AddItemToArray(changes, change);
    }
}

cJSON *client_edit_json(const struct client_record *record, const struct client_edit *edit) {
    cJSON *changes = cJSON_CreateArray();
    for (unsigned i = 0; changes != NULL && i < edit->set_count; i++) {
        add_change(changes, record, edit->set[i].name, edit->set[i].value);
    }
    for (unsigned i = 0; changes != NULL && i < edit->removed_count; i++) {
        add_change(changes, record, edit->removed[i], SLICE_ABSENT);
    }
    return changes;
}
