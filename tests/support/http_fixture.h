/* http_fixture.h: an HTTP server with a stub endpoint, on a test's loop and a real socket.
 *
 *      /now            200 "now", on the spot               /empty        204
 *      /echo           200 and the request's body            /big          200 and 100,000 bytes
 *      /peer           200 and the client's address          /huge         200 and 8 MiB
 *      /later?text     200 "text", at http_fixture_answer()  /scratch      fills the scratch area
 *      /taken          404 at the head                       /close        closes the server
 *      /taken-later    at the head, 200 at http_fixture_answer() */
#ifndef MINTD_TEST_HTTP_FIXTURE_H
#define MINTD_TEST_HTTP_FIXTURE_H

#include "mintd/http_server.h"
#include "support/client.h"
#include "support/loop.h"

#define FIXTURE_PENDING_MAX 64u
#define FIXTURE_BIG 100000u
#define FIXTURE_HUGE (8u * 1024u * 1024u)
#define FIXTURE_WAIT_MS 5000u /* for what must happen */
#define FIXTURE_ENDPOINT 3u   /* what the stub calls itself */

struct http_fixture {
    struct http_fixture *next; /* of those that are open */
    struct test_loop loop;
    uv_timer_t tick;
    struct http_server *server;
    struct http_metrics metrics;
    struct http_server_options options;
    char name[HTTP_ADDRESS_MAX];
    struct slice address;
    struct http_exchange *pending[FIXTURE_PENDING_MAX]; /* of /later, in the order they came */
    unsigned pending_count;
    unsigned heads, requests; /* calls of the handler */
    unsigned turns;           /* of the loop */
    bool closing, closed;
};

/* Servers that are opened from now on speak TLS, with this reference; NULL: no more. */
void http_fixture_use_tls(struct tls_context *tls);
/* options: deadlines, max_connections (0: 100), and a handler in the stub's place with its context;
 * NULL takes the defaults. */
void http_fixture_open(struct http_fixture *f, const char *listen,
                       const struct http_server_options *options);
/* Answers what is pending, closes the server, and proves that the loop is empty. */
void http_fixture_close(struct http_fixture *f);
/* Starts to close the server; f->closed tells the end. */
void http_fixture_start_closing(struct http_fixture *f);
/* Answers the n-th of the pending. */
void http_fixture_answer(struct http_fixture *f, unsigned n);

/* All of these run the loop, and fail the test where it does not happen in time. */
struct client_response http_fixture_expect(struct http_fixture *f, struct client *client,
                                           unsigned status);
struct client_response http_fixture_expect_for_head(struct http_fixture *f, struct client *client,
                                                    unsigned status);
/* The server ends the connection, and nothing is left of what it sent. */
void http_fixture_expect_end(struct http_fixture *f, struct client *client);
void http_fixture_expect_pending(struct http_fixture *f, unsigned count);
/* So many connections are open. */
void http_fixture_expect_open(struct http_fixture *f, unsigned count);
void http_fixture_expect_closed(struct http_fixture *f);

#endif
