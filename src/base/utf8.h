/* utf8.h: UTF-8 a character at a time (RFC 3629, table 3-7 of the Unicode standard). */
#ifndef MINTD_BASE_UTF8_H
#define MINTD_BASE_UTF8_H

#include "mintd/slice.h"
#include <stdint.h>

/* The bytes of the well-formed character that s begins with, 1 to 4, and its code point; 0 where s
 * begins with none. s must not be empty. */
size_t utf8_decode(struct slice s, uint32_t *code);

#endif
