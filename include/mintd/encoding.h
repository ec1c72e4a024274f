/* encoding.h: bytes as text and back: hex, base62, base64, form encoding, CRC-32.
 *
 * All functions are pure: no allocation, no state. `out` must not overlap the input. */
#ifndef MINTD_ENCODING_H
#define MINTD_ENCODING_H

#include "mintd/buffer.h"

/* Two lower-case digits for each byte: writes 2 * size characters and no NUL. */
void hex_encode(const uint8_t *bytes, size_t size, char *out);
/* Reads exactly size bytes from 2 * size digits of either case. False: the text is something
 * else. */
bool hex_decode(struct slice text, uint8_t *bytes, size_t size);

/* Base62 has the digits 0-9 A-Z a-z. Writes number as exactly width characters, with zeros in
 * front. The number must fit. */
void base62_encode(uint64_t number, char *out, size_t width);
/* The character that stands for a value from 0 to 61. */
char base62_digit(unsigned value);
/* Whether a text consists of such digits only; an empty text does. */
bool base62_is_text(struct slice s);

/* Whether the text is a token68 (RFC 7235 2.1; RFC 6750 2.1 calls it b64token): at least one of
 * letters, digits and "-._~+/", then any number of "=". "=" by itself is not one. */
bool token68_is_valid(struct slice s);

/* Whether the text is at least one character, and only letters, digits, ".", "_" and "-". Names of
 * instances, ids of requests and the hidden names in Forwarded (RFC 7239 6.3) are such words. */
bool word_is_plain(struct slice s);

/* CRC-32 of ISO 3309 (zlib's, GitHub's token checksum). */
uint32_t crc32_of(struct slice s);

/* RFC 4648 section 4, strict: only its alphabet, with padding, unused bits zero. Appends the
 * bytes. False: the text is something else, or out has no room. */
bool base64_decode(struct slice text, struct buffer *out);
/* The same without padding, as PHC strings have it. */
bool base64_decode_unpadded(struct slice text, struct buffer *out);
void base64_encode_unpadded(const uint8_t *bytes, size_t size, struct buffer *out);

/* application/x-www-form-urlencoded (RFC 6749 appendix B): '+' is a space, %XX is a byte. Appends
 * the bytes. False: an escape is malformed, or out has no room. */
bool form_decode(struct slice text, struct buffer *out);

/* How many bytes at the front are visible ASCII or spaces, and need no escape in JSON. */
size_t json_plain_run(struct slice s);

/* Whether it is well-formed UTF-8 without NUL: no overlong form, no surrogate, nothing over
 * U+10FFFF. */
bool utf8_is_valid(struct slice s);

#endif
