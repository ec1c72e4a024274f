/* json_text.h: the inside of a JSON string. */
#ifndef MINTD_BASE_JSON_TEXT_H
#define MINTD_BASE_JSON_TEXT_H

#include "mintd/buffer.h"

enum json_text_mode {
    JSON_TEXT_PLAIN,   /* what RFC 8259 demands, and DEL */
    JSON_TEXT_VISIBLE, /* also what moves a terminal's cursor, ends a line or turns its direction:
                          C1 controls, U+2028 and U+2029, bidirectional controls */
};

/* Appends s without quotes, escaped; bytes that are not UTF-8 become U+FFFD. Where it does not fit,
 * a part of it may stand in the buffer: the caller asks for the overflow. */
void json_text_append(struct buffer *b, struct slice s, enum json_text_mode mode);

#endif
