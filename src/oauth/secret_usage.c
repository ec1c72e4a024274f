#include "oauth/secret_usage.h"
#include "oauth/oauth_internal.h"

#define FIELD_STORAGE 32u

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

static struct slice note_key(const struct secret_usage_note *note, char *storage) {
    return oauth_client_key(slice_of(note->id, note->id_size), storage);
}

static struct slice secret_field(const struct secret_usage_note *note, const char *suffix,
                                 struct buffer *text) {
    buffer_append_format(text, "secret:%u%s", note->secret_number, suffix);
    return buffer_slice(text);
}

/* ---- taken back ---- */

static void end_taking_back(struct secret_usage_note *note) {
    note->state = note->operation.answer == STORE_UNKNOWN ? NOTE_TO_BE_TAKEN_BACK : NOTE_FREE;
}

static void on_taken_back(struct store_operation *operation) {
    end_taking_back(container_of(operation, struct secret_usage_note, operation));
}

static void take_back(struct secret_usage_note *note) {
    char key[OAUTH_KEY_STORAGE], storage[FIELD_STORAGE];
    struct buffer text = buffer_of(storage, sizeof storage);
    note->state = NOTE_BEING_TAKEN_BACK;
    note->operation.on_done = on_taken_back;
    note->operation.deadline_ns = 0;
    if (store_remove_field(note->store, note_key(note, key), secret_field(note, ":used", &text),
                           &note->operation) == PROGRESS_DONE) {
        end_taking_back(note);
    }
}

/* ---- written ---- */

static void end_writing(struct secret_usage_note *note) {
    switch (note->operation.answer) {
    case STORE_FOUND:
        note->state = NOTE_FREE;
        return;
    case STORE_ABSENT:
        take_back(note);
        return;
    case STORE_UNKNOWN:
        note->state = NOTE_WAITS;
        return;
    }
}

static void on_written(struct store_operation *operation) {
    end_writing(container_of(operation, struct secret_usage_note, operation));
}

static void write_note(struct secret_usage_note *note) {
    char key[OAUTH_KEY_STORAGE], secret[FIELD_STORAGE], used[FIELD_STORAGE], value[24];
    struct buffer secret_text = buffer_of(secret, sizeof secret);
    struct buffer used_text = buffer_of(used, sizeof used);
    struct buffer value_text = buffer_of(value, sizeof value);
    buffer_append_number(&value_text, note->used);
    struct store_field field = {secret_field(note, ":used", &used_text), buffer_slice(&value_text)};
    note->state = NOTE_BEING_WRITTEN;
    note->operation.on_done = on_written;
    note->operation.deadline_ns = 0;
    if (store_set_field(note->store, note_key(note, key), secret_field(note, "", &secret_text),
                        field, &note->operation) == PROGRESS_DONE) {
        end_writing(note);
    }
}

void oauth_write_usage(struct oauth *oauth) {
    for (unsigned i = 0; i < SECRET_USAGE_NOTES; i++) {
        struct secret_usage_note *note = &oauth->usage.notes[i];
        note->store = oauth->options.store;
        if (note->state == NOTE_WAITS) {
            write_note(note);
        } else if (note->state == NOTE_TO_BE_TAKEN_BACK) {
            take_back(note);
        }
    }
}
