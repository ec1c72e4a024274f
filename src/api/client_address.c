#include "api/client_address.h"

/* ---- lists, read from the end ---- */

/* Whether a quote ends or begins at `at`: it is one, and no backslash escapes it. */
static bool is_quote(struct slice text, size_t at) {
    size_t backslashes = 0;
    if (text.data[at] != '"') {
        return false;
    }
    while (backslashes < at && text.data[at - backslashes - 1] == '\\') {
        backslashes++;
    }
    return backslashes % 2 == 0;
}

/* Cuts the last item of a list separated by commas off; a comma in quotes separates nothing. The
 * end is what the nearest proxy wrote: whatever stands before it cannot change how it is read. */
static struct slice take_last_item(struct slice *list) {
    bool quoted = false;
    size_t start = list->size;
    while (start > 0 && (quoted || list->data[start - 1] != ',')) {
        quoted ^= is_quote(*list, start - 1);
        start--;
    }
    struct slice item = slice_trim(slice_skip(*list, start));
    list->size = start > 0 ? start - 1 : 0;
    return item;
}

/* ---- an element of Forwarded: for=192.0.2.7;proto=https (RFC 7239 4) ---- */

/* Cuts the first pair off; a semicolon in quotes separates nothing. False at the end. */
static bool take_pair(struct slice *element, struct slice *pair) {
    bool quoted = false;
    size_t end = 0;
    if (element->size == 0) {
        return false;
    }
    while (end < element->size && (quoted || element->data[end] != ';')) {
        quoted ^= is_quote(*element, end);
        end++;
    }
    *pair = slice_trim(slice_of(element->data, end));
    *element = slice_skip(*element, end < element->size ? end + 1 : end);
    return true;
}

/* The value of for=, quotes and all; false where it is missing, or repeated, as no proxy may. */
static bool read_for(struct slice element, struct slice *node) {
    struct slice pair;
    unsigned found = 0;
    while (take_pair(&element, &pair)) {
        if (pair.size > 4 && slice_equal_nocase(slice_of(pair.data, 4), S("for="))) {
            *node = slice_skip(pair, 4);
            found++;
        }
    }
    return found == 1;
}

/* ---- the walk ---- */

/* Goes on from `address`, a trusted proxy's, along one line. False where the reading ends. */
static bool read_line(const struct http_field *field, const struct networks *trusted,
                      struct ip *address) {
    struct slice line = field->value;
    while (line.size != 0) {
        struct slice node = take_last_item(&line);
        bool is_element = field->id == HTTP_FIELD_FORWARDED;
        if (node.size == 0) {
            continue; /* an empty element of a list says nothing (RFC 9110 5.6.1.2) */
        }
        if ((is_element && !read_for(node, &node)) || !ip_parse_node(node, address)) {
            return false;
        }
        if (!networks_contain(trusted, address)) {
            return false;
        }
    }
    return true;
}

/* The field that counts; HTTP_FIELD_COUNT where there is none. */
static enum http_field_id field_of(const struct http_request *request) {
    enum http_field_id field = HTTP_FIELD_COUNT;
    for (unsigned i = 0; i < request->field_count; i++) {
        if (request->fields[i].id == HTTP_FIELD_X_FORWARDED_FOR) {
            return HTTP_FIELD_X_FORWARDED_FOR;
        }
        if (request->fields[i].id == HTTP_FIELD_FORWARDED) {
            field = HTTP_FIELD_FORWARDED;
        }
    }
    return field;
}

struct ip client_address_of(const struct http_exchange *x, const struct networks *trusted) {
    const struct http_request *request = http_request_of(x);
    struct ip address = *http_peer_ip_of(x);
    bool goes_on = networks_contain(trusted, &address);
    enum http_field_id id = goes_on ? field_of(request) : HTTP_FIELD_COUNT;
    for (unsigned i = request->field_count; i > 0 && goes_on; i--) {
        const struct http_field *field = &request->fields[i - 1];
        goes_on = field->id != id || read_line(field, trusted, &address);
    }
    return address;
}

bool client_address_is_claimed(const struct http_exchange *x, const struct networks *trusted) {
    return field_of(http_request_of(x)) != HTTP_FIELD_COUNT &&
           !networks_contain(trusted, http_peer_ip_of(x));
}
