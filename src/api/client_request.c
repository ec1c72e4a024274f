#include "api/client_request.h"
#include "api/client_address.h"

enum { CLIENT_ID, CLIENT_SECRET };

struct form_parameter *client_request_add(struct client_request *request, struct slice name,
                                          char *storage, size_t size) {
    struct form_parameter *parameter = &request->parameters[request->count++];
    *parameter = (struct form_parameter){.name = name, .value = buffer_of(storage, size)};
    return parameter;
}

void client_request_init(struct client_request *request,
                         struct oauth_authentication *authentication) {
    oauth_credentials_init(&authentication->credentials);
    request->count = 0;
    client_request_add(request, S("client_id"), request->client_id, sizeof request->client_id);
    client_request_add(request, S("client_secret"), request->client_secret,
                       sizeof request->client_secret);
}

void client_request_wipe(struct client_request *request,
                         struct oauth_authentication *authentication) {
    oauth_credentials_wipe(&authentication->credentials);
    crypto_wipe(request->client_secret, request->parameters[CLIENT_SECRET].value.size);
}

struct form_parameter *client_request_add_token(struct client_request *request, char *storage,
                                                size_t size) {
    struct form_parameter *token = client_request_add(request, S("token"), storage, size);
    token->any_length = true;
    return token;
}

struct slice client_request_token(const struct form_parameter *token) {
    if (token->value.overflow) {
        return S("");
    }
    return token->value.size == 0 ? SLICE_ABSENT : buffer_slice(&token->value);
}

static struct slice value_of(const struct client_request *request, unsigned index) {
    return buffer_slice(&request->parameters[index].value);
}

/* Which way the client authenticates itself; NONE where it is one way, well-formed or not. */
static enum oauth_refusal read_credentials(const struct client_request *request,
                                           const struct http_request *http,
                                           struct oauth_credentials *credentials) {
    struct slice id = value_of(request, CLIENT_ID);
    struct slice secret = value_of(request, CLIENT_SECRET);
    unsigned lines = http_field_lines(http, HTTP_FIELD_AUTHORIZATION);
    if (lines == 0) {
        oauth_credentials_from_body(credentials, id, secret);
        return OAUTH_REFUSED_NONE;
    }
    oauth_credentials_from_basic(credentials, http_field_value(http, HTTP_FIELD_AUTHORIZATION));
    if (secret.size != 0 || lines > 1) {
        return OAUTH_REFUSED_TWO_CREDENTIALS;
    }
    if (id.size != 0 && credentials->refusal == OAUTH_REFUSED_NONE &&
        !slice_equal(id, oauth_credentials_id(credentials))) {
        return OAUTH_REFUSED_OTHER_CLIENT_ID;
    }
    return OAUTH_REFUSED_NONE;
}

/* "192.0.2.7", or of IPv6 the network: "2001:db8:1:2::/64". */
static struct slice write_counted(struct client_request *request, const struct ip *address,
                                  unsigned v6_prefix) {
    if (address->size != 16 || v6_prefix >= IP_V6_BITS) {
        return slice_of(request->address, request->address_size);
    }
    struct ip network = ip_network(address, v6_prefix);
    struct buffer counted = buffer_of(request->network, sizeof request->network);
    counted.size = ip_text(&network, request->network);
    buffer_append_char(&counted, '/');
    buffer_append_number(&counted, v6_prefix);
    return buffer_slice(&counted);
}

static void read_address(struct client_request *request, const struct api *api,
                         struct http_exchange *x, struct oauth_authentication *authentication) {
    struct ip address = client_address_of(x, api->options.trusted_proxies);
    request->address_size = ip_text(&address, request->address);
    authentication->address = write_counted(request, &address, api->options.failure_v6_prefix);
}

enum oauth_refusal client_request_read(struct client_request *request, const struct api *api,
                                       struct http_exchange *x,
                                       struct oauth_authentication *authentication) {
    const struct http_request *http = http_request_of(x);
    authentication->retry_after_s = 0;
    authentication->read.deadline_ns = 0;
    read_address(request, api, x, authentication);
    if (http->query.size != 0) {
        return OAUTH_REFUSED_PARAMETERS_IN_URI;
    }
    switch (form_read(http->body, request->parameters, request->count)) {
    case FORM_MALFORMED:
        return OAUTH_REFUSED_MALFORMED_FORM;
    case FORM_REPEATED:
        return OAUTH_REFUSED_REPEATED_PARAMETER;
    case FORM_TOO_LONG:
        return OAUTH_REFUSED_PARAMETER_TOO_LONG;
    case FORM_OK:
        break;
    }
    return read_credentials(request, http, &authentication->credentials);
}

static void describe_expired_secret(const struct oauth_authentication *authentication,
                                    uint64_t now_ms, struct buffer *detail) {
    buffer_append_format(detail, "secret %u expired %llu s ago", authentication->secret_number,
                         (unsigned long long)(now_ms / 1000 - authentication->secret_expired_at));
}

void client_request_refuse(struct api *api, struct http_exchange *x, enum endpoint endpoint,
                           const struct client_request *request,
                           const struct oauth_authentication *authentication,
                           enum oauth_refusal refusal, enum store_trouble trouble) {
    char storage[64];
    struct buffer detail = buffer_of(storage, sizeof storage);
    if (refusal == OAUTH_REFUSED_SECRET_EXPIRED) {
        describe_expired_secret(authentication, api->options.wall_ms(), &detail);
    }
    note_refusal(api, x,
                 &(struct refusal_facts){
                     .endpoint = endpoint,
                     .refusal = refusal,
                     .trouble = trouble,
                     .client_id = authentication->credentials.id_size == 0
                                      ? SLICE_ABSENT
                                      : oauth_credentials_id(&authentication->credentials),
                     .address = slice_of(request->address, request->address_size),
                     .detail = detail.size == 0 ? SLICE_ABSENT : buffer_slice(&detail),
                 });
    reply_client_refusal(x, refusal, authentication->retry_after_s);
}
