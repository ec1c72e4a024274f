/* bearer.c: the token in an Authorization header (RFC 6750 2.1). */
#include "mintd/encoding.h"
#include "mintd/oauth.h"

enum oauth_refusal oauth_bearer_token_of(struct slice authorization, struct slice *token) {
    struct slice rest = authorization;
    struct slice scheme;
    if (!slice_split(&rest, ' ', &scheme) || !slice_equal_nocase(scheme, S("Bearer"))) {
        return OAUTH_REFUSED_NO_TOKEN;
    }
    *token = slice_is_absent(rest) ? S("") : slice_trim(rest);
    return token68_is_valid(*token) ? OAUTH_REFUSED_NONE : OAUTH_REFUSED_MALFORMED_BEARER;
}
