/* api_internal.h: the route table's words, and the answers that all endpoints give alike. */
#ifndef MINTD_API_INTERNAL_H
#define MINTD_API_INTERNAL_H

#include "mintd/api.h"
#include "mintd/log.h"

struct api {
    struct api_options options;
};

/* Endpoints as metrics and logs name them; 0 is what belongs to none. */
#define ENDPOINTS(X)                                                                               \
    X(NONE, "none")                                                                                \
    X(AUTH, "auth")                                                                                \
    X(TOKEN, "token")                                                                              \
    X(SECRET, "secret")                                                                            \
    X(HEALTHZ, "healthz")                                                                          \
    X(READYZ, "readyz")                                                                            \
    X(METRICS, "metrics")

enum endpoint {
#define X(id, name) ENDPOINT_##id,
    ENDPOINTS(X)
#undef X
        ENDPOINT_COUNT
};

const char *endpoint_name(enum endpoint endpoint);

/* Each endpoint: called with the whole request, responds now or later. */
void token_endpoint_auth(struct api *api, struct http_exchange *x);
void token_endpoint_token(struct api *api, struct http_exchange *x);
void protected_resource(struct api *api, struct http_exchange *x);
void operations_health(struct api *api, struct http_exchange *x);
void operations_readiness(struct api *api, struct http_exchange *x);
void operations_metrics(struct api *api, struct http_exchange *x);

/* ---- reply.c ---- */

#define HEADER(header_name, header_value)                                                          \
    { .name = SLICE(header_name), .value = header_value }
#define HEADER_JSON HEADER("Content-Type", SLICE("application/json"))
#define HEADER_NO_STORE HEADER("Cache-Control", SLICE("no-store"))
#define HEADER_NO_CACHE HEADER("Pragma", SLICE("no-cache"))

#define CHALLENGE_BASIC "Basic realm=\"mintd\", charset=\"UTF-8\""
#define CHALLENGE_BEARER "Bearer realm=\"mintd\""

/* A JSON error {"error", "error_description"} with the headers of the token endpoint (RFC
 * 6749 5.2), and one more where `extra` is not NULL. */
void reply_error(struct http_exchange *x, unsigned status, struct slice error,
                 struct slice description, const struct http_header *extra);

/* Who was refused what, for the log: all that is known, the rest absent. */
struct refusal_facts {
    enum endpoint endpoint;
    enum oauth_refusal refusal;
    enum store_trouble trouble;
    struct slice client_id, jti, detail;
};

/* Counts a refusal and logs it with the exact reason under the request's id. Before the exchange is
 * responded to. */
void note_refusal(struct api *api, struct http_exchange *x, const struct refusal_facts *facts);

/* The answer of an endpoint that authenticates clients: status, challenge and words follow from the
 * refusal. */
void reply_client_refusal(struct http_exchange *x, enum oauth_refusal refusal);

#endif
