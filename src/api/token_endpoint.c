/* token_endpoint.c: POST /auth and POST /token: the client credentials grant (RFC 6749 4.4, 5).
 *
 * The call lies in the exchange's scratch area; it embeds the grant, which embeds the store's
 * operation. */
#include "api/client_request.h"

#define BODY_MAX 4096u

struct token_call {
    struct api *api;
    enum endpoint endpoint;
    struct oauth_grant grant;
    struct client_request request;
    const struct form_parameter *grant_type, *scope, *resource, *audience, *ttl;
    char grant_type_text[64], scope_text[OAUTH_SCOPE_MAX], resource_text[OAUTH_AUDIENCE_MAX],
        audience_text[OAUTH_AUDIENCE_MAX], ttl_text[24];
};

_Static_assert(sizeof(struct token_call) <= HTTP_SCRATCH_SIZE,
               "the call fits into the scratch area");

static struct http_exchange *exchange_of(struct token_call *call) {
    return http_exchange_of_scratch(call);
}

/* ---- answers ---- */

static void write_rfc_fields(struct buffer *body, const struct oauth_grant *grant) {
    buffer_append(body, S("\"access_token\":\""));
    buffer_append(body, slice_of(grant->token.text, OAUTH_TOKEN_SIZE));
    buffer_append(body, S("\",\"token_type\":\"Bearer\",\"expires_in\":"));
    buffer_append_number(body, grant->ttl_s);
    if (grant->granted_scope.size != 0) {
        buffer_append(body, S(",\"scope\":"));
        buffer_append_json(body, buffer_slice(&grant->granted_scope));
    }
}

/* The shape that readers of the tutorial know; OAuth clients ignore what they do not know. */
static void write_tutorial_fields(struct buffer *body, const struct oauth_grant *grant) {
    buffer_append(body, S(",\"accessToken\":\""));
    buffer_append(body, slice_of(grant->token.text, OAUTH_TOKEN_SIZE));
    buffer_append(body, S("\",\"accessTokenExpiresAt\":\""));
    buffer_append_iso8601(body, grant->expires_at_ms);
    buffer_append(body, S("\",\"client\":{\"id\":"));
    buffer_append_json(body, oauth_credentials_id(&grant->authentication.credentials));
    buffer_append(body, S("},\"user\":{}"));
}

static void log_minted(struct token_call *call) {
    const struct oauth_grant *grant = &call->grant;
    struct http_exchange *x = exchange_of(call);
    log_info("token minted", LOG_OF_REQUEST(x),
             LOG_STRING("endpoint", endpoint_name(call->endpoint)),
             LOG_TEXT("client", oauth_credentials_id(&grant->authentication.credentials)),
             LOG_NUMBER("secret", grant->authentication.secret_number),
             LOG_TEXT("jti", slice_of(grant->token.jti, OAUTH_JTI_SIZE)),
             LOG_NUMBER("ttl_s", grant->ttl_s), LOG_TEXT("peer", http_peer_of(x)));
}

static void reply_token(struct token_call *call) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE, HEADER_NO_CACHE};
    char storage[BODY_MAX];
    struct buffer body = buffer_of(storage, sizeof storage);
    log_minted(call);
    http_set_client(exchange_of(call),
                    oauth_credentials_id(&call->grant.authentication.credentials));
    buffer_append_char(&body, '{');
    write_rfc_fields(&body, &call->grant);
    if (call->endpoint == ENDPOINT_AUTH) {
        write_tutorial_fields(&body, &call->grant);
    }
    buffer_append_char(&body, '}');
    http_respond(exchange_of(call), &(struct http_response){200, headers, 3, buffer_slice(&body)});
    crypto_wipe(storage, body.size);
}

static void refuse(struct token_call *call, enum oauth_refusal refusal,
                   enum store_trouble trouble) {
    client_request_refuse(call->api, exchange_of(call), call->endpoint, &call->request,
                          &call->grant.authentication, refusal, trouble);
}

static void finish(struct token_call *call) {
    if (call->grant.refusal == OAUTH_REFUSED_NONE) {
        reply_token(call);
    } else {
        refuse(call, call->grant.refusal, call->grant.trouble);
    }
}

static void on_granted(struct flow *flow) {
    finish(container_of(flow, struct token_call, grant.flow));
}

/* ---- the request ---- */

static void lay_out_parameters(struct token_call *call) {
    struct client_request *request = &call->request;
    client_request_init(request, &call->grant.authentication);
    call->grant_type = client_request_add(request, S("grant_type"), call->grant_type_text,
                                          sizeof call->grant_type_text);
    call->scope =
        client_request_add(request, S("scope"), call->scope_text, sizeof call->scope_text);
    struct form_parameter *resource =
        client_request_add(request, S("resource"), call->resource_text, sizeof call->resource_text);
    resource->repeatable = true;
    call->resource = resource;
    call->audience =
        client_request_add(request, S("audience"), call->audience_text, sizeof call->audience_text);
    call->ttl = client_request_add(request, S("ttl"), call->ttl_text, sizeof call->ttl_text);
}

static void wipe(void *scratch) {
    struct token_call *call = scratch;
    client_request_wipe(&call->request, &call->grant.authentication);
    crypto_wipe(call->grant.token.text, sizeof call->grant.token.text);
}

static void handle(struct api *api, struct http_exchange *x, enum endpoint endpoint) {
    struct token_call *call = http_scratch_of(x, sizeof *call, wipe);
    struct oauth_grant *grant = &call->grant;
    call->api = api;
    call->endpoint = endpoint;
    lay_out_parameters(call);

    enum oauth_refusal refusal =
        client_request_read(&call->request, api, x, &grant->authentication);
    if (refusal != OAUTH_REFUSED_NONE) {
        refuse(call, refusal, STORE_TROUBLE_NONE);
        return;
    }
    grant->flow.on_done = on_granted;
    grant->grant_type = buffer_slice(&call->grant_type->value);
    grant->scope = buffer_slice(&call->scope->value);
    grant->resources = buffer_slice(&call->resource->value);
    grant->audience = buffer_slice(&call->audience->value);
    grant->ttl = buffer_slice(&call->ttl->value);
    if (oauth_grant_start(api->options.oauth, grant) == PROGRESS_DONE) {
        finish(call);
    }
}

void token_endpoint_auth(struct api *api, struct http_exchange *x) {
    handle(api, x, ENDPOINT_AUTH);
}

void token_endpoint_token(struct api *api, struct http_exchange *x) {
    handle(api, x, ENDPOINT_TOKEN);
}
