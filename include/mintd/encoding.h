/* encoding.h: bytes as text and back: hex, base62, base64, form encoding, CRC-32.
 *
 * All of it is pure: no allocation, no state. `out` never overlaps the input unless said so. */
#ifndef MINTD_ENCODING_H
#define MINTD_ENCODING_H

#include "mintd/buffer.h"

/* Two lower-case digits a byte; writes 2 * size characters, no NUL. */
void hex_encode(const uint8_t *bytes, size_t size, char *out);
/* Exactly size bytes from 2 * size digits of either case. */
bool hex_decode(struct slice text, uint8_t *bytes, size_t size);

/* The digits 0-9 A-Z a-z. Writes number as exactly width characters, zeros in front; number must
 * fit. */
void base62_encode(uint64_t number, char *out, size_t width);
/* The character that stands for a value from 0 to 61. */
char base62_digit(unsigned value);
static inline bool base62_is_digit(char c) {
    return (unsigned)c - '0' < 10u || ((unsigned)c | 0x20u) - 'a' < 26u;
}

/* CRC-32 of ISO 3309 (zlib's, GitHub's token checksum). */
uint32_t crc32_of(struct slice s);

/* RFC 4648 section 4: strict alphabet, padding required, unused bits zero. Appends the bytes. */
bool base64_decode(struct slice text, struct buffer *out);
/* RFC 4648 without padding, as PHC strings have it. */
bool base64_decode_unpadded(struct slice text, struct buffer *out);
void base64_encode_unpadded(const uint8_t *bytes, size_t size, struct buffer *out);

/* application/x-www-form-urlencoded (RFC 6749 appendix B): '+' is a space, %XX a byte. False where
 * an escape is malformed or where out has no room. */
bool form_decode(struct slice text, struct buffer *out);

/* Well-formed UTF-8 without NUL: no overlong forms, no surrogates, nothing over U+10FFFF. */
bool utf8_is_valid(struct slice s);

#endif
