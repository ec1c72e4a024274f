#include "api/form.h"
#include "mintd/encoding.h"

#define NAME_MAX_SIZE 64u /* encoded names longer than that are none of ours */

static struct form_parameter *find_parameter(struct form_parameter *known, size_t count,
                                             struct slice encoded_name) {
    char storage[NAME_MAX_SIZE];
    struct buffer name = buffer_of(storage, sizeof storage);
    if (!form_decode(encoded_name, &name)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(known[i].name, buffer_slice(&name))) {
            return &known[i];
        }
    }
    return NULL;
}

static enum form_result take_value(struct form_parameter *parameter, struct slice value) {
    struct buffer *kept = &parameter->value;
    if (kept->size != 0 || kept->overflow) {
        if (!parameter->repeatable) {
            return FORM_REPEATED;
        }
        buffer_append_char(kept, '\n');
    }
    size_t start = kept->size;
    if (!form_decode(value, kept)) {
        if (!kept->overflow) {
            return FORM_MALFORMED;
        }
        return parameter->any_length ? FORM_OK : FORM_TOO_LONG;
    }
    /* The newline between two values is ours: one value must not pass for two. */
    bool has_newline = memchr(kept->data + start, '\n', kept->size - start) != NULL;
    return parameter->repeatable && has_newline ? FORM_MALFORMED : FORM_OK;
}

enum form_result form_read(struct slice body, struct form_parameter *known, size_t count) {
    struct slice rest = body;
    struct slice pair, name;
    while (slice_split(&rest, '&', &pair)) {
        struct slice value = pair;
        slice_split(&value, '=', &name);
        struct form_parameter *parameter = find_parameter(known, count, name);
        if (parameter == NULL || value.size == 0) {
            continue;
        }
        enum form_result result = take_value(parameter, value);
        if (result != FORM_OK) {
            return result;
        }
    }
    return FORM_OK;
}
