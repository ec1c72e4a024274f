#include "utf8.h"

static bool is_continuation(char c) {
    return ((uint8_t)c & 0xc0) == 0x80;
}

/* Continuation bytes that a first byte asks for; 0 where it cannot be a first byte of several. */
static size_t continuations_after(uint8_t first) {
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

size_t utf8_decode(struct slice s, uint32_t *code) {
    static const uint8_t first_bits[] = {0x7f, 0x1f, 0x0f, 0x07};
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)s.data[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    size_t more = continuations_after(first);
    if (more == 0 || more >= s.size) {
        return 0;
    }
    uint32_t value = first & first_bits[more];
    for (size_t i = 1; i <= more; i++) {
        if (!is_continuation(s.data[i])) {
            return 0;
        }
        value = value << 6 | ((uint8_t)s.data[i] & 0x3f);
    }
    bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < smallest[more] || value > 0x10ffff || is_surrogate) {
        return 0;
    }
    *code = value;
    return more + 1;
}
