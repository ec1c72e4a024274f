#include "mintd/slice.h"
#include <limits.h>

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool slice_bytes_equal_nocase(const char *a, const char *b, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s) {
    while (s.size != 0 && is_blank(s.data[0])) {
        s = slice_skip(s, 1);
    }
    while (s.size != 0 && is_blank(s.data[s.size - 1])) {
        s.size--;
    }
    return s;
}

bool slice_split(struct slice *rest, char separator, struct slice *part) {
    if (slice_is_absent(*rest)) {
        return false;
    }
    const char *cut = memchr(rest->data, separator, rest->size);
    if (cut == NULL) {
        *part = *rest;
        *rest = SLICE_ABSENT;
        return true;
    }
    *part = slice_of(rest->data, (size_t)(cut - rest->data));
    *rest = slice_skip(*rest, part->size + 1);
    return true;
}

bool slice_next_word(struct slice *rest, struct slice *word) {
    struct slice part;
    while (slice_split(rest, ' ', &part)) {
        if (part.size != 0) {
            *word = part;
            return true;
        }
    }
    return false;
}

bool slice_has_word(struct slice list, struct slice word) {
    struct slice candidate;
    while (slice_next_word(&list, &candidate)) {
        if (slice_equal(candidate, word)) {
            return true;
        }
    }
    return false;
}

#define SAFE_DIGITS 19u /* so many cannot pass 2^64 */

bool slice_to_number(struct slice s, unsigned long long max, unsigned long long *number) {
    unsigned long long value = 0;
    size_t first = 0; /* behind leading zeros */
    while (first < s.size && s.data[first] == '0') {
        first++;
    }
    for (size_t i = first; i < s.size; i++) {
        unsigned digit = (unsigned)(s.data[i] - '0');
        bool passes = i - first >= SAFE_DIGITS && value > (ULLONG_MAX - digit) / 10;
        if (digit > 9 || passes) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (s.size == 0 || value > max) {
        return false;
    }
    *number = value;
    return true;
}
