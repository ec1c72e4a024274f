#include "oauth/oauth_internal.h"
#include <stdlib.h>

const char *oauth_error_name(enum oauth_error error) {
    static const char *const names[] = {
#define X(id, name, status) [OAUTH_##id] = name,
        OAUTH_ERRORS(X)
#undef X
    };
    return names[error];
}

unsigned oauth_error_status(enum oauth_error error) {
    static const unsigned statuses[] = {
#define X(id, name, status) [OAUTH_##id] = status,
        OAUTH_ERRORS(X)
#undef X
    };
    return statuses[error];
}

static const struct {
    const char *word, *label, *description;
    enum oauth_error error;
} refusals[OAUTH_REFUSAL_COUNT] = {
#define X(id, word, label, error, description)                                                     \
    [OAUTH_REFUSED_##id] = {#word, label, description, OAUTH_##error},
    OAUTH_REFUSALS(X)
#undef X
};

const char *oauth_refusal_word(enum oauth_refusal refusal) {
    return refusals[refusal].word;
}

const char *oauth_refusal_label(enum oauth_refusal refusal) {
    return refusals[refusal].label;
}

const char *oauth_refusal_description(enum oauth_refusal refusal) {
    return refusals[refusal].description;
}

enum oauth_error oauth_refusal_error(enum oauth_refusal refusal) {
    return refusals[refusal].error;
}

struct oauth *oauth_new(const struct oauth_options *options) {
    struct oauth *oauth = calloc(1, sizeof *oauth);
    if (oauth != NULL) {
        oauth->options = *options;
    }
    return oauth;
}

void oauth_free(struct oauth *oauth) {
    if (oauth != NULL) {
        crypto_wipe(oauth, sizeof *oauth);
        free(oauth);
    }
}

void oauth_count_refusal(struct oauth *oauth, enum oauth_refusal refusal) {
    if (refusal != OAUTH_REFUSED_NONE) {
        counter_add(&oauth->options.metrics->refusals[refusal], 1);
    }
}

void oauth_count_introspection(struct oauth *oauth, bool is_active) {
    counter_add(&oauth->options.metrics->introspections[is_active], 1);
}

static struct slice make_key(const char *kind, struct slice name, char *storage) {
    struct buffer key = buffer_of(storage, OAUTH_KEY_STORAGE);
    buffer_append(&key, slice_of_string(kind));
    buffer_append(&key, name);
    return buffer_slice(&key);
}

struct slice oauth_client_key(struct slice id, char *storage) {
    return make_key("client:", id, storage);
}

struct slice oauth_token_key(const char jti[OAUTH_JTI_SIZE], char *storage) {
    return make_key("token:", slice_of(jti, OAUTH_JTI_SIZE), storage);
}

bool oauth_generation_read(const struct store_operation *answer, uint64_t *generation) {
    unsigned long long number = 0;
    if (answer->answer == STORE_FOUND &&
        !slice_to_number(answer->value, OAUTH_NUMBER_MAX, &number)) {
        return false;
    }
    *generation = number;
    return true;
}
