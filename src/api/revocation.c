/* revocation.c: POST /revoke (RFC 7009): a client gives a token back. */
#include "api/client_request.h"

struct revocation_call {
    struct api *api;
    struct oauth_revocation revocation;
    struct client_request request;
    char token[OAUTH_TOKEN_SIZE + 1];
};

_Static_assert(sizeof(struct revocation_call) <= HTTP_SCRATCH_SIZE,
               "the call fits into the scratch area");

static struct http_exchange *exchange_of(struct revocation_call *call) {
    return http_exchange_of_scratch(call);
}

static void refuse(struct revocation_call *call, enum oauth_refusal refusal,
                   enum store_trouble trouble) {
    client_request_refuse(call->api, exchange_of(call), ENDPOINT_REVOKE, &call->request,
                          &call->revocation.inquiry.authentication, refusal, trouble);
}

static void log_revoked(struct revocation_call *call) {
    const struct oauth_inquiry *inquiry = &call->revocation.inquiry;
    struct http_exchange *x = exchange_of(call);
    log_info("token revoked", LOG_OF_REQUEST(x),
             LOG_TEXT("client", oauth_credentials_id(&inquiry->authentication.credentials)),
             LOG_TEXT("jti", slice_of(inquiry->verification.jti, OAUTH_JTI_SIZE)),
             LOG_TEXT("peer", http_peer_of(x)));
}

/* The body is JSON, though empty, because some clients parse it. */
static void finish(struct revocation_call *call) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE, HEADER_NO_CACHE};
    const struct oauth_revocation *revocation = &call->revocation;
    if (revocation->refusal != OAUTH_REFUSED_NONE) {
        refuse(call, revocation->refusal, revocation->trouble);
        return;
    }
    if (revocation->revoked) {
        log_revoked(call);
    }
    http_set_client(exchange_of(call),
                    oauth_credentials_id(&revocation->inquiry.authentication.credentials));
    http_respond(exchange_of(call), &(struct http_response){200, headers, 3, SLICE("{}")});
}

static void on_revoked(struct flow *flow) {
    finish(container_of(flow, struct revocation_call, revocation.flow));
}

static void wipe(void *scratch) {
    struct revocation_call *call = scratch;
    client_request_wipe(&call->request, &call->revocation.inquiry.authentication);
    crypto_wipe(call->token, sizeof call->token);
}

void revocation(struct api *api, struct http_exchange *x) {
    struct revocation_call *call = http_scratch_of(x, sizeof *call, wipe);
    struct oauth_inquiry *inquiry = &call->revocation.inquiry;
    call->api = api;
    client_request_init(&call->request, &inquiry->authentication);
    struct form_parameter *token =
        client_request_add_token(&call->request, call->token, sizeof call->token);

    enum oauth_refusal refusal =
        client_request_read(&call->request, api, x, &inquiry->authentication);
    if (refusal != OAUTH_REFUSED_NONE) {
        refuse(call, refusal, STORE_TROUBLE_NONE);
        return;
    }
    inquiry->token = client_request_token(token);
    call->revocation.flow.on_done = on_revoked;
    if (oauth_revocation_start(api->options.oauth, &call->revocation) == PROGRESS_DONE) {
        finish(call);
    }
}
