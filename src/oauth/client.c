/* client.c: a client's record: names, and the hash in the store (docs/redis.md) as a struct. */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"

/* Ids are logged: whoever sends a secret or a token in the place of one, or as a part of one, must
 * not find it there. */
static bool has_secret_of_ours(struct slice id) {
    for (size_t start = 0; start + OAUTH_TOKEN_SIZE <= id.size; start++) {
        struct slice part = slice_of(id.data + start, OAUTH_TOKEN_SIZE);
        if (token_text_is_valid(S("mts_"), part) || token_text_is_valid(S("mtd_"), part)) {
            return true;
        }
    }
    return false;
}

bool oauth_client_id_has_alphabet(struct slice id) {
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && (c == '\0' || strchr("._~@/-", c) == NULL)) {
            return false;
        }
    }
    return true;
}

bool oauth_client_id_is_valid(struct slice id) {
    return id.size != 0 && id.size <= OAUTH_CLIENT_ID_MAX && !has_secret_of_ours(id) &&
           oauth_client_id_has_alphabet(id);
}

/* Copies a value behind the client's other texts; absent where there is no room. */
static bool keep_text(struct oauth_client *client, struct slice value, struct slice *kept) {
    if (value.size > sizeof client->text - client->text_size) {
        return false;
    }
    char *place = client->text + client->text_size;
    if (value.size != 0) {
        memcpy(place, value.data, value.size);
    }
    client->text_size += value.size;
    *kept = slice_of(place, value.size);
    return true;
}

static bool read_seconds(struct slice value, unsigned *seconds) {
    unsigned long long number;
    if (!slice_to_number(value, OAUTH_TTL_MAX, &number)) {
        return false;
    }
    *seconds = (unsigned)number;
    return true;
}

static bool read_number(struct slice value, uint64_t max, uint64_t *number) {
    unsigned long long parsed;
    if (!slice_to_number(value, max, &parsed)) {
        return false;
    }
    *number = parsed;
    return true;
}

/* "secret:<n>", "secret:<n>:expires" and "secret:<n>:used"; what else begins so is not ours to
 * judge. */
static bool read_secret_field(struct oauth_client *client, struct slice name, struct slice value) {
    struct slice rest = slice_skip(name, strlen("secret:"));
    struct slice number_text;
    unsigned long long number;
    slice_split(&rest, ':', &number_text);
    if (!slice_to_number(number_text, OAUTH_SECRETS_MAX, &number) || number == 0) {
        return true;
    }
    struct oauth_secret *secret = &client->secrets[number - 1];
    if (slice_is_absent(rest)) {
        return keep_text(client, value, &secret->stored);
    }
    if (slice_equal(rest, S("used")) && !read_number(value, UINT64_MAX, &secret->used)) {
        secret->used = 0; /* bookkeeping: nothing fails for it */
    }
    return !slice_equal(rest, S("expires")) || read_number(value, UINT64_MAX, &secret->expires);
}

static bool means_yes(struct slice value) {
    return value.size != 0 && !slice_equal(value, S("0"));
}

static bool read_field(struct oauth_client *client, struct slice name, struct slice value) {
    if (slice_starts_with(name, S("secret:"))) {
        return read_secret_field(client, name, value);
    }
    if (slice_equal(name, S("scope"))) {
        return keep_text(client, value, &client->scope);
    }
    if (slice_equal(name, S("default_scope"))) {
        return keep_text(client, value, &client->default_scope);
    }
    if (slice_equal(name, S("aud"))) {
        return keep_text(client, value, &client->audience);
    }
    if (slice_equal(name, S("ttl"))) {
        return read_seconds(value, &client->ttl_s);
    }
    if (slice_equal(name, S("max_ttl"))) {
        return read_seconds(value, &client->max_ttl_s);
    }
    if (slice_equal(name, S("gen"))) {
        return read_number(value, OAUTH_NUMBER_MAX, &client->generation);
    }
    if (slice_equal(name, S("disabled"))) {
        client->disabled = means_yes(value);
    } else if (slice_equal(name, S("permissions"))) {
        client->may_introspect = slice_has_word(value, S("introspect"));
    } else if (slice_equal(name, S("grants"))) {
        client->may_mint = slice_has_word(value, S("client_credentials"));
    }
    return true;
}

bool oauth_client_has_secret(const struct oauth_client *client) {
    for (unsigned i = 0; i < OAUTH_SECRETS_MAX; i++) {
        if (!slice_is_absent(client->secrets[i].stored)) {
            return true;
        }
    }
    return false;
}

bool oauth_client_read(const struct store_operation *answer, struct oauth_client *client) {
    memset(client, 0, offsetof(struct oauth_client, text));
    client->may_mint = true;
    for (size_t i = 0; i < answer->field_count; i++) {
        if (!read_field(client, answer->fields[i].name, answer->fields[i].value)) {
            return false;
        }
    }
    return true;
}

/* "secret:1" to "secret:4". */
static bool is_secret(struct slice name) {
    return name.size == 8 && memcmp(name.data, "secret:", 7) == 0 && name.data[7] > '0' &&
           (unsigned)(name.data[7] - '0') <= OAUTH_SECRETS_MAX;
}

bool oauth_client_read_standing(const struct store_operation *answer,
                                struct oauth_client_standing *standing) {
    *standing = (struct oauth_client_standing){.generation = 0};
    for (size_t i = 0; i < answer->field_count; i++) {
        struct slice name = answer->fields[i].name, value = answer->fields[i].value;
        if (is_secret(name)) {
            standing->is_client = true;
        } else if (slice_equal(name, S("gen"))) {
            if (!read_number(value, OAUTH_NUMBER_MAX, &standing->generation)) {
                return false;
            }
        } else if (slice_equal(name, S("disabled"))) {
            standing->is_disabled = means_yes(value);
        }
    }
    return true;
}
