/* localhost.h: the name that no resolver is asked for: it is 127.0.0.1 and ::1 (RFC 6761 6.3). */
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

/* "localhost" and what ends in ".localhost", in any case, also with the dot of the root. */
bool host_is_localhost(const char *host);
/* 0: of IPv4; 1: of IPv6. */
union localhost_address localhost_address(unsigned index, unsigned port);

#endif
