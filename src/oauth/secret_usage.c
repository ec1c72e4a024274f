#include "oauth/secret_usage.h"
#include "oauth/oauth_internal.h"

static bool is_noted(const struct secret_usage_note *note, struct slice client_id,
                     unsigned secret_number) {
    return note->state != NOTE_FREE && note->secret_number == secret_number &&
           slice_equal(slice_of(note->id, note->id_size), client_id);
}

void secret_usage_note(struct secret_usage *usage, struct slice client_id, unsigned secret_number,
                       uint64_t known, uint64_t now_s) {
    struct secret_usage_note *place = NULL;
    if (now_s < known + SECRET_USAGE_PRECISION_S) {
        return;
    }
    for (unsigned i = 0; i < SECRET_USAGE_NOTES; i++) {
        struct secret_usage_note *note = &usage->notes[i];
        if (is_noted(note, client_id, secret_number)) {
            return;
        }
        if (note->state == NOTE_FREE && place == NULL) {
            place = note;
        }
    }
    if (place == NULL) {
        return;
    }
    place->state = NOTE_WAITS;
    place->secret_number = secret_number;
    place->used = now_s;
    place->id_size = client_id.size;
    memcpy(place->id, client_id.data, client_id.size);
}

static void on_written(struct store_operation *operation) {
    container_of(operation, struct secret_usage_note, operation)->state = NOTE_FREE;
}

static void write_note(struct store *store, struct secret_usage_note *note) {
    char key[OAUTH_KEY_STORAGE], name_storage[32], value_storage[24];
    struct buffer name = buffer_of(name_storage, sizeof name_storage);
    struct buffer value = buffer_of(value_storage, sizeof value_storage);
    buffer_append_format(&name, "secret:%u:used", note->secret_number);
    buffer_append_number(&value, note->used);
    note->state = NOTE_BEING_WRITTEN;
    note->operation.on_done = on_written;
    note->operation.deadline_ns = 0;
    if (store_set_field(store, oauth_client_key(slice_of(note->id, note->id_size), key),
                        (struct store_field){buffer_slice(&name), buffer_slice(&value)},
                        &note->operation) == PROGRESS_DONE) {
        note->state = NOTE_FREE;
    }
}

void oauth_write_usage(struct oauth *oauth) {
    for (unsigned i = 0; i < SECRET_USAGE_NOTES; i++) {
        if (oauth->usage.notes[i].state == NOTE_WAITS) {
            write_note(oauth->options.store, &oauth->usage.notes[i]);
        }
    }
}
