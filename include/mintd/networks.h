/* networks.h: a list of networks, and whether an address is in one of them. */
#ifndef MINTD_NETWORKS_H
#define MINTD_NETWORKS_H

#include "mintd/buffer.h"
#include "mintd/ip.h"

#define NETWORKS_MAX 32u

struct network {
    struct ip ip;
    unsigned prefix_bits;
};

struct networks {
    struct network items[NETWORKS_MAX];
    unsigned count;
};

/* Reads "10.0.0.0/8 2001:db8::/32 192.0.2.7 unix": at most NETWORKS_MAX networks, separated by
 * spaces or commas. IPv6 may stand in brackets; "::ffff:10.0.0.0/104" is 10.0.0.0/8. False:
 * `error` has one line that says what is wrong. */
bool networks_parse(struct slice text, struct networks *networks, struct buffer *error);
bool networks_contain(const struct networks *networks, const struct ip *ip);

#endif
