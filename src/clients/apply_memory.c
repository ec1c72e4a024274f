/* apply_memory.c: the same edits as of Redis, by the verbs of a store whose answers come at once.
 *
 * Failure modes: memory is short, or there are too many keys: the rest is not done. */
#include "clients/apply_memory.h"
#include "clients/apply_edit.h"
#include "mintd/crypto.h"
#include "mintd/say.h"

#define ATTEMPTS 10u /* somebody else was quicker each time */

struct memory_work {
    struct store *store;
    struct crypto *crypto;
    struct store_operation operation;
};

static enum status say_trouble(const struct memory_work *w) {
    say("memory: %s", store_trouble_name(w->operation.trouble));
    return STATUS_REFUSED;
}

/* client_record_fini() after DONE; is_known may be false. */
static enum status read_record(struct memory_work *w, const struct apply_entry *entry,
                               struct client_record *record) {
    char storage[OAUTH_KEY_STORAGE];
    store_read_hash(w->store, oauth_client_key(entry->id, storage), &w->operation);
    if (w->operation.answer == STORE_UNKNOWN) {
        return say_trouble(w);
    }
    if (!client_record_of_fields(w->operation.fields, w->operation.field_count, record)) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    return STATUS_DONE;
}

static enum status compare_one(struct memory_work *w, struct apply_entry *entry,
                               struct apply_plan *plan) {
    struct client_record record;
    enum status status = read_record(w, entry, &record);
    if (status == STATUS_DONE) {
        status = apply_judge(entry, record.is_known ? &record : NULL, plan, NULL, NULL);
        client_record_fini(&record);
    }
    return status;
}

/* ---- writing ---- */

static bool is_edited(const struct client_edit *edit, struct slice name) {
    for (unsigned i = 0; i < edit->set_count; i++) {
        if (slice_equal(edit->set[i].name, name)) {
            return true;
        }
    }
    for (unsigned i = 0; i < edit->removed_count; i++) {
        if (slice_equal(edit->removed[i], name)) {
            return true;
        }
    }
    return false;
}

/* What the edit makes of the record; false: too many fields. */
static bool make_fields(const struct client_record *record, const struct client_edit *edit,
                        struct store_field fields[STORE_FIELDS_MAX], size_t *count) {
    const struct value *list = record->reply;
    *count = 0;
    for (size_t i = 0; i + 1 < list->count; i += 2) {
        if (!is_edited(edit, list->items[i].text)) {
            fields[*count] = (struct store_field){list->items[i].text, list->items[i + 1].text};
            *count += 1;
        }
    }
    if (edit->set_count > STORE_FIELDS_MAX - *count) {
        return false;
    }
    memcpy(fields + *count, edit->set, edit->set_count * sizeof *fields);
    *count += edit->set_count;
    return true;
}

/* Listed first, as in Redis. The new one takes the place of what is left of a client that was
 * removed, a hash without a secret. */
static void make_client(struct memory_work *w, struct slice id, struct slice key, bool has_remains,
                        const struct client_edit *edit) {
    store_add_member(w->store, S(OAUTH_KEY_CLIENTS), id, &w->operation);
    if (w->operation.answer == STORE_UNKNOWN) {
        return;
    }
    if (has_remains) {
        local_store_replace_hash(w->store, key, edit->set, edit->set_count, &w->operation);
    } else {
        store_create_hash(w->store, key, edit->set, edit->set_count, &w->operation);
    }
}

static enum status write_record(struct memory_work *w, struct apply_entry *entry,
                                const struct client_record *record, bool *done) {
    char storage[OAUTH_KEY_STORAGE];
    struct slice key = oauth_client_key(entry->id, storage);
    struct store_field fields[STORE_FIELDS_MAX];
    struct client_edit edit;
    size_t count;
    client_edit_init(&edit);
    if (record->is_known) {
        apply_edit(entry, record, &edit);
    } else if (!apply_edit_new(w->crypto, entry, &edit)) {
        return STATUS_REFUSED;
    }
    if (edit.text.overflow || !make_fields(record, &edit, fields, &count)) {
        say("%.*s: too much for one client", (int)entry->id.size, entry->id.data);
        return STATUS_REFUSED;
    }
    if (!record->is_known) {
        make_client(w, entry->id, key, record->reply->count != 0, &edit);
    } else {
        local_store_replace_hash(w->store, key, fields, count, &w->operation);
    }
    *done = w->operation.answer == STORE_FOUND && w->operation.number == 1;
    return w->operation.answer == STORE_UNKNOWN ? say_trouble(w) : STATUS_DONE;
}

static enum status write_one(struct memory_work *w, struct apply_entry *entry) {
    struct client_record record;
    enum status status = STATUS_DONE;
    bool done = false;
    for (unsigned i = 0; i < ATTEMPTS && !done && status == STATUS_DONE; i++) {
        status = read_record(w, entry, &record);
        if (status == STATUS_DONE) {
            status = write_record(w, entry, &record, &done);
            client_record_fini(&record);
        }
    }
    if (status == STATUS_DONE && !done) {
        say("somebody else changes the clients all the time: try again");
        status = STATUS_REFUSED;
    }
    return status;
}

static void on_closed(void *context) {
    (void)context;
}

enum status apply_to_memory(struct memory_data *memory, struct apply_file *file,
                            struct apply_plan *plan) {
    struct store_metrics metrics = {0};
    struct memory_work w = {.store = local_store_new(memory, &metrics), .crypto = crypto_new()};
    enum status status = STATUS_DONE;
    *plan = (struct apply_plan){0, 0, 0};
    if (w.store == NULL || w.crypto == NULL) {
        say_no_memory();
        status = STATUS_REFUSED;
    }
    for (size_t i = 0; i < file->count && status == STATUS_DONE; i++) {
        status = compare_one(&w, &file->entries[i], plan);
    }
    for (size_t i = 0; i < file->count && status == STATUS_DONE; i++) {
        status = file->entries[i].differs ? write_one(&w, &file->entries[i]) : STATUS_DONE;
    }
    if (w.store != NULL) {
        store_close(w.store, on_closed, NULL);
        store_flush(w.store);
        store_free(w.store);
    }
    crypto_free(w.crypto);
    return status;
}
