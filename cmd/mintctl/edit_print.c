#include "edit_print.h"
#include "output.h"

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

/* "secret:2:expires" */
static bool is_end(struct slice name) {
    return is_secret(name) && name.size == sizeof "secret:2:expires" - 1 &&
           name.data[name.size - 1] == 's';
}

void client_edit_print(const struct client_record *record, const struct client_edit *edit) {
    for (unsigned i = 0; i < edit->set_count; i++) {
        struct slice name = edit->set[i].name;
        char text[40];
        if (is_secret_itself(name)) {
            printf("; secret %c new", name.data[name.size - 1]);
        } else if (is_end(name)) {
            printf("; secret %c until %s", name.data[sizeof "secret:" - 1],
                   time_text(client_number(edit->set[i].value), text));
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
        } else if (is_end(name)) {
            printf("; secret %c without an end again", name.data[sizeof "secret:" - 1]);
        }
    }
    printf("\n");
}
