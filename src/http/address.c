#include "http/address.h"
#include "http/rules.h"
#include "mintd/http_server.h"
#include "mintd/localhost.h"
#include <arpa/inet.h>

static bool complain(struct buffer *error, struct slice text, const char *message) {
    buffer_append(error, text);
    buffer_append(error, S(": "));
    buffer_append(error, slice_of_string(message));
    return false;
}

static bool copy(struct slice text, char *out, size_t capacity) {
    if (text.size >= capacity || memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

static bool parse_port(struct slice text, struct address *address) {
    unsigned long long port;
    return slice_to_number(text, 65535, &port) && copy(text, address->port, sizeof address->port);
}

/* Empty, a name, an IPv4 address, or an IPv6 address in brackets; a colon in a name would be a
 * port.
 */
static bool parse_host(struct slice host, struct address *address) {
    if (host.size == 0) {
        return true;
    }
    if (!rules_host_is_valid(host)) {
        return false;
    }
    if (host.data[0] == '[') {
        return host.data[host.size - 1] == ']' &&
               copy(slice_of(host.data + 1, host.size - 2), address->host, sizeof address->host);
    }
    return memchr(host.data, ':', host.size) == NULL &&
           copy(host, address->host, sizeof address->host);
}

bool address_parse(struct slice text, struct address *address, struct buffer *error) {
    memset(address, 0, sizeof *address);
    if (slice_starts_with(text, S("unix:"))) {
        struct slice path = slice_skip(text, 5);
        address->is_unix = true;
        return (path.size != 0 && copy(path, address->path, sizeof address->path)) ||
               complain(error, text, "the path of a unix socket has 1 to 107 bytes");
    }
    size_t colon = text.size;
    while (colon != 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    struct slice host = slice_of(text.data, colon == 0 ? 0 : colon - 1);
    if (colon == 0 || !parse_host(host, address)) {
        return complain(error, text, "write host:port, [v6]:port, :port or unix:/path");
    }
    return parse_port(slice_skip(text, colon), address) ||
           complain(error, text, "the port is a number from 0 to 65535");
}

bool http_address_is_valid(struct slice text, struct buffer *error) {
    struct address address;
    return address_parse(text, &address, error);
}

static bool parse_quietly(struct slice text, struct address *address) {
    char ignored[HTTP_ADDRESS_MAX];
    struct buffer error = buffer_of(ignored, sizeof ignored);
    return address_parse(text, address, &error);
}

bool http_address_is_everywhere(struct slice text) {
    struct address address;
    struct in_addr v4;
    struct in6_addr v6;
    if (!parse_quietly(text, &address) || address.is_unix) {
        return false;
    }
    return address.host[0] == '\0' ||
           (inet_pton(AF_INET, address.host, &v4) == 1 && v4.s_addr == INADDR_ANY) ||
           (inet_pton(AF_INET6, address.host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6));
}

bool http_address_is_local(struct slice text) {
    struct address address;
    if (!parse_quietly(text, &address)) {
        return false;
    }
    struct in_addr v4;
    if (inet_pton(AF_INET, address.host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    return address.is_unix || host_is_localhost(address.host) || strcmp(address.host, "::1") == 0;
}
