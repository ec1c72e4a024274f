/* forward_auth.c: /verify, for proxies that ask before they let a request through: nginx
 * auth_request, Traefik and Caddy forward auth, Envoy ext_authz, HAProxy.
 *
 * Decided by the head alone, for any method. The policy is the union of what the query of /verify
 * itself and the X-Auth-Require fields ask for, so that a caller who slips something in can only
 * tighten it; below /verify/ the query is the application's.
 *
 * Where the proxy names the metadata of its resource (RFC 9728), challenges lead to them, and name
 * the scope of the policy too, as clients of MCP expect. A caller who slips one in gets it back in
 * its own challenge, and nobody else does. */
#include "api/bearer_request.h"
#include "mintd/encoding.h"

/* Of what is required of a kind: bytes, and words, those that are said again among them. Each word
 * is looked for among those ahead of it, for whoever asks, with a token or without. */
#define REQUIRED_MAX 1024u
#define REQUIRED_WORDS_MAX 64u
#define METADATA_URL_MAX 512u
#define NAME_MAX_SIZE 32u /* decoded names longer than that are none of ours */

struct requirement {
    struct buffer words; /* each once, on `storage` */
    unsigned given;      /* how many there were */
    char storage[REQUIRED_MAX];
};

struct verify_call {
    struct api *api;
    struct oauth_verification verification;
    bool policy_malformed;
    struct requirement scope, audience;
    struct buffer metadata_url; /* empty: challenges name none */
    char metadata_url_storage[METADATA_URL_MAX];
};

_Static_assert(sizeof(struct verify_call) <= HTTP_SCRATCH_SIZE,
               "the call fits into the scratch area");

static struct http_exchange *exchange_of(struct verify_call *call) {
    return http_exchange_of_scratch(call);
}

/* ---- answers ---- */

/* Never empty: a proxy that copies a header must find one, or it would let the caller's own
 * through. */
static struct slice or_dash(struct slice value) {
    return value.size == 0 ? S("-") : value;
}

static void reply_admitted(struct verify_call *call) {
    const struct oauth_verification *v = &call->verification;
    char storage[24];
    struct buffer expires = buffer_of(storage, sizeof storage);
    buffer_append_number(&expires, v->expires_at);
    const struct http_header headers[] = {
        HEADER_NO_STORE,
        HEADER("X-Auth-Client-Id", v->client_id),
        HEADER("X-Auth-Scope", or_dash(v->scope)),
        HEADER("X-Auth-Audience", or_dash(v->audience)),
        HEADER("X-Auth-Expires-At", buffer_slice(&expires)),
    };
    http_set_client(exchange_of(call), v->client_id);
    http_respond(exchange_of(call), &(struct http_response){200, headers, 5, SLICE("")});
}

static void write_attribute(struct buffer *challenge, const char *before,
                            const struct buffer *value) {
    if (value->size != 0) {
        buffer_append(challenge, slice_of_string(before));
        buffer_append(challenge, buffer_slice(value));
        buffer_append_char(challenge, '"');
    }
}

/* 401, 403 or 503: nginx makes a 500 of anything else. */
static void reply_refused(struct verify_call *call, enum oauth_refusal refusal) {
    enum oauth_error error = oauth_refusal_error(refusal);
    char storage[REQUIRED_MAX + METADATA_URL_MAX + 128];
    struct buffer challenge = buffer_of(storage, sizeof storage);
    if (error == OAUTH_TEMPORARILY_UNAVAILABLE) {
        reply_error(exchange_of(call), 503, slice_of_string(oauth_error_name(error)),
                    slice_of_string(oauth_refusal_description(refusal)), NULL);
        return;
    }
    bool scope_missing = error == OAUTH_INSUFFICIENT_SCOPE;
    buffer_append(&challenge, S(CHALLENGE_BEARER));
    if (scope_missing) {
        buffer_append(&challenge, S(", error=\"insufficient_scope\""));
    } else if (refusal != OAUTH_REFUSED_NO_TOKEN) {
        buffer_append(&challenge, S(", error=\"invalid_token\""));
    }
    if ((scope_missing || call->metadata_url.size != 0) && !call->policy_malformed) {
        write_attribute(&challenge, ", scope=\"", &call->scope.words);
    }
    write_attribute(&challenge, ", resource_metadata=\"", &call->metadata_url);
    const struct http_header headers[] = {HEADER_NO_STORE,
                                          HEADER("WWW-Authenticate", buffer_slice(&challenge))};
    http_respond(exchange_of(call),
                 &(struct http_response){scope_missing ? 403 : 401, headers, 2, SLICE("")});
}

static void refuse(struct verify_call *call, enum oauth_refusal refusal) {
    bearer_request_note(call->api, exchange_of(call), ENDPOINT_VERIFY, &call->verification,
                        refusal);
    reply_refused(call, refusal);
}

static bool has_all_words(struct slice list, struct slice words) {
    struct slice word;
    while (slice_next_word(&words, &word)) {
        if (!slice_has_word(list, word)) {
            return false;
        }
    }
    return true;
}

static enum oauth_refusal judge(const struct verify_call *call) {
    const struct oauth_verification *v = &call->verification;
    if (v->refusal != OAUTH_REFUSED_NONE) {
        return v->refusal;
    }
    if (!has_all_words(v->audience, buffer_slice(&call->audience.words))) {
        return OAUTH_REFUSED_TOKEN_OF_OTHER_AUDIENCE;
    }
    bool has_scope = has_all_words(v->scope, buffer_slice(&call->scope.words));
    return has_scope && !call->policy_malformed ? OAUTH_REFUSED_NONE : OAUTH_REFUSED_SCOPE_MISSING;
}

static void finish(struct verify_call *call) {
    enum oauth_refusal refusal = judge(call);
    if (refusal == OAUTH_REFUSED_NONE) {
        reply_admitted(call);
    } else {
        refuse(call, refusal);
    }
}

static void on_verified(struct flow *flow) {
    finish(container_of(flow, struct verify_call, verification.flow));
}

/* ---- the policy ---- */

static void requirement_init(struct requirement *required) {
    required->words = buffer_of(required->storage, sizeof required->storage);
    required->given = 0;
}

static void require_word(struct requirement *required, struct slice word) {
    if (slice_has_word(buffer_slice(&required->words), word)) {
        return;
    }
    if (required->words.size != 0) {
        buffer_append_char(&required->words, ' ');
    }
    buffer_append(&required->words, word);
}

/* What cannot be read or kept can be held by no token: it refuses all, and no more is read. */
static void require_words(struct verify_call *call, struct requirement *required,
                          struct slice words) {
    struct slice word;
    while (!call->policy_malformed && slice_next_word(&words, &word)) {
        require_word(required, word);
        call->policy_malformed = ++required->given > REQUIRED_WORDS_MAX || required->words.overflow;
    }
}

static void require_scope(struct verify_call *call, struct slice scope) {
    call->policy_malformed |= !oauth_scope_is_valid(scope);
    require_words(call, &call->scope, scope);
}

static void require_audience(struct verify_call *call, struct slice audience) {
    require_words(call, &call->audience, audience);
}

static void require_decoded(struct verify_call *call, struct slice value,
                            void (*require)(struct verify_call *call, struct slice words)) {
    char storage[REQUIRED_MAX];
    struct buffer decoded = buffer_of(storage, sizeof storage);
    if (form_decode(value, &decoded)) {
        require(call, buffer_slice(&decoded));
    } else {
        call->policy_malformed = true;
    }
}

/* An http or https URL that can stand in a quoted string; else none. The first one counts. */
static void take_metadata_url(struct verify_call *call, struct slice url) {
    bool is_url = slice_starts_with(url, S("https://")) || slice_starts_with(url, S("http://"));
    if (!is_url || url.size >= METADATA_URL_MAX || call->metadata_url.size != 0) {
        return;
    }
    for (size_t i = 0; i < url.size; i++) {
        if (url.data[i] <= ' ' || url.data[i] >= 0x7f || strchr("\"\\<>", url.data[i]) != NULL) {
            return;
        }
    }
    buffer_append(&call->metadata_url, url);
}

static void take_encoded_metadata_url(struct verify_call *call, struct slice value) {
    char storage[METADATA_URL_MAX];
    struct buffer decoded = buffer_of(storage, sizeof storage);
    if (form_decode(value, &decoded)) {
        take_metadata_url(call, buffer_slice(&decoded));
    }
}

static void read_query(struct verify_call *call, struct slice query) {
    struct slice pair, encoded_name;
    while (slice_split(&query, '&', &pair)) {
        char storage[NAME_MAX_SIZE];
        struct buffer name = buffer_of(storage, sizeof storage);
        struct slice value = pair;
        slice_split(&value, '=', &encoded_name);
        if (!form_decode(encoded_name, &name)) {
            continue; /* none of ours */
        }
        if (slice_equal(buffer_slice(&name), S("scope"))) {
            require_decoded(call, value, require_scope);
        } else if (slice_equal(buffer_slice(&name), S("audience"))) {
            require_decoded(call, value, require_audience);
        } else if (slice_equal(buffer_slice(&name), S("resource_metadata"))) {
            take_encoded_metadata_url(call, value);
        }
    }
}

static void read_fields(struct verify_call *call, const struct http_request *request) {
    for (unsigned i = 0; i < request->field_count; i++) {
        const struct http_field *field = &request->fields[i];
        if (field->id == HTTP_FIELD_X_AUTH_REQUIRE_AUDIENCE) {
            require_audience(call, field->value);
        } else if (field->id == HTTP_FIELD_X_AUTH_REQUIRE_SCOPE) {
            require_scope(call, field->value);
        } else if (field->id == HTTP_FIELD_X_AUTH_RESOURCE_METADATA) {
            take_metadata_url(call, field->value);
        }
    }
}

/* ---- the request ---- */

void forward_auth(struct api *api, struct http_exchange *x) {
    struct verify_call *call = http_scratch_of(x, sizeof *call, NULL);
    const struct http_request *request = http_request_of(x);
    bool reads_query = slice_equal(request->path, S("/verify"));
    call->api = api;
    call->policy_malformed = false;
    requirement_init(&call->scope);
    requirement_init(&call->audience);
    call->metadata_url = buffer_of(call->metadata_url_storage, sizeof call->metadata_url_storage);
    read_fields(call, request);
    if (reads_query) {
        read_query(call, request->query);
    }

    enum oauth_refusal refusal = bearer_request_read(request, reads_query, &call->verification);
    if (refusal != OAUTH_REFUSED_NONE) {
        refuse(call, refusal);
        return;
    }
    call->verification.flow.on_done = on_verified;
    if (oauth_verification_start(api->options.oauth, &call->verification) == PROGRESS_DONE) {
        finish(call);
    }
}
