#include "http/response.h"
#include <time.h>

/* Room for the status line and the fields of our own, without date, id and what the endpoint gives.
 */
#define FRAME_SIZE 192u

static struct slice reason_of(unsigned status) {
    switch (status) {
    case 200:
        return S("OK");
    case 204:
        return S("No Content");
    case 400:
        return S("Bad Request");
    case 401:
        return S("Unauthorized");
    case 403:
        return S("Forbidden");
    case 404:
        return S("Not Found");
    case 405:
        return S("Method Not Allowed");
    case 408:
        return S("Request Timeout");
    case 413:
        return S("Content Too Large");
    case 414:
        return S("URI Too Long");
    case 415:
        return S("Unsupported Media Type");
    case 417:
        return S("Expectation Failed");
    case 429:
        return S("Too Many Requests");
    case 431:
        return S("Request Header Fields Too Large");
    case 500:
        return S("Internal Server Error");
    case 501:
        return S("Not Implemented");
    case 503:
        return S("Service Unavailable");
    case 505:
        return S("HTTP Version Not Supported");
    default:
        return S(""); /* a reason may be empty (RFC 9112 4) */
    }
}

static void append_field(struct buffer *out, struct slice name, struct slice value) {
    buffer_append(out, name);
    buffer_append(out, S(": "));
    buffer_append(out, value);
    buffer_append(out, S("\r\n"));
}

static void append_connection(struct buffer *out, enum response_connection connection) {
    if (connection == RESPONSE_CLOSES) {
        buffer_append(out, S("Connection: close\r\n"));
    } else if (connection == RESPONSE_KEEPS_1_0) {
        buffer_append(out, S("Connection: keep-alive\r\n"));
    }
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
    buffer_append(out, S("HTTP/1.1 "));
    buffer_append_number(out, response->status);
    buffer_append_char(out, ' ');
    buffer_append(out, reason_of(response->status));
    buffer_append(out, S("\r\n"));
    append_field(out, S("Date"), frame->date);
    append_connection(out, frame->connection);
    append_field(out, S("X-Request-Id"), frame->request_id);
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
