/* accept.h: in what form a caller wants /metrics (RFC 9110 12.5.1, 12.5.3). */
#ifndef MINTD_API_ACCEPT_H
#define MINTD_API_ACCEPT_H

#include "mintd/http.h"

/* Whether Accept names OpenMetrics 1.0.0, or no version of it, and wants text/plain no more than
 * that. A wildcard stands for text/plain. */
bool accept_prefers_openmetrics(const struct http_request *request);
/* Whether Accept-Encoding names gzip, with a weight over 0. */
bool accept_takes_gzip(const struct http_request *request);

#endif
