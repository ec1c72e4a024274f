/* reply.c: answers that several endpoints give alike. */
#include "api/api_internal.h"
#include "api/refusals.h"

#define HEADERS_MAX 8u
#define BODY_MAX 512u

void reply_error(struct http_exchange *x, unsigned status, struct slice error,
                 struct slice description, const struct http_header *extra) {
    struct http_header headers[HEADERS_MAX] = {HEADER_JSON, HEADER_NO_STORE, HEADER_NO_CACHE};
    unsigned count = 3;
    char storage[BODY_MAX];
    struct buffer body = buffer_of(storage, sizeof storage);

    if (extra != NULL) {
        headers[count++] = *extra;
    }
    if (status == 503) {
        headers[count++] = (struct http_header)HEADER("Retry-After", SLICE("1"));
    }
    buffer_append(&body, S("{\"error\":"));
    buffer_append_json(&body, error);
    buffer_append(&body, S(",\"error_description\":"));
    buffer_append_json(&body, description);
    buffer_append_char(&body, '}');
    http_respond(x, &(struct http_response){status, headers, count, buffer_slice(&body)});
}

void note_refusal(struct api *api, struct http_exchange *x, const struct refusal_facts *facts) {
    enum oauth_error error = oauth_refusal_error(facts->refusal);
    oauth_count_refusal(api->options.oauth, facts->refusal);
    http_set_client(x, facts->client_id);
    if (!refusals_is_told(api->options.process, facts->refusal)) {
        return;
    }
    log_info("refused", LOG_OF_REQUEST(x), LOG_STRING("endpoint", endpoint_name(facts->endpoint)),
             LOG_STRING("error", oauth_error_name(error)),
             LOG_STRING("reason", oauth_refusal_label(facts->refusal)),
             LOG_TEXT("detail", facts->detail),
             LOG_STRING("store", facts->trouble == STORE_TROUBLE_NONE
                                     ? NULL
                                     : store_trouble_name(facts->trouble)),
             LOG_TEXT("client", facts->client_id), LOG_TEXT("jti", facts->jti),
             LOG_TEXT("address", facts->address), LOG_TEXT("peer", http_peer_of(x)));
}

void refuse_overload(struct api *api, struct http_exchange *x, enum endpoint endpoint) {
    note_refusal(api, x,
                 &(struct refusal_facts){
                     .endpoint = endpoint,
                     .refusal = OAUTH_REFUSED_OVERLOADED,
                     .client_id = SLICE_ABSENT,
                     .address = SLICE_ABSENT,
                     .jti = SLICE_ABSENT,
                     .detail = SLICE_ABSENT,
                 });
    reply_client_refusal(x, OAUTH_REFUSED_OVERLOADED, 0);
}

void reply_client_refusal(struct http_exchange *x, enum oauth_refusal refusal,
                          unsigned retry_after_s) {
    enum oauth_error error = oauth_refusal_error(refusal);
    unsigned status = oauth_error_status(error);
    char storage[16];
    struct buffer seconds = buffer_of(storage, sizeof storage);
    buffer_append_number(&seconds, retry_after_s);
    const struct http_header challenge = HEADER("WWW-Authenticate", SLICE(CHALLENGE_BASIC));
    const struct http_header retry_after = HEADER("Retry-After", buffer_slice(&seconds));
    const struct http_header *extra = status == 401   ? &challenge
                                      : status == 429 ? &retry_after
                                                      : NULL;
    reply_error(x, status, slice_of_string(oauth_error_name(error)),
                slice_of_string(oauth_refusal_description(refusal)), extra);
}
