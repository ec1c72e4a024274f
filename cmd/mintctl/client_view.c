#include "client_view.h"
#include "mintd/clock.h"
#include "mintd/password.h"

/* False: there is no secret of that number. */
bool client_view_secret(const struct client_record *record, unsigned n, struct secret_view *view) {
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
    view->is_expired = view->expires != 0 && view->expires * 1000 <= clock_shared_ms();
    return true;
}

uint64_t client_last_used(const struct client_record *record) {
    struct secret_view view;
    uint64_t last = 0;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        if (client_view_secret(record, n, &view) && view.used > last) {
            last = view.used;
        }
    }
    return last;
}

bool client_is_disabled(const struct client_record *record) {
    struct slice disabled = client_field(record, "disabled");
    return disabled.size != 0 && !slice_equal(disabled, S("0"));
}

const char *client_state(const struct client_record *record) {
    return !record->is_readable         ? "unreadable"
           : client_is_disabled(record) ? "disabled"
                                        : "enabled";
}

enum colour client_colour(const struct client_record *record) {
    return record->is_readable && !client_is_disabled(record) ? COLOUR_GREEN : COLOUR_RED;
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
        cJSON *secret = client_view_secret(record, n, &view) ? cJSON_CreateObject() : NULL;
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

cJSON *client_json(struct slice id, const struct client_record *record) {
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
    cJSON_AddBoolToObject(object, "disabled", client_is_disabled(record));
    cJSON_AddBoolToObject(object, "readable", record->is_readable);
    json_add_number(object, "generation", client_number(client_field(record, "gen")));
    add_time(object, "created", client_number(client_field(record, "created")));
    add_secrets(object, record);
    return object;
}
