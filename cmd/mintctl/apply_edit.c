#include "apply_edit.h"
#include "mintd/clock.h"
#include "secret.h"

/* Which of the wanted secrets a stored one is; -1: none. Of a file's secret there is one, 0. */
static int find_wanted(const struct apply_entry *entry, struct slice stored) {
    if (entry->secret != NULL) {
        return password_verify(stored, slice_of(entry->secret, entry->secret_size)) ? 0 : -1;
    }
    for (unsigned i = 0; i < entry->stored_count; i++) {
        if (slice_equal(stored, entry->stored[i])) {
            return (int)i;
        }
    }
    return -1;
}

/* The stored form of a wanted secret; a file's is hashed once, when it is needed. */
static struct slice stored_form(struct apply_entry *entry, unsigned wanted) {
    struct secret secret;
    if (entry->secret == NULL) {
        return entry->stored[wanted];
    }
    if (entry->new_stored[0] == '\0') {
        if (secret_set(&secret, slice_of(entry->secret, entry->secret_size)) == STATUS_DONE) {
            memcpy(entry->new_stored, secret.stored, sizeof entry->new_stored);
        }
        secret_fini(&secret);
    }
    return slice_of_string(entry->new_stored);
}

static bool is_there(const struct client_record *record, unsigned n, const char *part) {
    return record != NULL && !slice_is_absent(client_secret_field(record, n, part));
}

static void remove_part(const struct client_record *record, struct client_edit *edit, unsigned n,
                        const char *part) {
    if (is_there(record, n, part)) {
        client_edit_remove(edit, client_edit_secret_name(edit, n, part));
    }
}

static void put_secret(struct apply_entry *entry, const struct client_record *record,
                       struct client_edit *edit, unsigned n, unsigned wanted) {
    struct slice stored = stored_form(entry, wanted);
    if (stored.size == 0) {
        edit->text.overflow = true; /* there will be no change; why has been said */
        return;
    }
    client_edit_set(edit, client_edit_secret_name(edit, n, ""), stored);
    client_edit_set_number(edit, client_edit_secret_name(edit, n, ":made"), clock_wall_ms() / 1000);
    remove_part(record, edit, n, ":expires");
    remove_part(record, edit, n, ":used");
}

/* Slot n gets a wanted secret, stays, or is cleared. A secret that the file has does not end. */
static void edit_slot(struct apply_entry *entry, const struct client_record *record,
                      struct client_edit *edit, unsigned n, bool stays, int wanted) {
    static const char *const parts[] = {"", ":made", ":expires", ":used"};
    if (wanted >= 0) {
        put_secret(entry, record, edit, n, (unsigned)wanted);
        return;
    }
    if (!is_there(record, n, "")) {
        return; /* a late note of its last use may be there: it means nothing */
    }
    for (size_t i = stays ? 2 : 0; i < (stays ? 3 : sizeof parts / sizeof parts[0]); i++) {
        remove_part(record, edit, n, parts[i]);
    }
}

static void edit_secrets(struct apply_entry *entry, const struct client_record *record,
                         struct client_edit *edit) {
    bool stays[OAUTH_SECRETS_MAX + 1] = {false}, placed[OAUTH_SECRETS_MAX] = {false};
    unsigned count = entry->secret != NULL ? 1 : entry->stored_count;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        int wanted =
            is_there(record, n, "") ? find_wanted(entry, client_secret_field(record, n, "")) : -1;
        if (wanted >= 0 && !placed[wanted]) {
            stays[n] = placed[wanted] = true;
        }
    }
    unsigned next = 0;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        while (!stays[n] && next < count && placed[next]) {
            next++;
        }
        bool takes = !stays[n] && next < count;
        edit_slot(entry, record, edit, n, stays[n], takes ? (int)next : -1);
        next += takes;
    }
}

void apply_edit(struct apply_entry *entry, const struct client_record *record,
                struct client_edit *edit) {
    struct slice disabled = record == NULL ? SLICE_ABSENT : client_field(record, "disabled");
    bool is_disabled = disabled.size != 0 && !slice_equal(disabled, S("0"));
    client_settings_edit(&entry->settings, record, edit);
    if (entry->disabled != APPLY_UNSAID && is_disabled != (entry->disabled == APPLY_ON)) {
        client_edit_set(edit, S("disabled"), is_disabled ? S("0") : S("1"));
    }
    if (entry->has_secrets) {
        edit_secrets(entry, record, edit);
    }
}
