/* slice.h: a view of bytes that somebody else owns.
 *
 * A slice owns nothing and is not NUL-terminated. {NULL, 0} means "absent". An empty text that is
 * present has size 0 and data that is not NULL. */
#ifndef MINTD_SLICE_H
#define MINTD_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data;
    size_t size;
};

/* A string literal as a slice, also in a static initialiser: SLICE("GET"). */
#define SLICE(literal)                                                                             \
    { .data = "" literal, .size = sizeof(literal) - 1 }
/* The same as an expression. */
#define S(literal) ((struct slice)SLICE(literal))

#define SLICE_ABSENT ((struct slice){NULL, 0})

static inline struct slice slice_of(const char *data, size_t size) {
    return (struct slice){data, size};
}

/* The bytes of a NUL-terminated string; absent for NULL. */
static inline struct slice slice_of_string(const char *string) {
    return (struct slice){string, string == NULL ? 0 : strlen(string)};
}

static inline bool slice_is_absent(struct slice s) {
    return s.data == NULL;
}

/* Not for secrets: see crypto_equal(). */
static inline bool slice_equal(struct slice a, struct slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix) {
    return s.size >= prefix.size && slice_equal(slice_of(s.data, prefix.size), prefix);
}

static inline struct slice slice_skip(struct slice s, size_t count) {
    return (struct slice){s.data + count, s.size - count};
}

bool slice_bytes_equal_nocase(const char *a, const char *b, size_t size);

/* ASCII letters are equal in both cases; other bytes must be the same. */
static inline bool slice_equal_nocase(struct slice a, struct slice b) {
    return a.size == b.size && slice_bytes_equal_nocase(a.data, b.data, a.size);
}

/* The slice without spaces and tabs at its ends (RFC 9110 OWS). */
struct slice slice_trim(struct slice s);

/* Cuts *rest at the first separator: *part is what stands before it, *rest is what stands behind.
 * With the last part, *rest becomes absent. False: *rest was absent already, and nothing has
 * changed. */
bool slice_split(struct slice *rest, char separator, struct slice *part);

/* The next item of a list that is separated by spaces ("read write"). Empty items are left out.
 * False: there is no more. */
bool slice_next_word(struct slice *rest, struct slice *word);

/* Whether the list, separated by spaces, has the word. */
bool slice_has_word(struct slice list, struct slice word);

/* Reads an unsigned decimal number: only digits, and all of the slice. False: it is something
 * else, or over max. */
bool slice_to_number(struct slice s, unsigned long long max, unsigned long long *number);

#endif
