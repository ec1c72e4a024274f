/* response.h: a response becomes bytes.
 *
 * Status line, Date, Connection, X-Request-Id, the endpoint's fields, Content-Length, body. No
 * Server field (RFC 9110 10.2.4 lets us leave it out). */
#ifndef MINTD_HTTP_RESPONSE_H
#define MINTD_HTTP_RESPONSE_H

#include "mintd/buffer.h"
#include "mintd/http.h"

enum response_connection {
    RESPONSE_KEEPS,     /* HTTP/1.1: nothing is said */
    RESPONSE_KEEPS_1_0, /* HTTP/1.0: "keep-alive" */
    RESPONSE_CLOSES,    /* "close" */
};

struct response_frame {
    enum response_connection connection;
    bool is_for_head;  /* the body is counted and not sent */
    struct slice date; /* RESPONSE_DATE_SIZE bytes */
    struct slice request_id;
};

#define RESPONSE_DATE_SIZE 29u

/* At most this many bytes: what response_encode() needs. */
size_t response_size_bound(const struct http_response *response,
                           const struct response_frame *frame);
/* Appends to out, which has that much room. */
void response_encode(const struct http_response *response, const struct response_frame *frame,
                     struct buffer *out);

/* An IMF-fixdate (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". */
void response_format_date(uint64_t wall_ms, char out[RESPONSE_DATE_SIZE]);

#endif
