/* peer.h: the address of a client, kept small: an idle connection has it, too. */
#ifndef MINTD_HTTP_PEER_H
#define MINTD_HTTP_PEER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct peer {
    uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
    uint8_t address[16];
};

/* An IPv4 client of a listener on both families is an IPv4 client. */
struct peer peer_of(const struct sockaddr *address);
/* http_peer_of(); returns the length. */
size_t peer_text(const struct peer *peer, char text[INET6_ADDRSTRLEN]);

#endif
