#include "mintd/encoding.h"
#include "utf8.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char letter = (char)(c | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

void hex_encode(const uint8_t *bytes, size_t size, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0xf];
    }
}

bool hex_decode(struct slice text, uint8_t *bytes, size_t size) {
    if (text.size / 2 != size || text.size % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

char base62_digit(unsigned value) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return digits[value];
}

/* What a character may stand in. */
enum { BASE62 = 1, TOKEN68 = 2, PLAIN_WORD = 4 };

#define ALL(c) [c] = BASE62 | TOKEN68 | PLAIN_WORD
#define TWO(c) [c] = TOKEN68 | PLAIN_WORD
#define ONE(c) [c] = TOKEN68
static const uint8_t belongs_to[256] = {
    ALL('0'), ALL('1'), ALL('2'), ALL('3'), ALL('4'), ALL('5'), ALL('6'), ALL('7'), ALL('8'),
    ALL('9'), ALL('A'), ALL('B'), ALL('C'), ALL('D'), ALL('E'), ALL('F'), ALL('G'), ALL('H'),
    ALL('I'), ALL('J'), ALL('K'), ALL('L'), ALL('M'), ALL('N'), ALL('O'), ALL('P'), ALL('Q'),
    ALL('R'), ALL('S'), ALL('T'), ALL('U'), ALL('V'), ALL('W'), ALL('X'), ALL('Y'), ALL('Z'),
    ALL('a'), ALL('b'), ALL('c'), ALL('d'), ALL('e'), ALL('f'), ALL('g'), ALL('h'), ALL('i'),
    ALL('j'), ALL('k'), ALL('l'), ALL('m'), ALL('n'), ALL('o'), ALL('p'), ALL('q'), ALL('r'),
    ALL('s'), ALL('t'), ALL('u'), ALL('v'), ALL('w'), ALL('x'), ALL('y'), ALL('z'), TWO('-'),
    TWO('.'), TWO('_'), ONE('~'), ONE('+'), ONE('/'),
};
#undef ALL
#undef TWO
#undef ONE

/* Every character is looked at: a loop that ends early takes longer for those that pass. */
static bool all_belong_to(struct slice s, uint8_t where) {
    uint8_t common = where;
    for (size_t i = 0; i < s.size; i++) {
        common &= belongs_to[(uint8_t)s.data[i]];
    }
    return common == where;
}

bool base62_is_text(struct slice s) {
    return all_belong_to(s, BASE62);
}

bool token68_is_valid(struct slice s) {
    while (s.size > 1 && s.data[s.size - 1] == '=') {
        s.size--;
    }
    return s.size != 0 && all_belong_to(s, TOKEN68);
}

bool word_is_plain(struct slice s) {
    return s.size != 0 && all_belong_to(s, PLAIN_WORD);
}

void base62_encode(uint64_t number, char *out, size_t width) {
    while (width != 0) {
        out[--width] = base62_digit((unsigned)(number % 62));
        number /= 62;
    }
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes into room that is known to suffice. */
static bool base64_decode_into(struct slice text, uint8_t *out) {
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.size; i++) {
        int value = base64_value(text.data[i]);
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *out++ = (uint8_t)(bits >> held);
        }
    }
    return (bits & ((1u << held) - 1)) == 0;
}

bool base64_decode_unpadded(struct slice text, struct buffer *out) {
    if (text.size % 4 == 1) {
        return false;
    }
    size_t size = text.size / 4 * 3 + text.size % 4 * 3 / 4;
    if (size > out->capacity - out->size) {
        out->overflow = true;
        return false;
    }
    if (size == 0) {
        return true;
    }
    if (!base64_decode_into(text, (uint8_t *)out->data + out->size)) {
        explicit_bzero(out->data + out->size, size); /* may be half a credential */
        return false;
    }
    out->size += size;
    return true;
}

bool base64_decode(struct slice text, struct buffer *out) {
    if (text.size % 4 != 0) {
        return false;
    }
    for (int padding = 0; padding < 2 && text.size != 0; padding++) {
        if (text.data[text.size - 1] == '=') {
            text.size--;
        }
    }
    return base64_decode_unpadded(text, out);
}

void base64_encode_unpadded(const uint8_t *bytes, size_t size, struct buffer *out) {
    size_t room = out->capacity - out->size;
    if (room < size || room - size < (size + 2) / 3) {
        out->overflow = true;
        return;
    }
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6) {
            buffer_append_char(out, base64_digits[bits >> (held - 6) & 0x3f]);
        }
    }
    if (held != 0) {
        buffer_append_char(out, base64_digits[bits << (6 - held) & 0x3f]);
    }
}

/* Takes one encoded byte off the front; false where an escape is malformed. */
static bool form_next(struct slice *text, char *byte) {
    char c = text->data[0];
    if (c != '%') {
        *byte = c == '+' ? ' ' : c;
        *text = slice_skip(*text, 1);
        return true;
    }
    uint8_t value;
    if (text->size < 3 || !hex_decode(slice_of(text->data + 1, 2), &value, 1)) {
        return false;
    }
    *byte = (char)value;
    *text = slice_skip(*text, 3);
    return true;
}

bool form_decode(struct slice text, struct buffer *out) {
    size_t size_before = out->size;
    bool whole = true;
    while (whole && text.size != 0) {
        char byte;
        whole = form_next(&text, &byte);
        if (whole && out->size == out->capacity) {
            out->overflow = true;
            whole = false;
        }
        if (whole) {
            out->data[out->size++] = byte;
        }
    }
    if (!whole && out->size != size_before) {
        explicit_bzero(out->data + size_before, out->size - size_before);
        out->size = size_before;
    }
    return whole;
}

bool utf8_is_valid(struct slice s) {
    while (s.size != 0) {
        uint32_t code;
        size_t size = utf8_decode(s, &code);
        if (size == 0 || code == 0) {
            return false;
        }
        s = slice_skip(s, size);
    }
    return true;
}
