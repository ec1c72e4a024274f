/* client_list.c: mintctl client list, client show: what Redis holds of clients, without the hashes
 * of their secrets. */
#include "client_names.h"
#include "client_settings.h"
#include "mintd/clock.h"
#include "mintd/password.h"
#include "output.h"

struct secret_view {
    uint64_t made, expires, used; /* 0: not known, never, not known */
    const char *kind;
    bool is_expired;
};

/* False: there is no secret of that number. */
static bool view_secret(const struct client_record *record, unsigned n, struct secret_view *view) {
    struct slice stored = client_secret_field(record, n, "");
    if (slice_is_absent(stored)) {
        return false;
    }
    enum password_kind kind = password_kind_of(stored);
    view->kind = kind == PASSWORD_FAST   ? "generated"
                 : kind == PASSWORD_SLOW ? "chosen"
                                         : "not readable";
    view->made = client_number(client_secret_field(record, n, ":made"));
    view->expires = client_number(client_secret_field(record, n, ":expires"));
    view->used = client_number(client_secret_field(record, n, ":used"));
    view->is_expired = view->expires != 0 && view->expires * 1000 <= clock_wall_ms();
    return true;
}

static bool is_disabled(const struct client_record *record) {
    struct slice disabled = client_field(record, "disabled");
    return disabled.size != 0 && !slice_equal(disabled, S("0"));
}

static const char *state_of(const struct client_record *record) {
    return !record->is_readable ? "unreadable" : is_disabled(record) ? "disabled" : "enabled";
}

static enum colour colour_of(const struct client_record *record) {
    return record->is_readable && !is_disabled(record) ? COLOUR_GREEN : COLOUR_RED;
}

/* ---- JSON ---- */

static void add_time(cJSON *object, const char *name, uint64_t time) {
    if (time != 0) {
        json_add_number(object, name, time);
    }
}

static void add_secrets(cJSON *object, const struct client_record *record) {
    cJSON *secrets = cJSON_AddArrayToObject(object, "secrets");
    struct secret_view view;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        cJSON *secret = view_secret(record, n, &view) ? cJSON_CreateObject() : NULL;
        if (secret == NULL) {
            continue;
        }
        json_add_number(secret, "number", n);
        json_add_text(secret, "kind", slice_of_string(view.kind));
        add_time(secret, "made", view.made);
        add_time(secret, "expires", view.expires);
        add_time(secret, "used", view.used);
        cJSON_AddBoolToObject(secret, "expired", view.is_expired);
        cJSON_AddItemToArray(secrets, secret);
    }
}

static void add_text(cJSON *object, const char *name, struct slice text) {
    if (!slice_is_absent(text)) {
        json_add_text(object, name, text);
    }
}

static cJSON *client_json(struct slice id, const struct client_record *record) {
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "id", id);
    add_text(object, "name", client_field(record, "name"));
    json_add_text(object, "scope", client_field(record, "scope"));
    add_text(object, "default_scope", client_field(record, "default_scope"));
    json_add_words(object, "audience", client_field(record, "aud"));
    add_time(object, "ttl", client_number(client_field(record, "ttl")));
    add_time(object, "max_ttl", client_number(client_field(record, "max_ttl")));
    json_add_words(object, "permissions", client_field(record, "permissions"));
    add_text(object, "grants", client_field(record, "grants"));
    cJSON_AddBoolToObject(object, "disabled", is_disabled(record));
    cJSON_AddBoolToObject(object, "readable", record->is_readable);
    json_add_number(object, "generation", client_number(client_field(record, "gen")));
    add_time(object, "created", client_number(client_field(record, "created")));
    add_secrets(object, record);
    return object;
}

/* ---- text ---- */

static void print_row(const char *word, struct slice value) {
    char text[2048];
    if (!slice_is_absent(value)) {
        printf("%-15s %s\n", word, visible(value, text, sizeof text));
    }
}

static void print_time_row(const char *word, struct slice value) {
    char text[TIME_TEXT];
    if (client_number(value) != 0) {
        printf("%-15s %s\n", word, time_text(client_number(value), text));
    }
}

static void print_secret_time(const char *word, uint64_t time) {
    char text[TIME_TEXT];
    if (time != 0) {
        printf(", %s %s", word, time_text(time, text));
    }
}

static void print_secrets(const struct client_record *record) {
    struct secret_view view;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        if (!view_secret(record, n, &view)) {
            continue;
        }
        printf("secret %-8u %s", n, view.kind);
        print_secret_time("made", view.made);
        print_secret_time("used", view.used);
        print_secret_time("expires", view.expires);
        if (view.is_expired) {
            print_coloured(COLOUR_YELLOW, " (expired)", 0);
        }
        printf("\n");
    }
}

static void print_client(struct slice id, const struct client_record *record) {
    print_row("id", id);
    printf("%-15s ", "state");
    print_coloured(colour_of(record), state_of(record), 0);
    printf("\n");
    for (unsigned i = 0; i < CLIENT_SETTING_COUNT; i++) {
        print_row(client_setting_word(i), client_field(record, client_setting_field(i)));
    }
    print_row("grants", client_field(record, "grants"));
    print_row("generation", client_field(record, "gen"));
    print_time_row("created", client_field(record, "created"));
    print_secrets(record);
}

static enum status show(const struct arguments *arguments, struct slice id,
                        const struct client_record *record) {
    if (!record->is_known) {
        return client_unknown(id);
    }
    if (arguments_has(arguments, "--json")) {
        return json_print(client_json(id, record)) ? STATUS_DONE : STATUS_REFUSED;
    }
    print_client(id, record);
    return STATUS_DONE;
}

enum status client_show(const struct arguments *arguments) {
    struct client_record record;
    struct redis *redis = NULL;
    struct slice id;
    if (!client_id_read(arguments->operands[0], &id)) {
        return STATUS_USAGE;
    }
    enum status status = redis_open(arguments, REDIS_OUR_LAYOUT, &redis);
    if (status == STATUS_DONE) {
        status = client_record_read(redis, id, &record);
    }
    if (status == STATUS_DONE) {
        status = show(arguments, id, &record);
        client_record_fini(&record);
    }
    redis_close(redis);
    return status;
}

/* ---- list ---- */

static int widest(const struct client_names *names) {
    size_t width = 2;
    for (size_t i = 0; i < names->count; i++) {
        width = strlen(names->items[i]) > width ? strlen(names->items[i]) : width;
    }
    return (int)width;
}

/* The latest use of any secret; 0: none is known. */
static uint64_t last_used(const struct client_record *record) {
    struct secret_view view;
    uint64_t last = 0;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        if (view_secret(record, n, &view) && view.used > last) {
            last = view.used;
        }
    }
    return last;
}

static void print_line(const char *id, int width, const struct client_record *record) {
    char used[TIME_TEXT] = "-", scope[2048];
    struct secret_view view;
    unsigned accepted = 0;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        accepted += view_secret(record, n, &view) && !view.is_expired;
    }
    if (last_used(record) != 0) {
        time_text(last_used(record), used);
    }
    printf("%-*s  ", width, id);
    print_coloured(colour_of(record), state_of(record), 10);
    printf("  %7u  %-20s  %s\n", accepted, used,
           visible(client_field(record, "scope"), scope, sizeof scope));
}

/* Clients that went away in between are left out. */
static enum status list(struct redis *redis, const struct client_names *names, cJSON *array) {
    int width = widest(names);
    if (array == NULL) {
        printf("%-*s  %-10s  %7s  %-20s  %s\n", width, "ID", "STATE", "SECRETS", "LAST USED",
               "SCOPE");
    }
    for (size_t i = 0; i < names->count; i++) {
        struct client_record record;
        struct slice id = slice_of_string(names->items[i]);
        enum status status = client_record_read(redis, id, &record);
        if (status != STATUS_DONE) {
            return status;
        }
        if (record.is_known && array != NULL) {
            cJSON_AddItemToArray(array, client_json(id, &record));
        } else if (record.is_known) {
            print_line(names->items[i], width, &record);
        }
        client_record_fini(&record);
    }
    return STATUS_DONE;
}

static enum status list_as_json(struct redis *redis, const struct client_names *names) {
    cJSON *object = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(object, "clients");
    enum status status = STATUS_REFUSED;
    if (array == NULL) {
        say_no_memory();
    } else {
        status = list(redis, names, array);
    }
    if (status != STATUS_DONE) {
        cJSON_Delete(object);
        return status;
    }
    return json_print(object) ? STATUS_DONE : STATUS_REFUSED;
}

enum status client_list(const struct arguments *arguments) {
    struct client_names names = {0, NULL};
    struct redis *redis = NULL;
    enum status status = redis_open(arguments, REDIS_OUR_LAYOUT, &redis);
    if (status == STATUS_DONE) {
        status = client_names_read(redis, &names);
    }
    if (status == STATUS_DONE) {
        status = arguments_has(arguments, "--json") ? list_as_json(redis, &names)
                                                    : list(redis, &names, NULL);
    }
    client_names_fini(&names);
    redis_close(redis);
    return status;
}
