#include "new_secret.h"
#include "input.h"
#include "mintd/oauth.h"
#include "mintd/text_flaw.h"
#include "output.h"

static enum status read_line(struct secret *secret) {
    char text[PASSWORD_SECRET_MAX + 2];
    size_t size;
    enum status status = STATUS_REFUSED;
    memset(secret, 0, sizeof *secret);
    if (input_read_new_secret(text, sizeof text, &size)) {
        status = secret_set(secret, slice_of(text, size));
    }
    if (status == STATUS_DONE && text_flaw(slice_of(text, size)) == TEXT_FLAW_BLANK) {
        say("warning: the secret begins or ends with a blank, which is part of it");
    }
    crypto_wipe(text, sizeof text);
    return status;
}

enum status new_secret_get(struct secret *secret, const struct arguments *arguments) {
    return arguments_has(arguments, "--secret-stdin") ? read_line(secret) : secret_make(secret);
}

/* An id and a secret of ours have no character that JSON escapes. */
static void append_json(struct buffer *out, const struct secret *secret, struct slice id,
                        const struct new_secret_place *place) {
    char number[48];
    buffer_append(out, S("{\"id\":\""));
    buffer_append(out, id);
    snprintf(number, sizeof number, "\",\"number\":%u", place->number);
    buffer_append(out, slice_of_string(number));
    if (place->has_others) {
        snprintf(number, sizeof number, ",\"others_until\":%llu",
                 (unsigned long long)place->others_until);
        buffer_append(out, slice_of_string(number));
    }
    if (secret->is_made) {
        buffer_append(out, S(",\"secret\":\""));
        buffer_append(out, slice_of(secret->text, secret->size));
        buffer_append(out, S("\""));
    }
    buffer_append(out, S("}"));
}

enum status new_secret_print(const struct secret *secret, struct slice id, bool as_json,
                             const struct new_secret_place *place) {
    char storage[OAUTH_CLIENT_ID_MAX + PASSWORD_SECRET_MAX + 128];
    struct buffer out = buffer_of(storage, sizeof storage);
    if (as_json) {
        append_json(&out, secret, id, place);
    } else {
        buffer_append(&out, slice_of(secret->text, secret->size));
    }
    bool printed = (!as_json && !secret->is_made) || print_secret(buffer_slice(&out));
    crypto_wipe(storage, sizeof storage);
    if (!printed && secret->is_made) {
        say("the secret could not be printed: mintctl client rotate %.*s makes another",
            (int)id.size, id.data);
    }
    return printed ? STATUS_DONE : STATUS_REFUSED;
}
