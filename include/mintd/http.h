/* http.h: one HTTP request and its response, as an endpoint sees them.
 *
 * The server (http_server.h) calls the handler with an exchange. From then on the exchange is the
 * endpoint's until http_respond(), which is called exactly once, at once or on a later turn of the
 * loop, and is legal (and silent) after the client has gone.
 *
 * The request's bytes lie in a buffer that many connections share: every slice of struct
 * http_request is valid until the handler returns, no longer. What is needed later is copied into
 * the scratch area. */
#ifndef MINTD_HTTP_H
#define MINTD_HTTP_H

#include "mintd/ip.h"
#include "mintd/slice.h"
#include <stdint.h>

/* Limits (CONFORMANCE 0.14). */
#define HTTP_MAX_HEAD (16u * 1024u)  /* request line and fields; over it 431 */
#define HTTP_MAX_TARGET (8u * 1024u) /* over it 414 */
#define HTTP_MAX_FIELDS 100u         /* over it 431 */
#define HTTP_MAX_BODY (16u * 1024u)  /* over it 413 */
#define HTTP_MAX_KNOWN_FIELDS 24u    /* lines of the fields below; over it 431 */
#define HTTP_REQUEST_ID_MAX 64u
#define HTTP_SCRATCH_SIZE (16u * 1024u)
#define HTTP_MAX_ENDPOINTS 16u

/* What we tell apart. A method that llhttp does not know is answered 501 and never gets here. */
enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_OTHER, /* known to HTTP, used by none of our endpoints but /verify */
};

/* The fields that somebody here reads; all others are counted and dropped. */
#define HTTP_FIELDS(X)                                                                             \
    X(HOST, "host")                                                                                \
    X(AUTHORIZATION, "authorization")                                                              \
    X(CONTENT_TYPE, "content-type")                                                                \
    X(CONTENT_ENCODING, "content-encoding")                                                        \
    X(TRANSFER_ENCODING, "transfer-encoding")                                                      \
    X(EXPECT, "expect")                                                                            \
    X(X_REQUEST_ID, "x-request-id")                                                                \
    X(X_FORWARDED_FOR, "x-forwarded-for")                                                          \
    X(FORWARDED, "forwarded")                                                                      \
    X(X_AUTH_REQUIRE_SCOPE, "x-auth-require-scope")                                                \
    X(X_AUTH_REQUIRE_AUDIENCE, "x-auth-require-audience")                                          \
    X(X_AUTH_RESOURCE_METADATA, "x-auth-resource-metadata")

enum http_field_id {
#define X(id, name) HTTP_FIELD_##id,
    HTTP_FIELDS(X)
#undef X
        HTTP_FIELD_COUNT
};

struct http_field {
    enum http_field_id id;
    struct slice value; /* trimmed */
};

struct http_request {
    enum http_method method;
    bool announces_body; /* the head has a Content-Length over 0 or is chunked */
    bool body_too_large; /* the head says so: on HTTP_READ_BODY the server answers 413 */
    struct slice path;   /* as sent, up to the '?'; of an absolute-form target, its path; "*" */
    struct slice query;  /* behind the '?'; absent without one */
    struct slice body;   /* whole and decoded; empty until it is in */
    struct http_field fields[HTTP_MAX_KNOWN_FIELDS]; /* in the order sent */
    unsigned field_count;
};

/* How many lines of this field the request has. */
unsigned http_field_lines(const struct http_request *request, enum http_field_id id);
/* The value of its first line; absent where it has none. */
struct slice http_field_value(const struct http_request *request, enum http_field_id id);

struct http_header {
    struct slice name, value; /* visible ASCII and spaces; the caller's to make sure */
};

/* Content-Length, Date, Connection and X-Request-Id are added by the server. */
struct http_response {
    unsigned status; /* 200 to 599 */
    const struct http_header *headers;
    unsigned header_count;
    struct slice body; /* for HEAD counted and not sent; for 204 it must be empty */
};

struct http_exchange; /* the server's */

const struct http_request *http_request_of(const struct http_exchange *x);
/* The peer's address as text without port ("192.0.2.1", "::1"), "unix" for a unix socket. Valid
 * until http_respond(). */
struct slice http_peer_of(struct http_exchange *x);
/* The same as bytes; valid as long as the exchange. */
const struct ip *http_peer_ip_of(const struct http_exchange *x);
/* X-Request-Id: the caller's where it is 1 to 64 of [A-Za-z0-9._-], else one of ours. Valid until
 * http_respond(). */
struct slice http_request_id_of(struct http_exchange *x);
/* Storage for the endpoint's state, aligned for anything, HTTP_SCRATCH_SIZE bytes, not zeroed, the
 * endpoint's until http_respond() returns; wiped by the server afterwards up to the size asked for.
 */
void *http_scratch_of(struct http_exchange *x, size_t size);
/* Back from the scratch area to its exchange. */
struct http_exchange *http_exchange_of_scratch(void *scratch);
/* Names the endpoint for the response counters, 0 to HTTP_MAX_ENDPOINTS - 1. Until set it is 0:
 * "none". */
void http_set_endpoint(struct http_exchange *x, unsigned endpoint);

/* Copies everything it is given, and ends the exchange. The bytes leave at the end
 * of this turn at the latest. */
void http_respond(struct http_exchange *x, const struct http_response *response);

enum http_next {
    HTTP_READ_BODY, /* read the body (if one is announced), then call on_request */
    HTTP_TAKEN, /* the handler has the exchange: it has responded, or will. An announced body is not
                   read, and the connection closes behind the response */
};

struct http_handler {
    /* The head is in and well-formed, the body not looked at. Called once a request. */
    enum http_next (*on_head)(void *context, struct http_exchange *x);
    /* Head and body are in. */
    void (*on_request)(void *context, struct http_exchange *x);
};

#endif
