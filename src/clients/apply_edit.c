#include "clients/apply_edit.h"
#include "clients/secret.h"
#include "mintd/clock.h"
#include "mintd/say.h"

/* Whether a stored secret is that of the file. Where that cannot be told, there will be no change:
 * the secret would be put in the place of itself. */
static bool is_secret_of_file(const struct apply_entry *entry, struct slice stored,
                              struct client_edit *edit) {
    enum password_verdict verdict =
        password_verify(stored, slice_of(entry->secret, entry->secret_size));
    if (verdict == PASSWORD_NOT_CHECKED) {
        say("the secret of the client cannot be checked: not enough memory");
        edit->text.overflow = true;
    }
    return verdict == PASSWORD_RIGHT;
}

/* Which of the wanted secrets a stored one is; -1: none. Of a file's secret there is one, 0. */
static int find_wanted(const struct apply_entry *entry, struct slice stored,
                       struct client_edit *edit) {
    if (entry->secret != NULL) {
        return is_secret_of_file(entry, stored, edit) ? 0 : -1;
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

/* When a wanted secret is over: one of a file never is. */
static void set_end(const struct apply_entry *entry, const struct client_record *record,
                    struct client_edit *edit, unsigned n, unsigned wanted) {
    uint64_t end = entry->secret != NULL ? 0 : entry->ends[wanted];
    struct slice present =
        record == NULL ? SLICE_ABSENT : client_secret_field(record, n, ":expires");
    if (end == 0) {
        remove_part(record, edit, n, ":expires");
    } else if (client_number(present) != end) {
        client_edit_set_number(edit, client_edit_secret_name(edit, n, ":expires"), end);
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
    client_edit_set_number(edit, client_edit_secret_name(edit, n, ":made"),
                           clock_shared_ms() / 1000);
    set_end(entry, record, edit, n, wanted);
    remove_part(record, edit, n, ":used");
}

static void clear_slot(const struct client_record *record, struct client_edit *edit, unsigned n) {
    static const char *const parts[] = {"", ":made", ":expires", ":used"};
    if (!is_there(record, n, "")) {
        return; /* a late note of its last use may be there: it means nothing */
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        remove_part(record, edit, n, parts[i]);
    }
}

/* A secret that is wanted and there keeps its slot; those that are missing get the others. */
static void edit_secrets(struct apply_entry *entry, const struct client_record *record,
                         struct client_edit *edit) {
    bool placed[OAUTH_SECRETS_MAX] = {false};
    int stays[OAUTH_SECRETS_MAX + 1];
    unsigned count = entry->secret != NULL ? 1 : entry->stored_count, next = 0;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        stays[n] = is_there(record, n, "")
                       ? find_wanted(entry, client_secret_field(record, n, ""), edit)
                       : -1;
        if (stays[n] >= 0 && placed[stays[n]]) {
            stays[n] = -1;
        } else if (stays[n] >= 0) {
            placed[stays[n]] = true;
        }
    }
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        while (next < count && placed[next]) {
            next++;
        }
        if (stays[n] >= 0) {
            set_end(entry, record, edit, n, (unsigned)stays[n]);
        } else if (next < count) {
            put_secret(entry, record, edit, n, next++);
        } else {
            clear_slot(record, edit, n);
        }
    }
}

void apply_edit(struct apply_entry *entry, const struct client_record *record,
                struct client_edit *edit) {
    struct slice disabled = record == NULL ? SLICE_ABSENT : client_field(record, "disabled");
    struct slice grants = record == NULL ? SLICE_ABSENT : client_field(record, "grants");
    bool is_disabled = disabled.size != 0 && !slice_equal(disabled, S("0"));
    client_settings_edit(&entry->settings, record, edit);
    if (entry->disabled != APPLY_UNSAID && is_disabled != (entry->disabled == APPLY_ON)) {
        client_edit_set(edit, S("disabled"), is_disabled ? S("0") : S("1"));
    }
    if (!slice_is_absent(entry->grants) &&
        (slice_is_absent(grants) || !slice_equal(grants, entry->grants))) {
        client_edit_set(edit, S("grants"), entry->grants);
    }
    if (entry->has_secrets) {
        edit_secrets(entry, record, edit);
    }
}

bool apply_edit_new(struct crypto *crypto, struct apply_entry *entry, struct client_edit *edit) {
    uint64_t generation;
    if (!entry->has_secrets) { /* somebody has removed it since it was compared */
        say("%.*s: it is not there any more: it needs secrets or secret_file", (int)entry->id.size,
            entry->id.data);
        return false;
    }
    if (!secret_random_generation(crypto, &generation)) {
        say("the client cannot be made: the random generator fails");
        return false;
    }
    apply_edit(entry, NULL, edit);
    client_edit_set_number(edit, S("gen"), generation);
    client_edit_set_number(edit, S("created"), clock_shared_ms() / 1000);
    return true;
}
