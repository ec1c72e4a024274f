#include "clients/client_settings.h"
#include "mintd/encoding.h"

static const struct {
    const char *field, *word;
} names[] = {
    [CLIENT_NAME] = {"name", "name"},
    [CLIENT_SCOPE] = {"scope", "scope"},
    [CLIENT_DEFAULT_SCOPE] = {"default_scope", "default scope"},
    [CLIENT_AUDIENCE] = {"aud", "audience"},
    [CLIENT_TTL] = {"ttl", "ttl"},
    [CLIENT_MAX_TTL] = {"max_ttl", "max ttl"},
    [CLIENT_PERMISSIONS] = {"permissions", "permissions"},
};

const char *client_setting_field(enum client_setting setting) {
    return names[setting].field;
}

const char *client_setting_word(enum client_setting setting) {
    return names[setting].word;
}

/* ---- checks ---- */

static bool complain(struct buffer *error, const char *what) {
    buffer_append_format(error, "%s", what);
    return false;
}

static bool name_is_valid(struct slice name) {
    for (size_t i = 0; i < name.size; i++) {
        if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f) {
            return false;
        }
    }
    return name.size <= CLIENT_NAME_MAX && utf8_is_valid(name);
}

static bool scope_is_valid(struct slice scope) {
    return scope.size <= OAUTH_SCOPE_MAX && oauth_scope_is_valid(scope);
}

static bool scope_has_all(struct slice scope, struct slice words) {
    struct slice word;
    while (slice_next_word(&words, &word)) {
        if (!slice_has_word(scope, word)) {
            return false;
        }
    }
    return true;
}

/* Absent is 0: the default. */
static bool ttl_is_valid(struct slice text, unsigned long long *seconds) {
    *seconds = 0;
    return slice_is_absent(text) ||
           (slice_to_number(text, OAUTH_TTL_MAX, seconds) && *seconds != 0);
}

static bool permissions_are_valid(struct slice words) {
    struct slice word;
    while (slice_next_word(&words, &word)) {
        if (!slice_equal(word, S("introspect"))) {
            return false;
        }
    }
    return true;
}

bool client_settings_check(const struct client_settings *settings, struct buffer *error) {
    const struct slice *values = settings->values;
    unsigned long long ttl, max_ttl;
    if (!name_is_valid(values[CLIENT_NAME])) {
        return complain(error, "name: it is up to 256 bytes of UTF-8 without control characters");
    }
    if (!scope_is_valid(values[CLIENT_SCOPE])) {
        return complain(error, "scope: it is names of visible ASCII without \" and \\, one space "
                               "between them, 1024 bytes at most");
    }
    if (!scope_is_valid(values[CLIENT_DEFAULT_SCOPE]) ||
        !scope_has_all(values[CLIENT_SCOPE], values[CLIENT_DEFAULT_SCOPE])) {
        return complain(error, "default scope: each name of it must be in the scope");
    }
    if (values[CLIENT_AUDIENCE].size > OAUTH_AUDIENCE_MAX ||
        !oauth_scope_is_valid(values[CLIENT_AUDIENCE])) {
        return complain(error, "audience: each is a URI of visible ASCII, 1024 bytes at most "
                               "together");
    }
    if (!ttl_is_valid(values[CLIENT_TTL], &ttl) ||
        !ttl_is_valid(values[CLIENT_MAX_TTL], &max_ttl)) {
        return complain(error, "ttl and max ttl: they are seconds, 1 to 31622400");
    }
    if (max_ttl != 0 && ttl > max_ttl) {
        return complain(error, "max ttl: it is less than the ttl");
    }
    return permissions_are_valid(values[CLIENT_PERMISSIONS]) ||
           complain(error, "permission: the one there is is introspect");
}

/* ---- edits ---- */

void client_settings_edit(const struct client_settings *settings,
                          const struct client_record *record, struct client_edit *edit) {
    for (unsigned i = 0; i < CLIENT_SETTING_COUNT; i++) {
        struct slice field = slice_of_string(names[i].field);
        struct slice wanted = settings->values[i];
        struct slice present = record == NULL ? SLICE_ABSENT : client_field(record, names[i].field);
        bool is_there = !slice_is_absent(present);
        if (slice_is_absent(wanted)) {
            if (is_there) {
                client_edit_remove(edit, field);
            }
        } else if (!is_there || !slice_equal(wanted, present)) {
            client_edit_set(edit, field, wanted);
        }
    }
}
