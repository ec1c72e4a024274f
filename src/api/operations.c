/* operations.c: /healthz: is it alive. (/readyz is in readiness.c, /metrics in metrics.c.) */
#include "api/api_internal.h"

void operations_health(struct api *api, struct http_exchange *x) {
    static const struct http_header headers[] = {HEADER_JSON, HEADER_NO_STORE};
    (void)api;
    http_respond(x, &(struct http_response){200, headers, 2, SLICE("{\"status\":\"alive\"}")});
}
