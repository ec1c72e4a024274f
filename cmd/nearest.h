/* nearest.h: "did you mean": the known word that looks most like one that is not known. */
#ifndef MINTD_CMD_NEAREST_H
#define MINTD_CMD_NEAREST_H

#include "mintd/slice.h"

/* Letters to change, add or leave out (Levenshtein); NEAREST_FAR where one word is too long. */
#define NEAREST_FAR 64u
unsigned nearest_distance(struct slice a, struct slice b);

struct nearest {
    struct slice unknown;
    unsigned distance; /* of the best one */
    const char *best;  /* NULL: nothing looks like it */
};

/* Two letters may differ; of a word of up to three letters only where the first one is the same. */
struct nearest nearest_to(struct slice unknown);
void nearest_look(struct nearest *nearest, const char *known);

#endif
