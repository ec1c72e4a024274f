/* bearer.c: the token in an Authorization header (RFC 6750 2.1). */
#include "mintd/encoding.h"
#include "mintd/oauth.h"

/* b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
static bool is_b64token(struct slice s) {
    while (s.size > 1 && s.data[s.size - 1] == '=') {
        s.size--;
    }
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (!base62_is_digit(c) && (c == '\0' || strchr("-._~+/", c) == NULL)) {
            return false;
        }
    }
    return s.size != 0;
}

enum oauth_refusal oauth_bearer_token_of(struct slice authorization, struct slice *token) {
    struct slice rest = authorization;
    struct slice scheme;
    if (!slice_split(&rest, ' ', &scheme) || !slice_equal_nocase(scheme, S("Bearer"))) {
        return OAUTH_REFUSED_NO_TOKEN;
    }
    *token = slice_is_absent(rest) ? S("") : slice_trim(rest);
    return is_b64token(*token) ? OAUTH_REFUSED_NONE : OAUTH_REFUSED_MALFORMED_BEARER;
}
