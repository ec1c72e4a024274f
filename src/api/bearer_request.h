/* bearer_request.h: a request that shows a token: what /secret and /verify share. */
#ifndef MINTD_API_BEARER_REQUEST_H
#define MINTD_API_BEARER_REQUEST_H

#include "api/api_internal.h"

/* Finds the token and puts it into the verification, which is made ready to start. Where there is
 * none, or the request is wrong in itself, why. With reads_query a token in the query is refused
 * (RFC 6750 2.3: it would end up in logs). */
enum oauth_refusal bearer_request_read(const struct http_request *request, bool reads_query,
                                       struct oauth_verification *verification);

/* note_refusal() with what the verification knows. */
void bearer_request_note(struct api *api, struct http_exchange *x, enum endpoint endpoint,
                         const struct oauth_verification *verification, enum oauth_refusal refusal);

#endif
