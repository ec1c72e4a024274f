#include "mintd/encoding.h"
#include "utf8.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char letter = (char)(c | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

#define ROW(h)                                                                                     \
    h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" h "8" h "9" h "a" h "b" h "c" h "d" h "e" h "f"
static const char hex_pairs[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6")
    ROW("7") ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");
#undef ROW

void hex_encode(const uint8_t *bytes, size_t size, char *out) {
    for (size_t i = 0; i < size; i++) {
        memcpy(out + 2 * i, hex_pairs + (size_t)2 * bytes[i], 2);
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
    const uint8_t *bytes = (const uint8_t *)s.data;
    uint8_t common = where;
    size_t i = 0;
    for (; s.size - i >= 4; i += 4) {
        common &= belongs_to[bytes[i]] & belongs_to[bytes[i + 1]] & belongs_to[bytes[i + 2]] &
                  belongs_to[bytes[i + 3]];
    }
    for (; i < s.size; i++) {
        common &= belongs_to[bytes[i]];
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

#define NO_DIGIT 0x40u /* no value of a digit has this bit */

/* One more than the value; 0: no digit. */
#define AT(c, value) [c] = (value) + 1
static const uint8_t base64_values[256] = {
    AT('A', 0),  AT('B', 1),  AT('C', 2),  AT('D', 3),  AT('E', 4),  AT('F', 5),  AT('G', 6),
    AT('H', 7),  AT('I', 8),  AT('J', 9),  AT('K', 10), AT('L', 11), AT('M', 12), AT('N', 13),
    AT('O', 14), AT('P', 15), AT('Q', 16), AT('R', 17), AT('S', 18), AT('T', 19), AT('U', 20),
    AT('V', 21), AT('W', 22), AT('X', 23), AT('Y', 24), AT('Z', 25), AT('a', 26), AT('b', 27),
    AT('c', 28), AT('d', 29), AT('e', 30), AT('f', 31), AT('g', 32), AT('h', 33), AT('i', 34),
    AT('j', 35), AT('k', 36), AT('l', 37), AT('m', 38), AT('n', 39), AT('o', 40), AT('p', 41),
    AT('q', 42), AT('r', 43), AT('s', 44), AT('t', 45), AT('u', 46), AT('v', 47), AT('w', 48),
    AT('x', 49), AT('y', 50), AT('z', 51), AT('0', 52), AT('1', 53), AT('2', 54), AT('3', 55),
    AT('4', 56), AT('5', 57), AT('6', 58), AT('7', 59), AT('8', 60), AT('9', 61), AT('+', 62),
    AT('/', 63),
};
#undef AT

static uint32_t base64_value(char c) {
    return (uint32_t)base64_values[(uint8_t)c] - 1;
}

/* Decodes into room that is known to suffice. */
static bool base64_decode_into(struct slice text, uint8_t *out) {
    uint32_t all = 0, bits = 0;
    for (; text.size >= 4; text = slice_skip(text, 4)) {
        const char *c = text.data;
        uint32_t a = base64_value(c[0]), b = base64_value(c[1]), d = base64_value(c[2]),
                 e = base64_value(c[3]);
        all |= a | b | d | e;
        bits = a << 18 | b << 12 | d << 6 | e;
        *out++ = (uint8_t)(bits >> 16);
        *out++ = (uint8_t)(bits >> 8);
        *out++ = (uint8_t)bits;
    }
    bits = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint32_t value = base64_value(text.data[i]);
        all |= value;
        bits = bits << 6 | value;
    }
    if (text.size >= 2) {
        *out++ = (uint8_t)(text.size == 2 ? bits >> 4 : bits >> 10);
    }
    if (text.size == 3) {
        *out++ = (uint8_t)(bits >> 2);
    }
    uint32_t left_over = text.size == 2 ? bits & 0xf : text.size == 3 ? bits & 0x3 : 0;
    return (all & NO_DIGIT) == 0 && left_over == 0;
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

#define FORM_RUN_MAX 64u /* so that a text of spaces is not looked through once for each */

/* How many bytes at the front stand for themselves, as far as was looked. */
static size_t form_plain_run(struct slice text) {
    size_t run = text.size < FORM_RUN_MAX ? text.size : FORM_RUN_MAX;
    const char *end = memchr(text.data, '%', run);
    run = end == NULL ? run : (size_t)(end - text.data);
    end = memchr(text.data, '+', run);
    return end == NULL ? run : (size_t)(end - text.data);
}

/* Takes one byte that does not stand for itself off the front; false where an escape is
 * malformed. */
static bool form_next(struct slice *text, char *byte) {
    if (text->data[0] == '+') {
        *byte = ' ';
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
        struct slice piece = slice_of(text.data, form_plain_run(text));
        if (piece.size != 0) {
            text = slice_skip(text, piece.size);
        } else {
            whole = form_next(&text, &byte);
            piece = slice_of(&byte, 1);
        }
        if (whole && piece.size > out->capacity - out->size) {
            out->overflow = true;
            whole = false;
        }
        if (whole) {
            buffer_append(out, piece);
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
