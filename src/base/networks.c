#include "mintd/networks.h"
#include <arpa/inet.h>

/* An IPv4 address that a socket of both families writes as ::ffff:192.0.2.7. */
static bool is_mapped(const uint8_t bytes[16]) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(bytes, prefix, sizeof prefix) == 0;
}

/* The bytes of an address and how many; 0 for "unix"; false for what is no address. */
static bool read_address(struct slice text, uint8_t bytes[16], unsigned *size) {
    char copy[ADDRESS_TEXT_MAX + 1];
    if (slice_equal(text, S("unix"))) {
        *size = 0;
        return true;
    }
    if (text.size == 0 || text.size > ADDRESS_TEXT_MAX ||
        memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *size = 4;
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        return true;
    }
    if (inet_pton(AF_INET6, copy, bytes) != 1) {
        return false;
    }
    *size = is_mapped(bytes) ? 4 : 16;
    memmove(bytes, bytes + 16 - *size, *size);
    return true;
}

bool address_is_valid(struct slice address) {
    uint8_t bytes[16];
    unsigned size;
    return read_address(address, bytes, &size) && size != 0;
}

static bool read_network(struct slice text, struct network *network) {
    struct slice rest = text;
    struct slice address;
    unsigned long long bits;
    slice_split(&rest, '/', &address);
    if (!read_address(address, network->bytes, &network->size)) {
        return false;
    }
    bits = network->size * 8ull;
    if (!slice_is_absent(rest) && !slice_to_number(rest, bits, &bits)) {
        return false;
    }
    network->prefix_bits = (unsigned)bits;
    return true;
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

static bool is_in(const struct network *network, const uint8_t *bytes, unsigned size) {
    unsigned whole = network->prefix_bits / 8;
    unsigned rest = network->prefix_bits % 8;
    if (size != network->size || memcmp(bytes, network->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}

bool networks_contain(const struct networks *networks, struct slice address) {
    uint8_t bytes[16] = {0};
    unsigned size;
    if (networks->count == 0 || !read_address(address, bytes, &size)) {
        return false;
    }
    for (unsigned i = 0; i < networks->count; i++) {
        if (is_in(&networks->items[i], bytes, size)) {
            return true;
        }
    }
    return false;
}
