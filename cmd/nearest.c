#include "nearest.h"

#define MOST 2u  /* letters that may differ */
#define SHORT 3u /* letters of a word of which two are nearly all */

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

unsigned nearest_distance(struct slice a, struct slice b) {
    unsigned row[NEAREST_FAR];
    if (a.size >= NEAREST_FAR || b.size >= NEAREST_FAR) {
        return NEAREST_FAR;
    }
    for (unsigned i = 0; i <= b.size; i++) {
        row[i] = i;
    }
    for (unsigned i = 0; i < a.size; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (unsigned k = 0; k < b.size; k++) {
            unsigned changed = diagonal + (a.data[i] == b.data[k] ? 0 : 1);
            diagonal = row[k + 1];
            row[k + 1] = least(changed, least(row[k], row[k + 1]) + 1);
        }
    }
    return row[b.size];
}

/* The letters of a flag, which make it short or long. */
static struct slice letters(struct slice word) {
    return slice_starts_with(word, S("--")) ? slice_skip(word, 2) : word;
}

struct nearest nearest_to(struct slice unknown) {
    return (struct nearest){.unknown = unknown, .distance = MOST + 1};
}

void nearest_look(struct nearest *nearest, const char *known) {
    struct slice a = letters(nearest->unknown), b = letters(slice_of_string(known));
    unsigned distance = nearest_distance(nearest->unknown, slice_of_string(known));
    bool is_like = a.size > SHORT || (a.size > 0 && b.size > 0 && a.data[0] == b.data[0]);
    if (distance < nearest->distance && (distance < MOST || is_like) && a.size > 0) {
        nearest->distance = distance;
        nearest->best = known;
    }
}
