/* http_bounds.h: how many connections the servers of a process may have: in all, and from one
 * address; and how many of them may begin a TLS handshake within a second from one address, since
 * one costs as much as some hundred requests.
 *
 * Connections are counted in shared atomics when they open and when they close; there is no lock.
 * Addresses are counted in two tables, at places that a keyed hash chooses, and the smaller of the
 * two numbers is the one that counts. So an address never gets more than its share. Two addresses
 * that meet in both tables share one bound: with the default bounds that is one pair in 10
 * million. */
#ifndef MINTD_HTTP_BOUNDS_H
#define MINTD_HTTP_BOUNDS_H

#include "mintd/hash.h"
#include "mintd/networks.h"

struct http_bounds;

struct http_bounds_options {
    unsigned max_connections;
    unsigned max_per_address; /* 0: no bound. Unix sockets have no address, and no bound */
    unsigned max_handshakes;  /* a second, from one address; 0: no bound */
    unsigned v6_prefix; /* IPv6 addresses that share their first so many bits are counted as one */
    const struct networks *exempt; /* addresses that have no bound; outlives the bounds */
    struct hash_seed seed;         /* random bits, made at start */
};

/* NULL: no memory. */
struct http_bounds *http_bounds_new(const struct http_bounds_options *options);
void http_bounds_free(struct http_bounds *bounds); /* after all servers are freed; NULL is fine */

#endif
