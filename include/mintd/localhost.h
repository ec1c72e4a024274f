/* localhost.h: the name that needs no resolver: it is 127.0.0.1 and ::1 (RFC 6761 6.3). */
#ifndef MINTD_LOCALHOST_H
#define MINTD_LOCALHOST_H

#include <netinet/in.h>
#include <stdbool.h>

#define LOCALHOST_ADDRESSES 2u

union localhost_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Whether it is "localhost" or ends in ".localhost", in any case, with or without a dot at its
 * end. */
bool host_is_localhost(const char *host);
/* index 0: the IPv4 address; 1: the IPv6 address. The port is in host byte order. */
union localhost_address localhost_address(unsigned index, unsigned port);

#endif
