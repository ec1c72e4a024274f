/* http.h: one HTTP request and its response, as an endpoint sees them.
 *
 * The server (http_server.h) calls the handler with an exchange. From then on the exchange belongs
 * to the endpoint until it calls http_respond(). It calls that exactly once, at once or on a later
 * turn of the loop. The call is also legal, and has no effect, after the client has gone.
 *
 * The bytes of the request lie in a buffer that many connections share. So every slice of struct
 * http_request is valid only until the handler returns. What is needed later must be copied into
 * the scratch area. */
#ifndef MINTD_HTTP_H
#define MINTD_HTTP_H

#include "mintd/ip.h"
#include "mintd/slice.h"
#include <stdint.h>

/* Limits, in bytes or in lines (CONFORMANCE 0.14). */
#define HTTP_MAX_HEAD (16u * 1024u)  /* request line and fields; more is 431 */
#define HTTP_MAX_TARGET (8u * 1024u) /* more is 414 */
#define HTTP_MAX_FIELDS 100u         /* more is 431 */
#define HTTP_MAX_BODY (16u * 1024u)  /* more is 413 */
#define HTTP_MAX_KNOWN_FIELDS 24u    /* lines of the fields below; more is 431 */
#define HTTP_REQUEST_ID_MAX 64u
#define HTTP_SCRATCH_SIZE (16u * 1024u)
#define HTTP_MAX_ENDPOINTS 16u

/* The methods that we tell apart. A method that llhttp does not know is answered 501 and never
 * gets here. */
enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_OTHER, /* known to HTTP; of our endpoints only /verify takes it */
};

/* The fields that our code reads. All others are counted and dropped. */
#define HTTP_FIELDS(X)                                                                             \
    X(HOST, "host")                                                                                \
    X(AUTHORIZATION, "authorization")                                                              \
    X(CONTENT_TYPE, "content-type")                                                                \
    X(CONTENT_ENCODING, "content-encoding")                                                        \
    X(TRANSFER_ENCODING, "transfer-encoding")                                                      \
    X(EXPECT, "expect")                                                                            \
    X(X_REQUEST_ID, "x-request-id")                                                                \
    X(TRACEPARENT, "traceparent")                                                                  \
    X(X_FORWARDED_FOR, "x-forwarded-for")                                                          \
    X(FORWARDED, "forwarded")                                                                      \
    X(X_AUTH_REQUIRE_SCOPE, "x-auth-require-scope")                                                \
    X(X_AUTH_REQUIRE_AUDIENCE, "x-auth-require-audience")                                          \
    X(X_AUTH_RESOURCE_METADATA, "x-auth-resource-metadata")                                        \
    X(ACCEPT, "accept")                                                                            \
    X(ACCEPT_ENCODING, "accept-encoding")

enum http_field_id {
#define X(id, name) HTTP_FIELD_##id,
    HTTP_FIELDS(X)
#undef X
        HTTP_FIELD_COUNT
};

struct http_field {
    enum http_field_id id;
    struct slice value; /* without spaces and tabs at its ends */
};

struct http_request {
    enum http_method method;
    bool announces_body; /* the head has a Content-Length over 0 or is chunked */
    bool body_too_large; /* the head says so: on HTTP_READ_BODY the server answers 413 */
    struct slice path;  /* as sent, up to the '?'; of a target in absolute form, its path; or "*" */
    struct slice query; /* what stands behind the '?'; absent where there is none */
    struct slice body;  /* whole and decoded; empty until all of it has arrived */
    struct http_field fields[HTTP_MAX_KNOWN_FIELDS]; /* in the order in which they were sent */
    unsigned field_count;
};

/* How many lines of this field the request has. */
unsigned http_field_lines(const struct http_request *request, enum http_field_id id);
/* The value of the first line of this field; absent where there is none. */
struct slice http_field_value(const struct http_request *request, enum http_field_id id);

struct http_header {
    struct slice name, value; /* visible ASCII and spaces; the caller makes sure of it */
};

/* The server adds Content-Length, Date, Connection and X-Request-Id. */
struct http_response {
    unsigned status; /* 200 to 599 */
    const struct http_header *headers;
    unsigned header_count;
    struct slice body; /* for HEAD it is counted and not sent; for 204 it must be empty */
};

struct http_exchange; /* the server owns it */

const struct http_request *http_request_of(const struct http_exchange *x);
/* The peer's address as text without its port ("192.0.2.1", "::1"); "unix" for a unix socket.
 * Valid until http_respond(). */
struct slice http_peer_of(struct http_exchange *x);
/* The same address as bytes. Valid as long as the exchange. */
const struct ip *http_peer_ip_of(const struct http_exchange *x);
/* The request's id: its X-Request-Id where that is 1 to 64 of [A-Za-z0-9._-], else one that we
 * made. Valid until http_respond(). */
struct slice http_request_id_of(struct http_exchange *x);
/* The ids of the caller's trace (W3C Trace Context): 32 and 16 hex digits. Absent where the
 * request does not have exactly one valid traceparent. Valid until http_respond(). */
struct slice http_trace_id_of(const struct http_exchange *x);
struct slice http_span_id_of(const struct http_exchange *x);
/* Storage for the endpoint's state: at most HTTP_SCRATCH_SIZE bytes, aligned for any type, not
 * zeroed. It belongs to the endpoint until http_respond() returns. Then the server calls `wipe`,
 * once, which wipes what is secret there: from now on it may be called at any time. NULL: nothing
 * is. What is not wiped the next request finds. */
void *http_scratch_of(struct http_exchange *x, size_t size, void (*wipe)(void *scratch));
/* The exchange that this scratch area belongs to. */
struct http_exchange *http_exchange_of_scratch(void *scratch);
/* Names the endpoint for the response counters: 0 to HTTP_MAX_ENDPOINTS - 1. Before the first call
 * it is 0, "none". */
void http_set_endpoint(struct http_exchange *x, unsigned endpoint);

/* Whether there are more requests than can be answered, and this one has waited for so long that
 * what costs much is to be left out (src/http/lag.h has the law). Cheap: the clock is looked at
 * once for many. */
bool http_is_overloaded(struct http_exchange *x);
/* The same of a request that is refused then: 503 with Retry-After. It is counted, since refusals
 * are kept to a part of what is answered where they are what costs. Call it once a request. */
bool http_may_refuse(struct http_exchange *x);
/* Names the client of the request for on_answered. It is not copied: it must stay until
 * http_respond() has returned. */
void http_set_client(struct http_exchange *x, struct slice client);

/* Copies all that it is given, and ends the exchange. The bytes are sent at the end of this turn
 * of the loop at the latest. */
void http_respond(struct http_exchange *x, const struct http_response *response);

enum http_next {
    HTTP_READ_BODY, /* read the body, if one is announced, then call on_request */
    /* The handler has the exchange: it has responded, or it will. An announced body is not read,
     * and the connection closes after the response. */
    HTTP_TAKEN,
};

struct http_answered {
    enum http_method method;
    unsigned endpoint, status;
    uint64_t duration_us; /* since the first byte of the request was read */
    struct slice client;  /* absent: it is not known */
};

struct http_handler {
    /* The head is there and well-formed; the body has not been read. Called once for each request.
     */
    enum http_next (*on_head)(void *context, struct http_exchange *x);
    /* Head and body are there. Called at most once for each request, after HTTP_READ_BODY. */
    void (*on_request)(void *context, struct http_exchange *x);
    /* Called for each request that gets an answer, at the moment of the answer; also for a request
     * that the server itself refuses. NULL: not called. */
    void (*on_answered)(void *context, struct http_exchange *x,
                        const struct http_answered *answered);
};

#endif
