/* introspection.c: POST /introspect (RFC 7662): tells an authenticated caller what a token is. */
#include "api/client_request.h"

#define BODY_MAX 8192u

struct introspection_call {
    struct api *api;
    struct oauth_inquiry inquiry;
    struct client_request request;
    char token[OAUTH_TOKEN_SIZE + 1];
};

_Static_assert(sizeof(struct introspection_call) <= HTTP_SCRATCH_SIZE,
               "the call fits into the scratch area");

static struct http_exchange *exchange_of(struct introspection_call *call) {
    return http_exchange_of_scratch(call);
}

/* The name comes with its comma, quotes and colon. */
static void write_text(struct buffer *body, struct slice name, struct slice value) {
    buffer_append(body, name);
    buffer_append_json(body, value);
}

static void write_number(struct buffer *body, struct slice name, uint64_t value) {
    buffer_append(body, name);
    buffer_append_number(body, value);
}

/* One audience is a string, several are an array (RFC 7662 2.2, RFC 7519 4.1.3). */
static void write_audience(struct buffer *body, struct slice audience) {
    struct slice word;
    bool several = memchr(audience.data, ' ', audience.size) != NULL;
    const char *separator = several ? ",\"aud\":[" : ",\"aud\":";
    while (slice_next_word(&audience, &word)) {
        buffer_append(body, slice_of_string(separator));
        buffer_append_json(body, word);
        separator = ",";
    }
    if (several) {
        buffer_append_char(body, ']');
    }
}

static void write_active(struct buffer *body, const struct introspection_call *call) {
    const struct oauth_verification *token = &call->inquiry.verification;
    buffer_append(body, S("{\"active\":true,\"token_type\":\"Bearer\""));
    write_text(body, S(",\"client_id\":"), token->client_id);
    write_text(body, S(",\"sub\":"), token->client_id);
    if (token->scope.size != 0) {
        write_text(body, S(",\"scope\":"), token->scope);
    }
    if (token->audience.size != 0) {
        write_audience(body, token->audience);
    }
    write_number(body, S(",\"iat\":"), token->issued_at);
    write_number(body, S(",\"exp\":"), token->expires_at);
    write_text(body, S(",\"jti\":"), slice_of(token->jti, OAUTH_JTI_SIZE));
    write_text(body, S(",\"iss\":"), call->api->options.issuer);
    buffer_append_char(body, '}');
}

static void finish(struct introspection_call *call) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE, HEADER_NO_CACHE};
    const struct oauth_inquiry *inquiry = &call->inquiry;
    char storage[BODY_MAX];
    struct buffer body = buffer_of(storage, sizeof storage);
    if (inquiry->refusal != OAUTH_REFUSED_NONE) {
        client_request_refuse(call->api, exchange_of(call), ENDPOINT_INTROSPECT, &call->request,
                              &inquiry->authentication, inquiry->refusal, inquiry->trouble);
        return;
    }
    bool is_active = oauth_inquiry_finds_active(inquiry);
    oauth_count_introspection(call->api->options.oauth, is_active);
    if (is_active) {
        write_active(&body, call);
    } else {
        buffer_append(&body, S("{\"active\":false}"));
    }
    http_set_client(exchange_of(call), oauth_credentials_id(&inquiry->authentication.credentials));
    http_respond(exchange_of(call), &(struct http_response){200, headers, 3, buffer_slice(&body)});
}

static void on_inquired(struct flow *flow) {
    finish(container_of(flow, struct introspection_call, inquiry.flow));
}

static void wipe(void *scratch) {
    struct introspection_call *call = scratch;
    client_request_wipe(&call->request, &call->inquiry.authentication);
    crypto_wipe(call->token, sizeof call->token);
}

void introspection(struct api *api, struct http_exchange *x) {
    struct introspection_call *call = http_scratch_of(x, sizeof *call, wipe);
    struct oauth_inquiry *inquiry = &call->inquiry;
    call->api = api;
    client_request_init(&call->request, &inquiry->authentication);
    struct form_parameter *token =
        client_request_add_token(&call->request, call->token, sizeof call->token);

    enum oauth_refusal refusal =
        client_request_read(&call->request, api, x, &inquiry->authentication);
    if (refusal != OAUTH_REFUSED_NONE) {
        client_request_refuse(api, x, ENDPOINT_INTROSPECT, &call->request, &inquiry->authentication,
                              refusal, STORE_TROUBLE_NONE);
        return;
    }
    inquiry->token = client_request_token(token);
    inquiry->flow.on_done = on_inquired;
    if (oauth_inquiry_start(api->options.oauth, inquiry) == PROGRESS_DONE) {
        finish(call);
    }
}
