/* client.h: an HTTP client of raw bytes, for tests that share a thread with the server.
 *
 * Nothing blocks: client_receive() takes what is there. The test runs the loop in between. */
#ifndef MINTD_TEST_CLIENT_H
#define MINTD_TEST_CLIENT_H

#include "mintd/slice.h"

struct client_tls;

struct client {
    int fd;
    struct client_tls *tls; /* NULL: plain; see client_tls.h */
    char *data;             /* received; data[0 .. taken) has been handed out */
    size_t size, capacity, taken;
    bool ended; /* the server has closed its side, or all of it */
    int error;  /* an errno value, where it was not closed in good order */
};

/* Slices of what the client has received: valid until it receives again. */
struct client_response {
    unsigned status;
    struct slice head; /* with its empty line */
    struct slice body;
};

/* "127.0.0.1:4001", "[::1]:4001" or "unix:/path". Fails the test where that fails. */
void client_connect(struct client *client, struct slice address);
/* The same, and never with TLS. */
void client_connect_plain(struct client *client, struct slice address);
/* Sends all of it; fails the test where the socket does not take it at once. */
void client_send(struct client *client, struct slice bytes);
/* Sends what the socket takes; returns how much that is. */
size_t client_push(struct client *client, struct slice bytes);
void client_receive(struct client *client);
/* The same, of so many bytes at most (of records, with TLS). */
void client_receive_some(struct client *client, size_t most);
/* Closes the sending half (with TLS: says so there, too). */
void client_shut(struct client *client);
/* Twice is fine. */
void client_close(struct client *client);
/* Closes with a reset. */
void client_reset(struct client *client);

/* The next response, of what has been received; false: it is not whole. `for_head`: the request was
 * HEAD. Fails the test where it is no HTTP/1.1. */
bool client_take_response(struct client *client, bool for_head, struct client_response *response);
/* A field's value, its name in any case; absent where there is none. Fails the test where there are
 * several. */
struct slice client_field(const struct client_response *response, struct slice name);

#endif
