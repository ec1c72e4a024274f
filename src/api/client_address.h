/* client_address.h: where a request really comes from. */
#ifndef MINTD_API_CLIENT_ADDRESS_H
#define MINTD_API_CLIENT_ADDRESS_H

#include "mintd/http.h"
#include "mintd/networks.h"

/* The peer; or, where the peer is a trusted proxy, what X-Forwarded-For says or, where that is not
 * given, Forwarded (RFC 7239), read from the end: the first address that is not a trusted proxy's.
 * What is no address ("unknown", "_hidden", garbage) ends the reading: whoever wrote it is all that
 * is known. */
struct ip client_address_of(const struct http_exchange *x, const struct networks *trusted);

/* Whether somebody who is no trusted proxy sends one of these fields. */
bool client_address_is_claimed(const struct http_exchange *x, const struct networks *trusted);

#endif
