/* ascii_word.h: eight bytes of text looked at in one go. */
#ifndef MINTD_BASE_ASCII_WORD_H
#define MINTD_BASE_ASCII_WORD_H

#include <stdint.h>

#define EACH_BYTE(value) ((value)*UINT64_C(0x0101010101010101))
#define HIGH_BITS EACH_BYTE(0x80)

/* The high bit of each byte that is not ASCII, is DEL, or needs an escape in JSON. A carry or
 * borrow comes from such a byte only, so the lowest one is certain, and those above it may be
 * wrong. */
static inline uint64_t word_specials(uint64_t word) {
    uint64_t not_ascii_or_del = word | (word + EACH_BYTE(1));
    uint64_t control = word - EACH_BYTE(0x20);
    uint64_t quote = (word ^ EACH_BYTE('"')) - EACH_BYTE(1);
    uint64_t backslash = (word ^ EACH_BYTE('\\')) - EACH_BYTE(1);
    return (not_ascii_or_del | control | quote | backslash) & HIGH_BITS;
}

#endif
