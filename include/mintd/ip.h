/* ip.h: the address of a peer: an IPv4 or IPv6 address, or a unix socket, which has none.
 *
 * An IPv4 address that is written as IPv6 (::ffff:192.0.2.7) is treated as that IPv4 address
 * everywhere. */
#ifndef MINTD_IP_H
#define MINTD_IP_H

#include "mintd/slice.h"
#include <stdint.h>

#define IP_TEXT_MAX 45u /* "ffff:ffff:…:255.255.255.255" */
#define IP_V6_BITS 128u

struct ip {
    uint8_t size;      /* 4, 16, or 0 for a unix socket */
    uint8_t bytes[16]; /* zero from `size` on */
};

/* From 4 or 16 bytes, in the order of a socket address. */
struct ip ip_of_v4(const void *bytes);
struct ip ip_of_v6(const void *bytes);

/* Reads a bare address: "192.0.2.7", "2001:db8::1". False: the text is something else. */
bool ip_parse(struct slice text, struct ip *ip);
/* Reads an address as proxies write it, with or without port, brackets and quotes: "192.0.2.7:80",
 * "[2001:db8::1]:80", "\"[2001:db8::1]\"" (RFC 7239 6; the port may be obfuscated). Names,
 * "unknown" and "_hidden" are not addresses: false. */
bool ip_parse_node(struct slice text, struct ip *ip);

/* Writes the address in its only spelling (RFC 5952); "unix" for a unix socket. Returns the
 * length. It writes no NUL. */
size_t ip_text(const struct ip *ip, char text[IP_TEXT_MAX + 1]);

/* The network that an address is counted under. Of IPv6 it keeps the first v6_bits; the rest is
 * zero. IPv4 and unix stay as they are. */
struct ip ip_network(const struct ip *ip, unsigned v6_bits);

static inline bool ip_equal(const struct ip *a, const struct ip *b) {
    return a->size == b->size && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

#endif
