#include "http/peer.h"
#include <netinet/in.h>

struct ip peer_of(const struct sockaddr *address) {
    switch (address->sa_family) {
    case AF_INET:
        return ip_of_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    case AF_INET6:
        return ip_of_v6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    default:
        return (struct ip){.size = 0};
    }
}
