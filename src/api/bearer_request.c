#include "api/bearer_request.h"

static bool query_has_token(struct slice query) {
    struct slice pair;
    while (slice_split(&query, '&', &pair)) {
        if (slice_starts_with(pair, S("access_token="))) {
            return true;
        }
    }
    return false;
}

enum oauth_refusal bearer_request_read(const struct http_request *request, bool reads_query,
                                       struct oauth_verification *verification) {
    verification->has_jti = false;
    verification->client_id = SLICE_ABSENT;
    verification->trouble = STORE_TROUBLE_NONE;
    verification->deadline_ns = 0;
    if (reads_query && query_has_token(request->query)) {
        return OAUTH_REFUSED_TOKEN_IN_URI;
    }
    if (http_field_lines(request, HTTP_FIELD_AUTHORIZATION) > 1) {
        return OAUTH_REFUSED_MALFORMED_BEARER;
    }
    return oauth_bearer_token_of(http_field_value(request, HTTP_FIELD_AUTHORIZATION),
                                 &verification->token);
}

void bearer_request_note(struct api *api, struct http_exchange *x, enum endpoint endpoint,
                         const struct oauth_verification *verification,
                         enum oauth_refusal refusal) {
    note_refusal(api, x,
                 &(struct refusal_facts){
                     .endpoint = endpoint,
                     .refusal = refusal,
                     .trouble = verification->trouble,
                     .client_id = verification->client_id,
                     .jti = verification->has_jti ? slice_of(verification->jti, OAUTH_JTI_SIZE)
                                                  : SLICE_ABSENT,
                 });
}
