/* api.c: the route table, and what the head alone decides: 404, 405, OPTIONS, the media type. */
#include "api/api_internal.h"
#include "api/client_address.h"
#include "mintd/log.h"
#include <stdlib.h>

enum methods { METHODS_READ, METHODS_POST, METHODS_ANY };

struct route {
    struct slice path; /* where `matches` is NULL */
    bool (*matches)(const struct api *api, struct slice path);
    enum endpoint endpoint;
    enum methods methods;
    void (*handle)(struct api *api, struct http_exchange *x);
};

static bool is_below_verify(const struct api *api, struct slice path) {
    (void)api;
    return slice_starts_with(path, S("/verify/"));
}

static const struct route routes[] = {
    {SLICE("/secret"), NULL, ENDPOINT_SECRET, METHODS_READ, protected_resource},
    {SLICE("/verify"), NULL, ENDPOINT_VERIFY, METHODS_ANY, forward_auth},
    {SLICE("/auth"), NULL, ENDPOINT_AUTH, METHODS_POST, token_endpoint_auth},
    {SLICE("/token"), NULL, ENDPOINT_TOKEN, METHODS_POST, token_endpoint_token},
    {SLICE("/introspect"), NULL, ENDPOINT_INTROSPECT, METHODS_POST, introspection},
    {SLICE("/revoke"), NULL, ENDPOINT_REVOKE, METHODS_POST, revocation},
    {SLICE("/authorize"), NULL, ENDPOINT_AUTHORIZE, METHODS_ANY, authorization_refused},
    {SLICE("/healthz"), NULL, ENDPOINT_HEALTHZ, METHODS_READ, operations_health},
    {SLICE("/readyz"), NULL, ENDPOINT_READYZ, METHODS_READ, operations_readiness},
    {SLICE("/status"), NULL, ENDPOINT_STATUS, METHODS_READ, operations_status_page},
    {SLICE("/status.json"), NULL, ENDPOINT_STATUS, METHODS_READ, operations_status},
    {SLICE("/metrics"), NULL, ENDPOINT_METRICS, METHODS_READ, operations_metrics},
    {SLICE(""), is_below_verify, ENDPOINT_VERIFY, METHODS_ANY, forward_auth},
    {SLICE(""), metadata_is_authorization_server, ENDPOINT_METADATA, METHODS_READ,
     metadata_authorization_server},
    {SLICE(""), metadata_is_protected_resource, ENDPOINT_METADATA, METHODS_READ,
     metadata_protected_resource},
};

const char *endpoint_name(enum endpoint endpoint) {
    static const char *const names[] = {
#define X(id, name) [ENDPOINT_##id] = name,
        ENDPOINTS(X)
#undef X
    };
    return names[endpoint];
}

static bool is_served(const struct api *api, const struct route *route) {
    bool operational = route->handle == operations_health ||
                       route->handle == operations_readiness || route->handle == operations_metrics;
    bool is_status = route->endpoint == ENDPOINT_STATUS;
    switch (api->options.paths) {
    case API_WITHOUT_METRICS:
        return route->endpoint != ENDPOINT_METRICS && !is_status;
    case API_METRICS_ONLY:
        return operational || is_status;
    case API_ALL:
        break;
    }
    return !is_status;
}

static const struct route *find_route(const struct api *api, struct slice path) {
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        bool found = routes[i].matches == NULL ? slice_equal(path, routes[i].path)
                                               : routes[i].matches(api, path);
        if (found) {
            return is_served(api, &routes[i]) ? &routes[i] : NULL;
        }
    }
    return NULL;
}

static struct slice allow_of(enum methods methods) {
    return methods == METHODS_READ ? S("GET, HEAD, OPTIONS") : S("POST, OPTIONS");
}

static bool is_allowed(enum methods methods, enum http_method method) {
    return methods == METHODS_READ ? method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD
                                   : method == HTTP_METHOD_POST;
}

static void reply_options(struct http_exchange *x, struct slice allow) {
    const struct http_header headers[] = {HEADER("Allow", allow)};
    http_respond(x, &(struct http_response){.status = 204, .headers = headers, .header_count = 1});
}

static void reply_not_found(struct http_exchange *x) {
    reply_error(x, 404, S("not_found"), S("there is nothing at this path"), NULL);
}

static void reply_wrong_method(struct http_exchange *x, struct slice allow) {
    const struct http_header header = HEADER("Allow", allow);
    reply_error(x, 405, S("invalid_request"), S("use one of the methods that Allow lists"),
                &header);
}

/* application/x-www-form-urlencoded in any case, with or without parameters. */
static bool is_form(struct slice content_type) {
    struct slice rest = content_type;
    struct slice type = SLICE_ABSENT;
    slice_split(&rest, ';', &type);
    return slice_equal_nocase(slice_trim(type), S("application/x-www-form-urlencoded"));
}

/* What the head says of a form that no endpoint would take. True where it has been answered. */
static bool refuse_body(struct http_exchange *x, const struct http_request *request) {
    const struct http_header accepted = HEADER("Accept-Encoding", SLICE("identity"));
    struct slice coding = http_field_value(request, HTTP_FIELD_CONTENT_ENCODING);
    if (!slice_is_absent(coding) && !slice_equal_nocase(coding, S("identity"))) {
        reply_error(x, 415, S("invalid_request"), S("send the body without a content coding"),
                    &accepted);
        return true;
    }
    if (http_field_lines(request, HTTP_FIELD_CONTENT_TYPE) != 1 ||
        !is_form(http_field_value(request, HTTP_FIELD_CONTENT_TYPE))) {
        reply_error(x, 400, S("invalid_request"),
                    S("send the parameters as Content-Type: application/x-www-form-urlencoded"),
                    NULL);
        return true;
    }
    return false;
}

/* Once a process, whatever is asked for: behind a proxy that is not trusted all clients are one
 * address. */
static void warn_of_untrusted_proxy(const struct api *api, struct http_exchange *x) {
    _Atomic unsigned *notices = &api->options.process->notices;
    const unsigned notice = 1u << API_NOTICE_UNTRUSTED_PROXY;
    if ((atomic_load_explicit(notices, memory_order_relaxed) & notice) == 0 &&
        client_address_is_claimed(x, api->options.trusted_proxies) &&
        (atomic_fetch_or(notices, notice) & notice) == 0) {
        log_warning(
            "X-Forwarded-For or Forwarded comes from an address that is not trusted, and is "
            "not read: if it is your proxy, name it in --trusted-proxies; until then one "
            "caller behind it who fails too often locks out all others",
            LOG_TEXT("peer", http_peer_of(x)));
    }
}

enum spared { SPARED_NOTHING, SPARED_STORE, SPARED_ALL };

/* What is not done for this endpoint in an overload. To refuse what is in memory would cost as much
 * as its answer. */
static enum spared spared_at(enum endpoint endpoint) {
    switch (endpoint) {
    case ENDPOINT_AUTH:
    case ENDPOINT_TOKEN:
        return SPARED_ALL;
    case ENDPOINT_SECRET:
    case ENDPOINT_VERIFY:
    case ENDPOINT_INTROSPECT:
        return SPARED_STORE;
    default:
        return SPARED_NOTHING;
    }
}

static void serve(struct api *api, const struct route *route, struct http_exchange *x) {
    enum spared spared = spared_at(route->endpoint);
    if (spared == SPARED_ALL && http_may_refuse(x)) {
        refuse_overload(api, x, route->endpoint);
        return;
    }
    if (spared == SPARED_STORE && http_is_overloaded(x)) {
        store_spare(api->options.store, true);
        route->handle(api, x);
        store_spare(api->options.store, false); /* what waits already goes on */
        return;
    }
    route->handle(api, x);
}

static enum http_next on_head(void *context, struct http_exchange *x) {
    struct api *api = context;
    const struct http_request *request = http_request_of(x);
    const struct route *route = find_route(api, request->path);

    warn_of_untrusted_proxy(api, x);
    if (request->method == HTTP_METHOD_OPTIONS && slice_equal(request->path, S("*"))) {
        reply_options(x, S("GET, HEAD, POST, OPTIONS"));
        return HTTP_TAKEN;
    }
    if (route == NULL) {
        reply_not_found(x);
        return HTTP_TAKEN;
    }
    http_set_endpoint(x, route->endpoint);
    if (route->methods == METHODS_ANY) {
        serve(api, route, x); /* now: a proxy may announce a body and not send it */
        return HTTP_TAKEN;
    }
    if (request->method == HTTP_METHOD_OPTIONS) {
        reply_options(x, allow_of(route->methods));
        return HTTP_TAKEN;
    }
    if (!is_allowed(route->methods, request->method)) {
        reply_wrong_method(x, allow_of(route->methods));
        return HTTP_TAKEN;
    }
    if (route->methods == METHODS_POST && !request->body_too_large && refuse_body(x, request)) {
        return HTTP_TAKEN;
    }
    if (request->announces_body) {
        return HTTP_READ_BODY;
    }
    serve(api, route, x);
    return HTTP_TAKEN;
}

static void on_request(void *context, struct http_exchange *x) {
    struct api *api = context;
    serve(api, find_route(api, http_request_of(x)->path), x);
}

static void on_answered(void *context, struct http_exchange *x,
                        const struct http_answered *answered) {
    static const char *const methods[] = {
        [HTTP_METHOD_GET] = "GET",     [HTTP_METHOD_HEAD] = "HEAD",
        [HTTP_METHOD_POST] = "POST",   [HTTP_METHOD_OPTIONS] = "OPTIONS",
        [HTTP_METHOD_OTHER] = "other",
    };
    (void)context;
    log_info("request", LOG_OF_REQUEST(x), LOG_STRING("method", methods[answered->method]),
             LOG_STRING("endpoint", endpoint_name((enum endpoint)answered->endpoint)),
             LOG_NUMBER("status", answered->status),
             LOG_THOUSANDTHS("duration_ms", answered->duration_us),
             LOG_TEXT("client", answered->client), LOG_TEXT("peer", http_peer_of(x)));
}

const struct http_handler *api_handler(bool has_access_log) {
    static const struct http_handler plain = {on_head, on_request, NULL};
    static const struct http_handler telling = {on_head, on_request, on_answered};
    return has_access_log ? &telling : &plain;
}

struct api *api_new(const struct api_options *options) {
    struct api *api = calloc(1, sizeof *api);
    if (api != NULL) {
        api->options = *options;
        metadata_init(api);
    }
    if (api != NULL && !status_open(api)) {
        api_free(api);
        return NULL;
    }
    return api;
}

void api_free(struct api *api) {
    if (api != NULL) {
        status_close(api);
    }
    free(api);
}
