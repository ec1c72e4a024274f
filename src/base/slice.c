#include "mintd/slice.h"

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool slice_equal_nocase(struct slice a, struct slice b) {
    if (a.size != b.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
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

bool slice_to_number(struct slice s, unsigned long long max, unsigned long long *number) {
    if (s.size == 0) {
        return false;
    }
    unsigned long long value = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
        unsigned digit = (unsigned)(s.data[i] - '0');
        if (digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}
