/* protected_resource.c: GET /secret: the proof that a token works (RFC 6750). */
#include "api/bearer_request.h"

#define BODY_MAX 4096u
#define CHALLENGE_MAX (API_ISSUER_MAX + 256u)

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
    uint64_t now_ms = call->api->options.wall_ms();
    uint64_t expires_ms = call->verification.expires_at * 1000;
    return expires_ms > now_ms ? (expires_ms - now_ms) / 1000 : 0;
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
    http_set_client(exchange_of(call), v->client_id);
    http_respond(exchange_of(call), &(struct http_response){200, headers, 2, buffer_slice(&body)});
}

static void write_challenge(struct buffer *challenge, const struct api *api,
                            enum oauth_error error) {
    buffer_append(challenge, S(CHALLENGE_BEARER));
    if (error != OAUTH_NONE) {
        buffer_append_format(challenge, ", error=\"%s\"", oauth_error_name(error));
    }
    buffer_append(challenge, S(", resource_metadata=\""));
    buffer_append(challenge, metadata_resource_url(api));
    buffer_append_char(challenge, '"');
}

/* RFC 6750 3.1: who sent no token is told how, and given no error code. */
static void reply_no_token(struct secret_call *call) {
    char storage[CHALLENGE_MAX];
    struct buffer challenge = buffer_of(storage, sizeof storage);
    write_challenge(&challenge, call->api, OAUTH_NONE);
    const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE,
                                          HEADER("WWW-Authenticate", buffer_slice(&challenge))};
    http_respond(
        exchange_of(call),
        &(struct http_response){401, headers, 3,
                                SLICE("{\"message\":\"send a token of POST /auth as Authorization: "
                                      "Bearer mtd_...\"}")});
}

static void reply_refusal(struct secret_call *call, enum oauth_refusal refusal) {
    enum oauth_error error = oauth_refusal_error(refusal);
    char storage[CHALLENGE_MAX];
    struct buffer challenge = buffer_of(storage, sizeof storage);
    write_challenge(&challenge, call->api, error);
    const struct http_header header = HEADER("WWW-Authenticate", buffer_slice(&challenge));
    reply_error(exchange_of(call), oauth_error_status(error),
                slice_of_string(oauth_error_name(error)),
                slice_of_string(oauth_refusal_description(refusal)),
                error == OAUTH_TEMPORARILY_UNAVAILABLE ? NULL : &header);
}

static void refuse(struct secret_call *call, enum oauth_refusal refusal) {
    struct http_exchange *x = exchange_of(call);
    bearer_request_note(call->api, x, ENDPOINT_SECRET, &call->verification, refusal);
    if (refusal == OAUTH_REFUSED_NO_TOKEN) {
        reply_no_token(call);
    } else {
        reply_refusal(call, refusal);
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

void protected_resource(struct api *api, struct http_exchange *x) {
    struct secret_call *call = http_scratch_of(x, sizeof *call, NULL);
    call->api = api;
    enum oauth_refusal refusal = bearer_request_read(http_request_of(x), true, &call->verification);
    if (refusal != OAUTH_REFUSED_NONE) {
        refuse(call, refusal);
        return;
    }
    call->verification.flow.on_done = on_verified;
    if (oauth_verification_start(api->options.oauth, &call->verification) == PROGRESS_DONE) {
        finish(call);
    }
}
