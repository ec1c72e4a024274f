/* protected_resource.c: GET /secret: the proof that a token works (RFC 6750). */
#include "api/api_internal.h"

#define BODY_MAX 2048u

struct secret_call {
    struct api *api;
    struct oauth_verification verification;
};

_Static_assert(sizeof(struct secret_call) <= HTTP_SCRATCH_SIZE,
               "the call fits into the scratch area");

static struct http_exchange *exchange_of(struct secret_call *call) {
    return http_exchange_of_scratch(call);
}

static uint64_t seconds_left(const struct secret_call *call) {
    uint64_t now = call->api->options.wall_ms() / 1000;
    uint64_t expires = call->verification.expires_at;
    return expires > now ? expires - now : 0;
}

static void reply_welcome(struct secret_call *call) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE};
    const struct oauth_verification *v = &call->verification;
    char storage[BODY_MAX];
    struct buffer body = buffer_of(storage, sizeof storage);
    buffer_append(&body, S("{\"message\":\"Welcome to the secret area!\",\"client\":{\"id\":"));
    buffer_append_json(&body, v->client_id);
    buffer_append(&body, S("},\"scope\":"));
    buffer_append_json(&body, v->scope);
    buffer_append(&body, S(",\"expires_in\":"));
    buffer_append_number(&body, seconds_left(call));
    buffer_append_char(&body, '}');
    http_respond(exchange_of(call), &(struct http_response){200, headers, 2, buffer_slice(&body)});
}

/* RFC 6750 3.1: who sent no token is told how, and given no error code. */
static void reply_no_token(struct http_exchange *x) {
    static const struct http_header headers[] = {
        HEADER_JSON, HEADER_NO_STORE, HEADER("WWW-Authenticate", SLICE(CHALLENGE_BEARER))};
    http_respond(x, &(struct http_response){
                        401, headers, 3,
                        SLICE("{\"message\":\"send a token of POST /auth as Authorization: "
                              "Bearer mtd_...\"}")});
}

static void reply_refusal(struct http_exchange *x, enum oauth_refusal refusal) {
    enum oauth_error error = oauth_refusal_error(refusal);
    char storage[128];
    struct buffer challenge = buffer_of(storage, sizeof storage);
    buffer_append_format(&challenge, CHALLENGE_BEARER ", error=\"%s\"", oauth_error_name(error));
    const struct http_header header = HEADER("WWW-Authenticate", buffer_slice(&challenge));
    reply_error(x, oauth_error_status(error), slice_of_string(oauth_error_name(error)),
                slice_of_string(oauth_refusal_description(refusal)),
                error == OAUTH_TEMPORARILY_UNAVAILABLE ? NULL : &header);
}

static void refuse(struct secret_call *call, enum oauth_refusal refusal) {
    const struct oauth_verification *v = &call->verification;
    struct http_exchange *x = exchange_of(call);
    note_refusal(call->api, x,
                 &(struct refusal_facts){
                     .endpoint = ENDPOINT_SECRET,
                     .refusal = refusal,
                     .trouble = v->trouble,
                     .client_id = v->client_id,
                     .jti = v->has_jti ? slice_of(v->jti, OAUTH_JTI_SIZE) : SLICE_ABSENT,
                 });
    if (refusal == OAUTH_REFUSED_NO_TOKEN) {
        reply_no_token(x);
    } else {
        reply_refusal(x, refusal);
    }
}

static void finish(struct secret_call *call) {
    if (call->verification.refusal == OAUTH_REFUSED_NONE) {
        reply_welcome(call);
    } else {
        refuse(call, call->verification.refusal);
    }
}

static void on_verified(struct flow *flow) {
    finish(container_of(flow, struct secret_call, verification.flow));
}

/* RFC 6750 2.3: a token in the URI ends up in logs; it is refused, whatever the header says. */
static bool has_token_in_query(struct slice query) {
    struct slice pair;
    while (slice_split(&query, '&', &pair)) {
        if (slice_starts_with(pair, S("access_token="))) {
            return true;
        }
    }
    return false;
}

static enum oauth_refusal read_token(const struct http_request *request, struct slice *token) {
    if (has_token_in_query(request->query)) {
        return OAUTH_REFUSED_TOKEN_IN_URI;
    }
    if (http_field_lines(request, HTTP_FIELD_AUTHORIZATION) > 1) {
        return OAUTH_REFUSED_MALFORMED_BEARER;
    }
    return oauth_bearer_token_of(http_field_value(request, HTTP_FIELD_AUTHORIZATION), token);
}

void protected_resource(struct api *api, struct http_exchange *x) {
    struct secret_call *call = http_scratch_of(x, sizeof *call);
    struct oauth_verification *v = &call->verification;
    call->api = api;
    v->has_jti = false;
    v->client_id = SLICE_ABSENT;
    v->trouble = STORE_TROUBLE_NONE;

    enum oauth_refusal refusal = read_token(http_request_of(x), &v->token);
    if (refusal != OAUTH_REFUSED_NONE) {
        refuse(call, refusal);
        return;
    }
    v->flow.on_done = on_verified;
    if (oauth_verification_start(api->options.oauth, v) == PROGRESS_DONE) {
        finish(call);
    }
}
