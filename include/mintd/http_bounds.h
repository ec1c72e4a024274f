/* http_bounds.h: how many connections the servers of a process may have, together and of one
 * address.
 *
 * Counted in shared atomics, when a connection opens and when it closes; no lock. Addresses are
 * counted in two tables at places that a keyed hash chooses, and the lesser number counts. So an
 * address never has more than its share; and where two addresses meet in both tables (with the
 * default bounds one in 10 million does) they share one. */
#ifndef MINTD_HTTP_BOUNDS_H
#define MINTD_HTTP_BOUNDS_H

#include "mintd/hash.h"
#include "mintd/networks.h"

struct http_bounds;

struct http_bounds_options {
    unsigned max_connections;
    unsigned max_per_address;      /* 0: none. Unix sockets have no address, and no bound */
    unsigned v6_prefix;            /* IPv6 addresses that share so many bits are counted as one */
    const struct networks *exempt; /* addresses that have no bound of their own; outlives it */
    struct hash_seed seed;         /* random */
};

/* NULL without memory. */
struct http_bounds *http_bounds_new(const struct http_bounds_options *options);
void http_bounds_free(struct http_bounds *bounds); /* after the servers; NULL is fine */

#endif
