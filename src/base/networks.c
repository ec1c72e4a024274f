#include "mintd/networks.h"

#define V6_BITS_OF_V4 96u /* of ::ffff:10.0.0.0, ahead of the IPv4 address */

/* A bare address, IPv6 in brackets, or "unix". */
static bool read_address(struct slice text, struct ip *ip, bool *is_v6) {
    if (slice_equal(text, S("unix"))) {
        *ip = (struct ip){.size = 0};
        return true;
    }
    *is_v6 = text.size != 0 && memchr(text.data, ':', text.size) != NULL;
    if (*is_v6 && text.data[0] == '[' && text.data[text.size - 1] == ']') {
        text = slice_of(text.data + 1, text.size - 2);
    }
    return ip_parse(text, ip);
}

static bool read_network(struct slice text, struct network *network) {
    struct slice rest = text;
    struct slice address;
    bool is_v6 = false;
    slice_split(&rest, '/', &address);
    if (!read_address(address, &network->ip, &is_v6)) {
        return false;
    }
    bool is_mapped = is_v6 && network->ip.size == 4;
    unsigned skipped = is_mapped ? V6_BITS_OF_V4 : 0;
    unsigned long long bits = network->ip.size * 8ull + skipped;
    if (!slice_is_absent(rest) && !slice_to_number(rest, bits, &bits)) {
        return false;
    }
    network->prefix_bits = (unsigned)bits - skipped;
    return bits >= skipped;
}

static bool next_item(struct slice *rest, struct slice *item) {
    while (rest->size != 0 && (*rest->data == ' ' || *rest->data == ',')) {
        *rest = slice_skip(*rest, 1);
    }
    size_t size = 0;
    while (size < rest->size && rest->data[size] != ' ' && rest->data[size] != ',') {
        size++;
    }
    *item = slice_of(rest->data, size);
    *rest = slice_skip(*rest, size);
    return size != 0;
}

bool networks_parse(struct slice text, struct networks *networks, struct buffer *error) {
    struct slice rest = text;
    struct slice item;
    networks->count = 0;
    while (next_item(&rest, &item)) {
        if (networks->count == NETWORKS_MAX) {
            buffer_append_format(error, "%u networks at most", NETWORKS_MAX);
            return false;
        }
        if (!read_network(item, &networks->items[networks->count++])) {
            buffer_append_format(error, "'%.*s' is not an address, a network (10.0.0.0/8) or unix",
                                 (int)item.size, item.data);
            return false;
        }
    }
    return true;
}

static bool is_in(const struct network *network, const struct ip *ip) {
    unsigned whole = network->prefix_bits / 8;
    unsigned rest = network->prefix_bits % 8;
    if (ip->size != network->ip.size || memcmp(ip->bytes, network->ip.bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (ip->bytes[whole] ^ network->ip.bytes[whole]) >> (8 - rest) == 0;
}

bool networks_contain(const struct networks *networks, const struct ip *ip) {
    for (unsigned i = 0; i < networks->count; i++) {
        if (is_in(&networks->items[i], ip)) {
            return true;
        }
    }
    return false;
}
