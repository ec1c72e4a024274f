/* networks.h: a list of networks, and whether an address is in one of them. */
#ifndef MINTD_NETWORKS_H
#define MINTD_NETWORKS_H

#include "mintd/buffer.h"

#define NETWORKS_MAX 32u
#define ADDRESS_TEXT_MAX 45u /* "ffff:ffff:…:255.255.255.255" */

struct network {
    uint8_t bytes[16];
    unsigned size; /* 4, 16, or 0 for unix sockets */
    unsigned prefix_bits;
};

struct networks {
    struct network items[NETWORKS_MAX];
    unsigned count;
};

/* "10.0.0.0/8 2001:db8::/32 192.0.2.7 unix", separated by spaces or commas; at most NETWORKS_MAX.
 * False with one line that says what is wrong. */
bool networks_parse(struct slice text, struct networks *networks, struct buffer *error);
/* An address as text: "192.0.2.7", "::1", "unix"; "::ffff:192.0.2.7" is 192.0.2.7. What is none is
 * in no network. */
bool networks_contain(const struct networks *networks, struct slice address);
/* Whether the text is an IPv4 or IPv6 address. */
bool address_is_valid(struct slice address);

#endif
