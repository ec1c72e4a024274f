#include "api/client_address.h"

/* Cuts the last item of a list separated by commas off. */
static struct slice take_last_item(struct slice *list) {
    size_t start = list->size;
    while (start > 0 && list->data[start - 1] != ',') {
        start--;
    }
    struct slice item = slice_trim(slice_skip(*list, start));
    list->size = start > 0 ? start - 1 : 0;
    return item;
}

/* Goes on from `address`, a trusted proxy's, along one line. False where the reading ends. */
static bool read_line(struct slice line, const struct networks *trusted, struct slice *address) {
    while (line.size != 0) {
        struct slice item = take_last_item(&line);
        if (!address_is_valid(item)) {
            return false;
        }
        *address = item;
        if (!networks_contain(trusted, item)) {
            return false;
        }
    }
    return true;
}

struct slice client_address_of(struct http_exchange *x, const struct networks *trusted) {
    const struct http_request *request = http_request_of(x);
    struct slice address = http_peer_of(x);
    bool goes_on = networks_contain(trusted, address);
    for (unsigned i = request->field_count; i > 0 && goes_on; i--) {
        const struct http_field *field = &request->fields[i - 1];
        if (field->id == HTTP_FIELD_X_FORWARDED_FOR) {
            goes_on = read_line(field->value, trusted, &address);
        }
    }
    return address;
}
