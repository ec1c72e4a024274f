#include "api/accept.h"

#define WEIGHT_MAX 1000u /* q=1 */

/* An element of either field: "text/plain;version=0.0.4;q=0.5". */
struct element {
    struct slice name;
    struct slice version; /* absent: any */
    unsigned weight;      /* in thousandths; 0: not wanted */
};

/* "0.5", "1", "1.000"; what is no weight counts as 0: not wanted. */
static unsigned weight_of(struct slice text) {
    struct slice rest = text, whole = SLICE_ABSENT;
    unsigned long long ones, thousandths = 0;
    slice_split(&rest, '.', &whole);
    if (!slice_to_number(whole, 1, &ones) || rest.size > 3 ||
        (rest.size != 0 && !slice_to_number(rest, 999, &thousandths))) {
        return 0;
    }
    for (size_t digits = rest.size; digits != 0 && digits < 3; digits++) {
        thousandths *= 10;
    }
    unsigned weight = (unsigned)(ones * WEIGHT_MAX + thousandths);
    return weight > WEIGHT_MAX ? 0 : weight;
}

static void read_parameter(struct element *element, struct slice parameter) {
    struct slice value = parameter, name = SLICE_ABSENT;
    slice_split(&value, '=', &name);
    if (slice_equal_nocase(slice_trim(name), S("q"))) {
        element->weight = weight_of(slice_trim(value));
    } else if (slice_equal_nocase(slice_trim(name), S("version"))) {
        element->version = slice_trim(value);
    }
}

static struct element read_element(struct slice text) {
    struct element element = {.version = SLICE_ABSENT, .weight = WEIGHT_MAX};
    struct slice part;
    slice_split(&text, ';', &part);
    element.name = slice_trim(part);
    while (slice_split(&text, ';', &part)) {
        read_parameter(&element, part);
    }
    return element;
}

/* The greatest weight of those elements of all lines that `matches`; 0: there is none. */
static unsigned weight_in(const struct http_request *request, enum http_field_id id,
                          bool (*matches)(const struct element *element)) {
    unsigned greatest = 0;
    for (unsigned i = 0; i < request->field_count; i++) {
        struct slice list = request->fields[i].value, item;
        while (request->fields[i].id == id && slice_split(&list, ',', &item)) {
            struct element element = read_element(item);
            if (matches(&element) && element.weight > greatest) {
                greatest = element.weight;
            }
        }
    }
    return greatest;
}

static bool is_openmetrics(const struct element *element) {
    return slice_equal_nocase(element->name, S("application/openmetrics-text")) &&
           (slice_is_absent(element->version) || slice_equal(element->version, S("1.0.0")));
}

static bool is_text(const struct element *element) {
    return slice_equal_nocase(element->name, S("text/plain")) ||
           slice_equal(element->name, S("text/*")) || slice_equal(element->name, S("*/*"));
}

static bool is_gzip(const struct element *element) {
    return slice_equal_nocase(element->name, S("gzip"));
}

bool accept_prefers_openmetrics(const struct http_request *request) {
    unsigned weight = weight_in(request, HTTP_FIELD_ACCEPT, is_openmetrics);
    return weight != 0 && weight >= weight_in(request, HTTP_FIELD_ACCEPT, is_text);
}

bool accept_takes_gzip(const struct http_request *request) {
    return weight_in(request, HTTP_FIELD_ACCEPT_ENCODING, is_gzip) != 0;
}
