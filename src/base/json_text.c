#include "json_text.h"
#include "ascii_word.h"
#include "mintd/encoding.h"
#include "utf8.h"
#include <endian.h>

/* Of the eight bytes there; the first byte is the lowest. */
static uint64_t specials_at(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word_specials(le64toh(word));
}

static bool is_plain(char c) {
    uint8_t byte = (uint8_t)c;
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

size_t json_plain_run(struct slice s) {
    size_t run = 0;
    for (; s.size - run >= sizeof(uint64_t); run += sizeof(uint64_t)) {
        uint64_t special = specials_at(s.data + run);
        if (special != 0) {
            return run + (size_t)__builtin_ctzll(special) / 8;
        }
    }
    if (run != 0 && specials_at(s.data + s.size - sizeof(uint64_t)) == 0) {
        return s.size;
    }
    while (run < s.size && is_plain(s.data[run])) {
        run++;
    }
    return run;
}

static bool is_hidden(uint32_t code) {
    return (code >= 0x80 && code <= 0x9f) || code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static void append_unicode_escape(struct buffer *b, uint32_t code) {
    static const char digits[] = "0123456789abcdef";
    char escape[] = {'\\',
                     'u',
                     digits[code >> 12 & 0xf],
                     digits[code >> 8 & 0xf],
                     digits[code >> 4 & 0xf],
                     digits[code & 0xf]};
    buffer_append(b, slice_of(escape, sizeof(escape)));
}

static void append_ascii_escape(struct buffer *b, char c) {
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c == '\0' ? NULL : strchr(named, c);
    if (at == NULL) {
        append_unicode_escape(b, (uint8_t)c);
        return;
    }
    char escape[] = {'\\', letters[at - named]};
    buffer_append(b, slice_of(escape, sizeof(escape)));
}

/* Appends what s begins with, which is not plain ASCII; returns its bytes. */
static size_t append_special(struct buffer *b, struct slice s, enum json_text_mode mode) {
    uint32_t code;
    size_t size = utf8_decode(s, &code);
    if (size == 0) {
        buffer_append(b, S("\xef\xbf\xbd")); /* U+FFFD */
        return 1;
    }
    if (size == 1) {
        append_ascii_escape(b, s.data[0]);
    } else if (mode == JSON_TEXT_VISIBLE && is_hidden(code)) {
        append_unicode_escape(b, code);
    } else {
        buffer_append(b, slice_of(s.data, size));
    }
    return size;
}

void json_text_append(struct buffer *b, struct slice s, enum json_text_mode mode) {
    while (s.size != 0) {
        size_t run = json_plain_run(s);
        buffer_append(b, slice_of(s.data, run));
        s = slice_skip(s, run);
        if (s.size != 0) {
            s = slice_skip(s, append_special(b, s, mode));
        }
    }
}
