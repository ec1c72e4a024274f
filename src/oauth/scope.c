/* scope.c: scopes (RFC 6749 3.3) and audiences (RFC 8707): well-formed, allowed, granted. */
#include "oauth/oauth_internal.h"

/* scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
static bool is_scope_character(char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

bool oauth_scope_is_valid(struct slice scope) {
    for (size_t i = 0; i < scope.size; i++) {
        bool separates =
            scope.data[i] == ' ' && i > 0 && i + 1 < scope.size && scope.data[i - 1] != ' ';
        if (!separates && !is_scope_character(scope.data[i])) {
            return false;
        }
    }
    return true;
}

/* Adds a word to a list, once. */
static void add_word(struct buffer *list, struct slice word) {
    if (slice_has_word(buffer_slice(list), word)) {
        return;
    }
    if (list->size != 0) {
        buffer_append_char(list, ' ');
    }
    buffer_append(list, word);
}

/* A record may hold anything; what is granted goes into header fields. */
static bool is_visible(struct slice word) {
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] <= ' ' || word.data[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* Adds each scope of `wanted` that is allowed; false at the first that is not. */
static bool add_scopes(struct slice wanted, struct slice allowed, struct buffer *granted) {
    struct slice word;
    while (slice_next_word(&wanted, &word)) {
        if (!slice_has_word(allowed, word) || !oauth_scope_is_valid(word)) {
            return false;
        }
        add_word(granted, word);
    }
    return true;
}

enum oauth_refusal oauth_scope_grant(const struct oauth_client *client, struct slice requested,
                                     struct buffer *granted) {
    struct slice wanted = requested;
    if (wanted.size == 0) {
        wanted = slice_is_absent(client->default_scope) ? client->scope : client->default_scope;
    }
    if (!oauth_scope_is_valid(requested)) {
        return OAUTH_REFUSED_SCOPE_MALFORMED;
    }
    if (!add_scopes(wanted, client->scope, granted) || granted->overflow) {
        return OAUTH_REFUSED_SCOPE_NOT_ALLOWED;
    }
    return OAUTH_REFUSED_NONE;
}

/* An absolute URI without a fragment: a scheme, a colon, and something behind it
 * (RFC 3986 4.3, RFC 8707 2). */
static bool is_absolute_uri(struct slice uri) {
    struct slice scheme;
    struct slice rest = uri;
    slice_split(&rest, ':', &scheme);
    if (rest.size == 0 || scheme.size == 0 || slice_equal(rest, S("//"))) {
        return false;
    }
    for (size_t i = 0; i < scheme.size; i++) {
        char c = scheme.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && !(later && i > 0)) {
            return false;
        }
    }
    for (size_t i = 0; i < uri.size; i++) {
        if (uri.data[i] <= ' ' || uri.data[i] >= 0x7f || uri.data[i] == '#') {
            return false;
        }
    }
    return true;
}

/* A client with exactly one audience gets it by default. */
static bool add_only_word(struct slice list, struct buffer *granted) {
    struct slice first = SLICE_ABSENT, second;
    if (!slice_next_word(&list, &first) || slice_next_word(&list, &second)) {
        return true;
    }
    buffer_append(granted, first);
    return is_visible(first);
}

/* RFC 8707 2: what one client names, as `resource` or as `audience`. */
static bool add_audience(const struct oauth_client *client, struct slice own_resource,
                         struct slice wanted, struct buffer *granted) {
    bool is_own = own_resource.size != 0 && slice_equal(wanted, own_resource);
    if ((!is_own && !slice_has_word(client->audience, wanted)) || !is_visible(wanted)) {
        return false;
    }
    add_word(granted, wanted);
    return true;
}

enum oauth_refusal oauth_audience_grant(const struct oauth_client *client,
                                        struct slice own_resource, struct slice resources,
                                        struct slice audience, struct buffer *granted) {
    struct slice rest = resources.size == 0 ? SLICE_ABSENT : resources;
    struct slice resource;
    while (slice_split(&rest, '\n', &resource)) {
        if (!is_absolute_uri(resource)) {
            return OAUTH_REFUSED_TARGET_MALFORMED;
        }
        if (!add_audience(client, own_resource, resource, granted)) {
            return OAUTH_REFUSED_TARGET_NOT_ALLOWED;
        }
    }
    if (audience.size != 0 && !add_audience(client, own_resource, audience, granted)) {
        return OAUTH_REFUSED_TARGET_NOT_ALLOWED;
    }
    if (granted->size == 0 && !add_only_word(client->audience, granted)) {
        return OAUTH_REFUSED_TARGET_NOT_ALLOWED;
    }
    return granted->overflow ? OAUTH_REFUSED_TARGET_NOT_ALLOWED : OAUTH_REFUSED_NONE;
}
