#include "http/rules.h"
#include <arpa/inet.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex_digit(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_one_of(char c, struct slice set) {
    return memchr(set.data, c, set.size) != NULL;
}

bool rules_is_token_char(char c) {
    return is_alpha(c) || is_digit(c) || is_one_of(c, S("!#$%&'*+-.^_`|~"));
}

/* ---- Host ---- */

/* RFC 3986 3.2.2; IPv4 addresses look the same. */
static bool is_registered_name(struct slice name) {
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (c == '%') {
            if (name.size - i < 3 || !is_hex_digit(name.data[i + 1]) ||
                !is_hex_digit(name.data[i + 2])) {
                return false;
            }
            i += 2;
        } else if (!is_alpha(c) && !is_digit(c) && !is_one_of(c, S("-._~!$&'()*+,;="))) {
            return false;
        }
    }
    return name.size != 0;
}

static bool is_ipv6_address(struct slice text) {
    char string[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.size >= sizeof string || memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(string, text.data, text.size);
    string[text.size] = '\0';
    return inet_pton(AF_INET6, string, &address) == 1;
}

/* Nothing, or ":" and digits: "h:" is valid (RFC 3986 3.2.3). */
static bool is_port_suffix(struct slice suffix) {
    if (suffix.size == 0) {
        return true;
    }
    if (suffix.data[0] != ':') {
        return false;
    }
    for (size_t i = 1; i < suffix.size; i++) {
        if (!is_digit(suffix.data[i])) {
            return false;
        }
    }
    unsigned long long port;
    return suffix.size == 1 || slice_to_number(slice_skip(suffix, 1), 65535, &port);
}

bool rules_host_is_valid(struct slice host) {
    if (host.size == 0) {
        return false;
    }
    if (host.data[0] == '[') {
        const char *end = memchr(host.data, ']', host.size);
        if (end == NULL) {
            return false;
        }
        size_t length = (size_t)(end - host.data);
        return is_ipv6_address(slice_of(host.data + 1, length - 1)) &&
               is_port_suffix(slice_skip(host, length + 1));
    }
    const char *colon = memchr(host.data, ':', host.size);
    size_t length = colon == NULL ? host.size : (size_t)(colon - host.data);
    return is_registered_name(slice_of(host.data, length)) &&
           is_port_suffix(slice_skip(host, length));
}

/* ---- target ---- */

static void split_query(struct slice target, struct slice *path, struct slice *query) {
    *query = target;
    slice_split(query, '?', path);
}

/* http://authority[/path][?query]; "OPTIONS http://h" means the server as a whole (RFC 9112 3.2.4).
 */
static bool split_absolute(enum http_method method, struct slice target, struct slice *path,
                           struct slice *query) {
    static const struct slice schemes[] = {SLICE("http://"), SLICE("https://")};
    struct slice rest = SLICE_ABSENT;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = schemes[i].size;
        if (target.size >= size && slice_equal_nocase(slice_of(target.data, size), schemes[i])) {
            rest = slice_skip(target, size);
        }
    }
    size_t authority = 0;
    while (authority < rest.size && rest.data[authority] != '/' && rest.data[authority] != '?') {
        authority++;
    }
    if (!rules_host_is_valid(slice_of(rest.data, authority))) {
        return false;
    }
    rest = slice_skip(rest, authority);
    split_query(rest, path, query);
    if (path->size == 0) {
        bool whole_server = method == HTTP_METHOD_OPTIONS && slice_is_absent(*query);
        *path = whole_server ? S("*") : S("/");
    }
    return true;
}

bool rules_split_target(enum http_method method, struct slice target, struct slice *path,
                        struct slice *query) {
    if (target.size == 0 || memchr(target.data, '#', target.size) != NULL) {
        return false;
    }
    if (target.data[0] == '/') {
        split_query(target, path, query);
        return true;
    }
    if (slice_equal(target, S("*"))) {
        *path = target;
        *query = SLICE_ABSENT;
        return method == HTTP_METHOD_OPTIONS;
    }
    return split_absolute(method, target, path, query);
}

/* ---- lists ---- */

static bool is_token(struct slice s) {
    for (size_t i = 0; i < s.size; i++) {
        if (!rules_is_token_char(s.data[i])) {
            return false;
        }
    }
    return s.size != 0;
}

unsigned rules_transfer_encoding_status(struct slice value) {
    const struct slice chunked = S("chunked");
    if (slice_equal_nocase(value, chunked)) {
        return 0;
    }
    bool last_is_chunked = false;
    struct slice item;
    unsigned items = 0;
    while (slice_split(&value, ',', &item)) {
        item = slice_trim(item);
        if (!is_token(item) || last_is_chunked) {
            return 400;
        }
        last_is_chunked = slice_equal_nocase(item, chunked);
        items++;
    }
    /* Unless the last coding is "chunked" nobody can tell where the body ends (RFC 9112 6.3). */
    return last_is_chunked || items == 1 ? 501 : 400;
}

bool rules_list_has_token(struct slice list, struct slice token) {
    struct slice item;
    while (slice_split(&list, ',', &item)) {
        if (slice_equal_nocase(slice_trim(item), token)) {
            return true;
        }
    }
    return false;
}
