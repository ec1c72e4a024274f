/* head.h: what the head of a request says, and whether it may pass.
 *
 * It keeps offsets, not pointers: the request's bytes may move while they arrive. `data` is the
 * request's first byte, wherever that lies now. */
#ifndef MINTD_HTTP_HEAD_H
#define MINTD_HTTP_HEAD_H

#include "mintd/http.h"

/* Why a request is refused, and with which answer. */
struct refusal {
    unsigned status;         /* 0: it is not */
    const char *description; /* ASCII, without quotes and backslashes; says what to do */
};

struct extent {
    size_t offset, size;
};

struct head {
    size_t line; /* where the request line begins */
    struct slice method_name;
    struct extent target;
    unsigned version_major, version_minor;

    struct extent values[HTTP_MAX_KNOWN_FIELDS];
    enum http_field_id ids[HTTP_MAX_KNOWN_FIELDS];
    unsigned known_count;
    unsigned lines; /* of all fields */

    bool asks_close, asks_keep_alive, expects_continue, is_chunked;
};

static inline struct slice extent_text(const char *data, struct extent extent) {
    return slice_of(data + extent.offset, extent.size);
}

/* Takes one line of fields; both slices lie in data. */
struct refusal head_add_field(struct head *head, const char *data, struct slice name,
                              struct slice value);
/* Counts a line, a field's or a trailer's. */
struct refusal head_count_line(struct head *head);
/* Judges the whole, once all fields are in; `bytes` may go on behind the head. */
struct refusal head_check(struct head *head, struct slice bytes);
bool head_is_http_1_0(const struct head *head);
bool head_keeps_alive(const struct head *head);
/* Method, path, query and fields, as far as they are in. */
void head_describe(const struct head *head, const char *data, struct http_request *request);

#endif
