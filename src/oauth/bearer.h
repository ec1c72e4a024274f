/* bearer.h: the token in an Authorization header (RFC 6750 2.1). */
#ifndef MINTD_OAUTH_BEARER_H
#define MINTD_OAUTH_BEARER_H

#include "mintd/oauth.h"

/* NONE with the token (a part of the header's value); NO_TOKEN without a header or with another
 * scheme; MALFORMED_BEARER where what follows the scheme is not one b64token. */
enum oauth_refusal bearer_token_of(struct slice authorization, struct slice *token);

#endif
