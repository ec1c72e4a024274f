/* metadata.c: the two well-known documents: of the authorization server (RFC 8414), of the
 * protected resource (RFC 9728); and the authorization endpoint that the first one names.
 *
 * Both follow from the settings alone, never from a request's fields. */
#include "api/api_internal.h"

/* Seven URLs, and scopes of one letter each. */
#define BODY_MAX (1024u + 7 * (API_ISSUER_MAX + 64) + 2 * OAUTH_SCOPE_MAX)
#define RESOURCE_WELL_KNOWN "/.well-known/oauth-protected-resource"
#define SERVER_WELL_KNOWN "/.well-known/oauth-authorization-server"

/* Behind "scheme://": where the host starts, or an absent slice. */
static struct slice skip_scheme(struct slice url) {
    if (slice_starts_with(url, S("https://"))) {
        return slice_skip(url, strlen("https://"));
    }
    return slice_starts_with(url, S("http://")) ? slice_skip(url, strlen("http://")) : SLICE_ABSENT;
}

bool api_issuer_is_valid(struct slice issuer) {
    struct slice rest = skip_scheme(issuer);
    if (rest.size == 0 || rest.data[0] == '/' || issuer.size >= API_ISSUER_MAX ||
        issuer.data[issuer.size - 1] == '/') {
        return false;
    }
    for (size_t i = 0; i < issuer.size; i++) {
        if (issuer.data[i] <= ' ' || issuer.data[i] >= 0x7f ||
            strchr("?#\"\\<>", issuer.data[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static struct slice origin_of(const struct api *api) {
    struct slice issuer = api->options.issuer;
    return slice_of(issuer.data, issuer.size - api->issuer_path.size);
}

void metadata_init(struct api *api) {
    struct buffer issuer = buffer_of(api->issuer, sizeof api->issuer);
    struct buffer url = buffer_of(api->resource_url_text, sizeof api->resource_url_text);
    buffer_append(&issuer, api->options.issuer);
    api->options.issuer = buffer_slice(&issuer);

    struct slice host = skip_scheme(api->options.issuer);
    const char *path = host.size == 0 ? NULL : memchr(host.data, '/', host.size);
    api->issuer_path =
        path == NULL ? S("") : slice_of(path, (size_t)(host.data + host.size - path));

    buffer_append(&url, origin_of(api));
    buffer_append(&url, S(RESOURCE_WELL_KNOWN));
    buffer_append(&url, api->issuer_path);
    buffer_append(&url, S("/secret"));
    api->resource_url = buffer_slice(&url);
}

struct slice metadata_resource_url(const struct api *api) {
    return api->resource_url;
}

bool metadata_is_authorization_server(const struct api *api, struct slice path) {
    return slice_starts_with(path, S(SERVER_WELL_KNOWN)) &&
           slice_equal(slice_skip(path, strlen(SERVER_WELL_KNOWN)), api->issuer_path);
}

bool metadata_is_protected_resource(const struct api *api, struct slice path) {
    struct slice resource = slice_skip(api->resource_url, origin_of(api).size);
    return slice_equal(path, resource);
}

void api_write_resource(struct buffer *text, struct slice issuer) {
    buffer_append(text, issuer);
    buffer_append(text, S("/secret"));
}

static void write_resource(struct buffer *body, const char *before, const struct api *api) {
    buffer_append(body, slice_of_string(before));
    buffer_append_char(body, '"');
    api_write_resource(body, api->options.issuer);
    buffer_append_char(body, '"');
}

static void write_url(struct buffer *body, const char *before, const struct api *api,
                      const char *path) {
    buffer_append(body, slice_of_string(before));
    buffer_append_char(body, '"');
    buffer_append(body, api->options.issuer);
    buffer_append(body, slice_of_string(path));
    buffer_append_char(body, '"');
}

static void reply_document(struct http_exchange *x, const struct buffer *body) {
    static const struct http_header headers[] = {HEADER_JSON,
                                                 HEADER("Cache-Control", SLICE("max-age=300"))};
    http_respond(x, &(struct http_response){200, headers, 2, buffer_slice(body)});
}

static void write_scopes(struct buffer *body, struct slice scopes) {
    struct slice scope;
    char before = '[';
    buffer_append(body, S(",\"scopes_supported\":"));
    while (slice_split(&scopes, ' ', &scope)) {
        buffer_append_char(body, before);
        buffer_append_json(body, scope);
        before = ',';
    }
    buffer_append_char(body, ']');
}

#define AUTHENTICATION_METHODS "[\"client_secret_basic\",\"client_secret_post\"]"

void metadata_authorization_server(struct api *api, struct http_exchange *x) {
    char storage[BODY_MAX];
    struct buffer body = buffer_of(storage, sizeof storage);
    write_url(&body, "{\"issuer\":", api, "");
    /* There is no authorization endpoint to use, and so no response type. But RFC 8414 2 requires
     * response_types_supported, and the clients of MCP require both; so both are there. */
    write_url(&body, ",\"authorization_endpoint\":", api, "/authorize");
    write_url(&body, ",\"token_endpoint\":", api, "/token");
    write_url(&body, ",\"introspection_endpoint\":", api, "/introspect");
    write_url(&body, ",\"revocation_endpoint\":", api, "/revoke");
    buffer_append(&body,
                  S(",\"response_types_supported\":[]"
                    ",\"grant_types_supported\":[\"client_credentials\"]"
                    ",\"token_endpoint_auth_methods_supported\":" AUTHENTICATION_METHODS
                    ",\"introspection_endpoint_auth_methods_supported\":" AUTHENTICATION_METHODS
                    ",\"revocation_endpoint_auth_methods_supported\":" AUTHENTICATION_METHODS));
    if (!slice_is_absent(api->options.scopes_supported)) {
        write_scopes(&body, api->options.scopes_supported);
    }
    write_resource(&body, ",\"protected_resources\":[", api);
    buffer_append(&body, S("]}"));
    reply_document(x, &body);
}

void metadata_protected_resource(struct api *api, struct http_exchange *x) {
    char storage[BODY_MAX];
    struct buffer body = buffer_of(storage, sizeof storage);
    write_resource(&body, "{\"resource\":", api);
    write_url(&body, ",\"authorization_servers\":[", api, "");
    buffer_append(&body, S("],\"bearer_methods_supported\":[\"header\"]}"));
    reply_document(x, &body);
}

/* RFC 6749 4.1.2.1, but without a redirect: the redirect URI is a stranger's. */
void authorization_refused(struct api *api, struct http_exchange *x) {
    (void)api;
    reply_error(x, 400, S("unsupported_response_type"),
                S("there is no authorization endpoint here: ask the token endpoint with "
                  "grant_type=client_credentials"),
                NULL);
}
