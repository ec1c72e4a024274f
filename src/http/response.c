#include "http/response.h"
#include <time.h>

/* Room for the status line and the fields of our own, without date, id and what the endpoint gives.
 */
#define FRAME_SIZE 192u

/* The head as far as the date, in one piece. */
#define STATUSES(X)                                                                                \
    X(200, "OK")                                                                                   \
    X(204, "No Content")                                                                           \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(408, "Request Timeout")                                                                      \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(417, "Expectation Failed")                                                                   \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(503, "Service Unavailable")                                                                  \
    X(505, "HTTP Version Not Supported")

static struct slice status_line_of(unsigned status) {
    switch (status) {
#define X(number, reason)                                                                          \
    case number:                                                                                   \
        return S("HTTP/1.1 " #number " " reason "\r\nDate: ");
        STATUSES(X)
#undef X
    default:
        return SLICE_ABSENT;
    }
}

/* From the date on. */
static struct slice connection_of(enum response_connection connection) {
    switch (connection) {
    case RESPONSE_CLOSES:
        return S("\r\nConnection: close\r\nX-Request-Id: ");
    case RESPONSE_KEEPS_1_0:
        return S("\r\nConnection: keep-alive\r\nX-Request-Id: ");
    case RESPONSE_KEEPS:
        break;
    }
    return S("\r\nX-Request-Id: ");
}

static void append_status_line(struct buffer *out, unsigned status) {
    struct slice line = status_line_of(status);
    if (!slice_is_absent(line)) {
        buffer_append(out, line);
        return;
    }
    buffer_append(out, S("HTTP/1.1 "));
    buffer_append_number(out, status);
    buffer_append(out, S(" \r\nDate: ")); /* a reason may be empty (RFC 9112 4) */
}

static char *append_pair(char *place, const char *pair) {
    memcpy(place, pair, 2);
    return place + 2;
}

static void append_field(struct buffer *out, struct slice name, struct slice value) {
    if (name.size + value.size + 4 > out->capacity - out->size) {
        out->overflow = true;
        return;
    }
    char *place = out->data + out->size;
    memcpy(place, name.data, name.size);
    place = append_pair(place + name.size, ": ");
    memcpy(place, value.data, value.size);
    append_pair(place + value.size, "\r\n");
    out->size += name.size + value.size + 4;
}

size_t response_size_bound(const struct http_response *response,
                           const struct response_frame *frame) {
    size_t size = FRAME_SIZE + frame->date.size + frame->request_id.size + response->body.size;
    for (unsigned i = 0; i < response->header_count; i++) {
        size += response->headers[i].name.size + response->headers[i].value.size + 4;
    }
    return size;
}

void response_encode(const struct http_response *response, const struct response_frame *frame,
                     struct buffer *out) {
    append_status_line(out, response->status);
    buffer_append(out, frame->date);
    buffer_append(out, connection_of(frame->connection));
    buffer_append(out, frame->request_id);
    buffer_append(out, S("\r\n"));
    for (unsigned i = 0; i < response->header_count; i++) {
        append_field(out, response->headers[i].name, response->headers[i].value);
    }
    /* RFC 9110 8.6: none on 204. */
    if (response->status != 204) {
        buffer_append(out, S("Content-Length: "));
        buffer_append_number(out, response->body.size);
        buffer_append(out, S("\r\n"));
    }
    buffer_append(out, S("\r\n"));
    if (!frame->is_for_head) {
        buffer_append(out, response->body);
    }
}

static void set_digits(char *out, int number, unsigned count) {
    while (count-- != 0) {
        out[count] = (char)('0' + number % 10);
        number /= 10;
    }
}

void response_format_date(uint64_t wall_ms, char out[RESPONSE_DATE_SIZE]) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    memcpy(out, "day, 00 mon 0000 00:00:00 GMT", RESPONSE_DATE_SIZE);
    memcpy(out, days + 3 * tm.tm_wday, 3);
    set_digits(out + 5, tm.tm_mday, 2);
    memcpy(out + 8, months + 3 * tm.tm_mon, 3);
    set_digits(out + 12, tm.tm_year + 1900, 4);
    set_digits(out + 17, tm.tm_hour, 2);
    set_digits(out + 20, tm.tm_min, 2);
    set_digits(out + 23, tm.tm_sec, 2);
}
