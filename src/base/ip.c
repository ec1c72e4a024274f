#include "mintd/ip.h"
#include "mintd/buffer.h"
#include "mintd/encoding.h"
#include <arpa/inet.h>

#define PORT_MAX 65535u
#define NODE_MAX 128u /* of a quoted node: an address, a port and some backslashes */

_Static_assert(IP_TEXT_MAX + 1 == INET6_ADDRSTRLEN, "any address has room");

struct ip ip_of_v4(const void *bytes) {
    struct ip ip = {.size = 4};
    memcpy(ip.bytes, bytes, 4);
    return ip;
}

struct ip ip_of_v6(const void *bytes) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct ip ip = {.size = 16};
    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        return ip_of_v4((const uint8_t *)bytes + sizeof mapped);
    }
    memcpy(ip.bytes, bytes, 16);
    return ip;
}

bool ip_parse(struct slice text, struct ip *ip) {
    char copy[IP_TEXT_MAX + 1];
    uint8_t bytes[16];
    if (text.size == 0 || text.size > IP_TEXT_MAX || memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        *ip = ip_of_v4(bytes);
        return true;
    }
    if (inet_pton(AF_INET6, copy, bytes) == 1) {
        *ip = ip_of_v6(bytes);
        return true;
    }
    return false;
}

/* ---- as proxies write it ---- */

static bool is_obfuscated(struct slice text) {
    return text.size > 1 && text.data[0] == '_' && word_is_plain(text);
}

/* Nothing, or ":80", or ":_hidden". */
static bool is_port(struct slice text) {
    unsigned long long number;
    if (text.size == 0) {
        return true;
    }
    struct slice port = slice_skip(text, 1);
    return text.data[0] == ':' && (slice_to_number(port, PORT_MAX, &number) || is_obfuscated(port));
}

/* The offset of the first such byte; the size where there is none. */
static size_t find(struct slice text, char c) {
    const char *found = text.size == 0 ? NULL : memchr(text.data, c, text.size);
    return found == NULL ? text.size : (size_t)(found - text.data);
}

/* "[2001:db8::1]", and a port. In brackets stands what has colons. */
static bool parse_bracketed(struct slice text, struct ip *ip) {
    size_t end = find(text, ']');
    if (end == text.size) {
        return false;
    }
    struct slice host = slice_of(text.data + 1, end - 1);
    return find(host, ':') != host.size && is_port(slice_skip(text, end + 1)) && ip_parse(host, ip);
}

static bool parse_unquoted(struct slice text, struct ip *ip) {
    if (text.size != 0 && text.data[0] == '[') {
        return parse_bracketed(text, ip);
    }
    size_t colon = find(text, ':');
    struct slice rest = slice_skip(text, colon);
    if (rest.size == 0 || find(slice_skip(rest, 1), ':') != rest.size - 1) {
        return ip_parse(text, ip); /* no colon, or several: IPv6 has no port without brackets */
    }
    return is_port(rest) && ip_parse(slice_of(text.data, colon), ip);
}

/* A quoted string without its quotes and backslashes (RFC 9110 5.6.4); false where it is none. */
static bool unquote(struct slice text, struct buffer *out) {
    if (text.size < 2 || text.data[text.size - 1] != '"') {
        return false;
    }
    struct slice rest = slice_of(text.data + 1, text.size - 2);
    while (rest.size != 0) {
        bool escaped = rest.data[0] == '\\';
        if (rest.data[0] == '"' || (escaped && rest.size == 1)) {
            return false;
        }
        buffer_append_char(out, rest.data[escaped ? 1 : 0]);
        rest = slice_skip(rest, escaped ? 2 : 1);
    }
    return !out->overflow;
}

bool ip_parse_node(struct slice text, struct ip *ip) {
    char storage[NODE_MAX];
    struct buffer plain = buffer_of(storage, sizeof storage);
    if (text.size == 0 || text.data[0] != '"') {
        return parse_unquoted(text, ip);
    }
    return unquote(text, &plain) && parse_unquoted(buffer_slice(&plain), ip);
}

/* ---- as we write it ---- */

/* For each request: several times as fast as inet_ntop(), which prints. */
static size_t v4_text(const uint8_t *address, char text[IP_TEXT_MAX + 1]) {
    char *at = text;
    for (unsigned i = 0; i < 4; i++) {
        unsigned number = address[i];
        if (i != 0) {
            *at++ = '.';
        }
        if (number >= 100) {
            *at++ = (char)('0' + number / 100);
        }
        if (number >= 10) {
            *at++ = (char)('0' + number / 10 % 10);
        }
        *at++ = (char)('0' + number % 10);
    }
    return (size_t)(at - text);
}

size_t ip_text(const struct ip *ip, char text[IP_TEXT_MAX + 1]) {
    if (ip->size == 4) {
        return v4_text(ip->bytes, text);
    }
    if (ip->size == 0 || inet_ntop(AF_INET6, ip->bytes, text, IP_TEXT_MAX + 1) == NULL) {
        memcpy(text, "unix", 4);
        return 4;
    }
    return strlen(text);
}

struct ip ip_network(const struct ip *ip, unsigned v6_bits) {
    struct ip network = *ip;
    if (ip->size != 16 || v6_bits >= IP_V6_BITS) {
        return network;
    }
    unsigned whole = v6_bits / 8;
    network.bytes[whole] &= (uint8_t)(0xff00u >> v6_bits % 8);
    memset(network.bytes + whole + 1, 0, sizeof network.bytes - whole - 1);
    return network;
}
