/* peer.h: the address of a client. */
#ifndef MINTD_HTTP_PEER_H
#define MINTD_HTTP_PEER_H

#include "mintd/ip.h"
#include <sys/socket.h>

/* An IPv4 client of a listener on both families is an IPv4 client. */
struct ip peer_of(const struct sockaddr *address);

#endif
