/* token_endpoint.c: POST /auth and POST /token: the client credentials grant (RFC 6749 4.4, 5).
 *
 * The call lies in the exchange's scratch area; it embeds the grant, which embeds the store's
 * operation. */
#include "api/api_internal.h"
#include "api/form.h"
#include "mintd/encoding.h"

#define BODY_MAX 4096u

enum parameter {
    GRANT_TYPE,
    CLIENT_ID,
    CLIENT_SECRET,
    SCOPE,
    RESOURCE,
    AUDIENCE,
    TTL,
    PARAMETER_COUNT
};

struct token_call {
    struct api *api;
    enum endpoint endpoint;
    struct oauth_grant grant;
    struct form_parameter parameters[PARAMETER_COUNT];
    char grant_type[64], client_id[OAUTH_CLIENT_ID_MAX + 1], client_secret[PASSWORD_SECRET_MAX],
        scope[OAUTH_SCOPE_MAX], resource[OAUTH_AUDIENCE_MAX], audience[OAUTH_AUDIENCE_MAX], ttl[24];
};

_Static_assert(sizeof(struct token_call) <= HTTP_SCRATCH_SIZE,
               "the call fits into the scratch area");

static struct http_exchange *exchange_of(struct token_call *call) {
    return http_exchange_of_scratch(call);
}

static struct slice parameter(const struct token_call *call, enum parameter which) {
    return buffer_slice(&call->parameters[which].value);
}

static void lay_out_parameters(struct token_call *call) {
#define PARAMETER(parameter_name, field, repeats)                                                  \
    (struct form_parameter){SLICE(parameter_name), repeats,                                        \
                            buffer_of(call->field, sizeof call->field)}
    call->parameters[GRANT_TYPE] = PARAMETER("grant_type", grant_type, false);
    call->parameters[CLIENT_ID] = PARAMETER("client_id", client_id, false);
    call->parameters[CLIENT_SECRET] = PARAMETER("client_secret", client_secret, false);
    call->parameters[SCOPE] = PARAMETER("scope", scope, false);
    call->parameters[RESOURCE] = PARAMETER("resource", resource, true);
    call->parameters[AUDIENCE] = PARAMETER("audience", audience, false);
    call->parameters[TTL] = PARAMETER("ttl", ttl, false);
#undef PARAMETER
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
    log_info("token minted", LOG_TEXT("request_id", http_request_id_of(x)),
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
    buffer_append_char(&body, '{');
    write_rfc_fields(&body, &call->grant);
    if (call->endpoint == ENDPOINT_AUTH) {
        write_tutorial_fields(&body, &call->grant);
    }
    buffer_append_char(&body, '}');
    http_respond(exchange_of(call), &(struct http_response){200, headers, 3, buffer_slice(&body)});
    crypto_wipe(storage, body.size);
}

static void describe_expired_secret(const struct oauth_authentication *a, uint64_t now_ms,
                                    struct buffer *detail) {
    buffer_append_format(detail, "secret %u expired %llu s ago", a->secret_number,
                         (unsigned long long)(now_ms / 1000 - a->secret_expired_at));
}

static void refuse(struct token_call *call, enum oauth_refusal refusal,
                   enum store_trouble trouble) {
    struct http_exchange *x = exchange_of(call);
    const struct oauth_authentication *a = &call->grant.authentication;
    char storage[64];
    struct buffer detail = buffer_of(storage, sizeof storage);
    if (refusal == OAUTH_REFUSED_SECRET_EXPIRED) {
        describe_expired_secret(a, call->api->options.wall_ms(), &detail);
    }
    note_refusal(call->api, x,
                 &(struct refusal_facts){
                     .endpoint = call->endpoint,
                     .refusal = refusal,
                     .trouble = trouble,
                     .client_id = oauth_credentials_id(&a->credentials),
                     .detail = detail.size == 0 ? SLICE_ABSENT : buffer_slice(&detail),
                 });
    reply_client_refusal(x, refusal);
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

/* Which way the client authenticates itself; NONE where there is one way, well-formed or not. */
static enum oauth_refusal read_credentials(struct token_call *call,
                                           const struct http_request *request) {
    struct oauth_credentials *credentials = &call->grant.authentication.credentials;
    struct slice id = parameter(call, CLIENT_ID);
    struct slice secret = parameter(call, CLIENT_SECRET);
    if (http_field_lines(request, HTTP_FIELD_AUTHORIZATION) == 0) {
        oauth_credentials_from_body(credentials, id, secret);
        return OAUTH_REFUSED_NONE;
    }
    oauth_credentials_from_basic(credentials, http_field_value(request, HTTP_FIELD_AUTHORIZATION));
    if (secret.size != 0 || http_field_lines(request, HTTP_FIELD_AUTHORIZATION) > 1) {
        return OAUTH_REFUSED_TWO_CREDENTIALS;
    }
    if (id.size != 0 && credentials->refusal == OAUTH_REFUSED_NONE &&
        !slice_equal(id, oauth_credentials_id(credentials))) {
        return OAUTH_REFUSED_OTHER_CLIENT_ID;
    }
    return OAUTH_REFUSED_NONE;
}

static enum oauth_refusal read_request(struct token_call *call,
                                       const struct http_request *request) {
    if (request->query.size != 0) {
        return OAUTH_REFUSED_PARAMETERS_IN_URI;
    }
    switch (form_read(request->body, call->parameters, PARAMETER_COUNT)) {
    case FORM_MALFORMED:
        return OAUTH_REFUSED_MALFORMED_FORM;
    case FORM_REPEATED:
        return OAUTH_REFUSED_REPEATED_PARAMETER;
    case FORM_TOO_LONG:
        return OAUTH_REFUSED_PARAMETER_TOO_LONG;
    case FORM_OK:
        break;
    }
    return read_credentials(call, request);
}

static void handle(struct api *api, struct http_exchange *x, enum endpoint endpoint) {
    struct token_call *call = http_scratch_of(x, sizeof *call);
    call->api = api;
    call->endpoint = endpoint;
    call->grant.authentication.credentials.id_size = 0;
    lay_out_parameters(call);

    enum oauth_refusal refusal = read_request(call, http_request_of(x));
    if (refusal != OAUTH_REFUSED_NONE) {
        refuse(call, refusal, STORE_TROUBLE_NONE);
        return;
    }
    call->grant.flow.on_done = on_granted;
    call->grant.grant_type = parameter(call, GRANT_TYPE);
    call->grant.scope = parameter(call, SCOPE);
    call->grant.resources = parameter(call, RESOURCE);
    call->grant.audience = parameter(call, AUDIENCE);
    call->grant.ttl = parameter(call, TTL);
    if (oauth_grant_start(api->options.oauth, &call->grant) == PROGRESS_DONE) {
        finish(call);
    }
}

void token_endpoint_auth(struct api *api, struct http_exchange *x) {
    handle(api, x, ENDPOINT_AUTH);
}

void token_endpoint_token(struct api *api, struct http_exchange *x) {
    handle(api, x, ENDPOINT_TOKEN);
}
