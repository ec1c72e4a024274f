/* client_address.h: where a request really comes from. */
#ifndef MINTD_API_CLIENT_ADDRESS_H
#define MINTD_API_CLIENT_ADDRESS_H

#include "mintd/http.h"
#include "mintd/networks.h"

/* The peer; or, where the peer is a trusted proxy, what X-Forwarded-For says, read from its end:
 * the first address that is not a trusted proxy's. What is no address ends the reading. Valid until
 * the handler returns. */
struct slice client_address_of(struct http_exchange *x, const struct networks *trusted);

#endif
