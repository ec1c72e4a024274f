#include "http/head.h"
#include "http/rules.h"

static const struct refusal passed = {0, NULL};

static struct refusal refuse(unsigned status, const char *description) {
    return (struct refusal){status, description};
}

/* ---- fields ---- */

/* Unrolled: a request's lines are compared with each name, mostly in vain, so by the size first. */
static enum http_field_id field_id_of(struct slice name) {
#define X(id, text)                                                                                \
    if (name.size == sizeof text - 1 && slice_bytes_equal_nocase(text, name.data, name.size)) {    \
        return HTTP_FIELD_##id;                                                                    \
    }
    HTTP_FIELDS(X)
#undef X
    return HTTP_FIELD_COUNT;
}

struct refusal head_count_line(struct head *head) {
    if (++head->lines > HTTP_MAX_FIELDS) {
        return refuse(431, "over 100 header fields: send fewer");
    }
    return passed;
}

struct refusal head_add_field(struct head *head, const char *data, struct slice name,
                              struct slice value) {
    value = slice_trim(value);
    if (slice_equal_nocase(name, S("connection"))) {
        head->asks_close |= rules_list_has_token(value, S("close"));
        head->asks_keep_alive |= rules_list_has_token(value, S("keep-alive"));
    }
    enum http_field_id id = field_id_of(name);
    if (id != HTTP_FIELD_COUNT) {
        if (head->known_count == HTTP_MAX_KNOWN_FIELDS) {
            return refuse(431, "too many lines of the fields that are read here: send each once");
        }
        head->ids[head->known_count] = id;
        head->values[head->known_count++] =
            (struct extent){(size_t)(value.data - data), value.size};
    }
    return head_count_line(head);
}

static unsigned count_lines(const struct head *head, enum http_field_id id) {
    unsigned count = 0;
    for (unsigned i = 0; i < head->known_count; i++) {
        count += head->ids[i] == id;
    }
    return count;
}

static struct slice first_value(const struct head *head, const char *data, enum http_field_id id) {
    for (unsigned i = 0; i < head->known_count; i++) {
        if (head->ids[i] == id) {
            return extent_text(data, head->values[i]);
        }
    }
    return SLICE_ABSENT;
}

/* ---- checks ---- */

static enum http_method method_of(const struct head *head) {
    static const struct slice names[] = {
        [HTTP_METHOD_GET] = SLICE("GET"),
        [HTTP_METHOD_HEAD] = SLICE("HEAD"),
        [HTTP_METHOD_POST] = SLICE("POST"),
        [HTTP_METHOD_OPTIONS] = SLICE("OPTIONS"),
    };
    unsigned method = 0;
    while (method < HTTP_METHOD_OTHER && !slice_equal(names[method], head->method_name)) {
        method++;
    }
    return (enum http_method)method;
}

/* Single spaces and the name HTTP: llhttp takes several spaces, RTSP, and a line without a version.
 */
static struct refusal check_request_line(const struct head *head, struct slice bytes) {
    struct slice behind = slice_skip(bytes, head->target.offset + head->target.size);
    if (head->target.offset != head->line + head->method_name.size + 1 ||
        !slice_starts_with(behind, S(" HTTP/"))) {
        return refuse(400, "malformed request line: send METHOD target HTTP/1.1");
    }
    if (head->version_major != 1) {
        return refuse(505, "this server speaks HTTP/1.1 and HTTP/1.0");
    }
    return passed;
}

/* RFC 9112 3.2. */
static struct refusal check_host(const struct head *head, const char *data) {
    unsigned lines = count_lines(head, HTTP_FIELD_HOST);
    if (lines == 0 && head_is_http_1_0(head)) {
        return passed;
    }
    if (lines != 1) {
        return refuse(400, "exactly one Host field is needed");
    }
    if (!rules_host_is_valid(first_value(head, data, HTTP_FIELD_HOST))) {
        return refuse(400, "the Host field is malformed: send host or host:port");
    }
    return passed;
}

static struct refusal check_target(const struct head *head, const char *data) {
    if (slice_equal(head->method_name, S("CONNECT"))) {
        return refuse(501, "this server is no proxy: CONNECT is not implemented");
    }
    struct slice path, query;
    if (!rules_split_target(method_of(head), extent_text(data, head->target), &path, &query)) {
        return refuse(400, "malformed request target: send a path that begins with a slash");
    }
    return passed;
}

/* RFC 9112 6.1. */
static struct refusal check_transfer_encoding(struct head *head, const char *data) {
    unsigned lines = count_lines(head, HTTP_FIELD_TRANSFER_ENCODING);
    if (lines == 0) {
        return passed;
    }
    if (lines > 1 || head_is_http_1_0(head)) {
        return refuse(400, "Transfer-Encoding is allowed once, and in HTTP/1.1 alone");
    }
    unsigned status =
        rules_transfer_encoding_status(first_value(head, data, HTTP_FIELD_TRANSFER_ENCODING));
    if (status != 0) {
        return refuse(status, "the only transfer coding understood is chunked");
    }
    head->is_chunked = true;
    return passed;
}

/* RFC 9110 10.1.1: HTTP/1.0 knows no expectations. */
static struct refusal check_expect(struct head *head, const char *data) {
    if (head_is_http_1_0(head)) {
        return passed;
    }
    for (unsigned i = 0; i < head->known_count; i++) {
        if (head->ids[i] != HTTP_FIELD_EXPECT) {
            continue;
        }
        if (!slice_equal_nocase(extent_text(data, head->values[i]), S("100-continue"))) {
            return refuse(417, "the only expectation understood is 100-continue");
        }
        head->expects_continue = true;
    }
    return passed;
}

struct refusal head_check(struct head *head, struct slice bytes) {
    const char *data = bytes.data;
    struct refusal refusal = check_request_line(head, bytes);
    if (refusal.status == 0) {
        refusal = check_host(head, data);
    }
    if (refusal.status == 0) {
        refusal = check_target(head, data);
    }
    if (refusal.status == 0) {
        refusal = check_transfer_encoding(head, data);
    }
    if (refusal.status == 0) {
        refusal = check_expect(head, data);
    }
    return refusal;
}

/* ---- what it says ---- */

bool head_is_http_1_0(const struct head *head) {
    return head->version_minor == 0;
}

bool head_keeps_alive(const struct head *head) {
    return !head->asks_close && (head->asks_keep_alive || !head_is_http_1_0(head));
}

void head_describe(const struct head *head, const char *data, struct http_request *request) {
    request->method = method_of(head);
    request->path = request->query = SLICE_ABSENT;
    rules_split_target(request->method, extent_text(data, head->target), &request->path,
                       &request->query);
    request->field_count = head->known_count;
    for (unsigned i = 0; i < head->known_count; i++) {
        request->fields[i] = (struct http_field){head->ids[i], extent_text(data, head->values[i])};
    }
}
