/* api_internal.h: the route table's words, and the answers that all endpoints give alike. */
#ifndef MINTD_API_INTERNAL_H
#define MINTD_API_INTERNAL_H

#include "mintd/api.h"
#include "mintd/log.h"

/* The last probe of the store, for /readyz. */
struct readiness {
    struct store_operation probe;
    bool is_open;
    uint64_t probed_ns; /* when it began; 0: never */
    struct readiness_call *waiting;
};

struct api {
    struct api_options options; /* with an issuer of our own: */
    char issuer[API_ISSUER_MAX];
    struct slice issuer_path; /* of the issuer: "" or "/t1"; a part of it */
    char resource_url_text[API_ISSUER_MAX + 128];
    struct slice resource_url; /* of the metadata of /secret */
    struct readiness readiness;
    struct status *status; /* NULL: there is no /status here */
};

/* Endpoints as metrics and logs name them; 0 is what belongs to none. */
#define ENDPOINTS(X)                                                                               \
    X(NONE, "none")                                                                                \
    X(AUTH, "auth")                                                                                \
    X(TOKEN, "token")                                                                              \
    X(SECRET, "secret")                                                                            \
    X(HEALTHZ, "healthz")                                                                          \
    X(READYZ, "readyz")                                                                            \
    X(STATUS, "status")                                                                            \
    X(METRICS, "metrics")                                                                          \
    X(VERIFY, "verify")                                                                            \
    X(INTROSPECT, "introspect")                                                                    \
    X(REVOKE, "revoke")                                                                            \
    X(METADATA, "metadata")                                                                        \
    X(AUTHORIZE, "authorize")

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
void forward_auth(struct api *api, struct http_exchange *x);
void introspection(struct api *api, struct http_exchange *x);
void revocation(struct api *api, struct http_exchange *x);
void metadata_authorization_server(struct api *api, struct http_exchange *x);
void metadata_protected_resource(struct api *api, struct http_exchange *x);
void authorization_refused(struct api *api, struct http_exchange *x);
void operations_health(struct api *api, struct http_exchange *x);
void operations_readiness(struct api *api, struct http_exchange *x);
void operations_metrics(struct api *api, struct http_exchange *x);
void operations_status(struct api *api, struct http_exchange *x);
void operations_status_page(struct api *api, struct http_exchange *x);

/* ---- readiness.c ---- */

/* What is known without a probe: absent where nothing speaks against it. */
struct slice readiness_reason_against(const struct api *api);

/* ---- status.c ---- */

/* Where it is served. False: no memory. status_close() undoes it in any case. */
bool status_open(struct api *api);
void status_close(struct api *api);

/* ---- readiness.c ---- */

/* What /readyz would say, as far as is known without a probe: by the last heartbeat. */
bool readiness_is_likely(const struct api *api);
/* Keeps how a heartbeat's writing ended. */
void readiness_note_write(struct api_process *process, struct store *store,
                          const struct store_operation *write);

/* ---- metadata.c ---- */

/* Keeps the issuer and what is derived from it. */
void metadata_init(struct api *api);
/* Whether a path is one of the two well-known ones, with the issuer's path put in (RFC 8414 3.1,
 * RFC 9728 3.1). */
bool metadata_is_authorization_server(const struct api *api, struct slice path);
bool metadata_is_protected_resource(const struct api *api, struct slice path);
/* Where the metadata of /secret is (RFC 9728 5.1). */
struct slice metadata_resource_url(const struct api *api);

/* ---- reply.c ---- */

#define HEADER(header_name, header_value)                                                          \
    { .name = SLICE(header_name), .value = header_value }
#define HEADER_JSON HEADER("Content-Type", SLICE("application/json"))
#define HEADER_NO_STORE HEADER("Cache-Control", SLICE("no-store"))
#define HEADER_NO_CACHE HEADER("Pragma", SLICE("no-cache"))

#define CHALLENGE_BASIC "Basic realm=\"mintd\", charset=\"UTF-8\""
#define CHALLENGE_BEARER "Bearer realm=\"mintd\""

/* A JSON error {"error", "error_description"} with the headers of the token endpoint
 * (RFC 6749 5.2), and one more where `extra` is not NULL. */
void reply_error(struct http_exchange *x, unsigned status, struct slice error,
                 struct slice description, const struct http_header *extra);

/* What leads from a line of the log to its request, and to the caller's trace. */
#define LOG_OF_REQUEST(x)                                                                          \
    LOG_TEXT("request_id", http_request_id_of(x)), LOG_TEXT("trace_id", http_trace_id_of(x)),      \
        LOG_TEXT("span_id", http_span_id_of(x))

/* Who was refused what, for the log: all that is known, the rest absent. */
struct refusal_facts {
    enum endpoint endpoint;
    enum oauth_refusal refusal;
    enum store_trouble trouble;
    struct slice client_id, address, jti, detail;
};

/* Counts a refusal and logs it with the exact reason under the request's id. Before the exchange is
 * responded to. */
void note_refusal(struct api *api, struct http_exchange *x, const struct refusal_facts *facts);

/* Refuses it before anything of it was read: 503, OAUTH_REFUSED_OVERLOADED. */
void refuse_overload(struct api *api, struct http_exchange *x, enum endpoint endpoint);

/* The answer of an endpoint that authenticates clients: status, challenge and words follow from the
 * refusal. */
void reply_client_refusal(struct http_exchange *x, enum oauth_refusal refusal,
                          unsigned retry_after_s);

#endif
