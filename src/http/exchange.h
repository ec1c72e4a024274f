/* exchange.h: one request and its response: what lies behind struct http_exchange.
 *
 * A connection takes one at a request's first byte and gives it back when the response has been
 * encoded. In between it is shown to the endpoint: then it is the endpoint's until
 * http_respond(). */
#ifndef MINTD_HTTP_EXCHANGE_H
#define MINTD_HTTP_EXCHANGE_H

#include "http/parser.h"
#include "http/server.h"
#include "http/trace.h"
#include <netinet/in.h>
#include <stdalign.h>

struct connection;

struct http_exchange {
    struct http_exchange *next; /* while nobody uses it */
    struct connection *connection;
    struct parser *parser;
    struct http_request request;
    bool head_was_shown;
    bool body_is_unread; /* announced, and the endpoint does not want it */
    bool is_for_head;
    bool is_http_1_0;
    bool keeps_alive;
    bool is_in_crowd; /* the endpoint answers it later (lag.h) */
    unsigned endpoint;
    uint64_t started_ns; /* when the endpoint was shown what it has of the request */
    uint64_t began_ns;   /* where somebody wants to know how long it took */
    struct slice client; /* the endpoint's; absent: not known */
    struct trace trace;
    void (*wipe)(void *scratch); /* the endpoint's; NULL: there is no secret in it */
    size_t id_size, peer_size;
    char id[HTTP_REQUEST_ID_MAX];
    char peer[IP_TEXT_MAX + 1];
    alignas(max_align_t) char scratch[HTTP_SCRATCH_SIZE];
};

/* NULL without memory. */
struct http_exchange *exchange_take(struct http_server *server, struct connection *connection);
/* Has the endpoint wipe what it had in the scratch area. */
void exchange_give(struct http_server *server, struct http_exchange *x);
/* Fills in what the parser knows of the request, whose bytes begin at data. */
void exchange_describe(struct http_exchange *x, const char *data);
/* The request's bytes are about to go. */
void exchange_forget_request(struct http_exchange *x);
/* Frees an eighth of those that are kept beyond EXCHANGES_IDLE; false: there are none. */
bool exchange_shrink(struct http_server *server);
void exchange_free_all(struct http_server *server);

#endif
