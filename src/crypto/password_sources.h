/* password_sources.h: how much each source has asked of the pool without a right secret, so that
 * those who asked for less go first.
 *
 * A bounded table. Where it is full, a source that has no check under way makes room, and is new
 * the next time: of those that share its row, the one with the fewest failures. The rows are chosen
 * by a hash with a random seed: nobody can choose whom to push out. */
#ifndef MINTD_PASSWORD_SOURCES_H
#define MINTD_PASSWORD_SOURCES_H

#include "mintd/hash.h"
#include <stdbool.h>

#define SOURCE_ROWS 256u
#define SOURCES_IN_ROW 8u
#define SOURCE_HALVING_NS (60ull * 1000000000)
#define SOURCE_FAILURES_MAX 100u /* counted; forgotten after seven minutes without another one */

struct password_source {
    uint64_t name; /* a hash */
    uint64_t halved_at_ns;
    unsigned failures; /* as of then: each SOURCE_HALVING_NS that have passed halve them */
    unsigned under_way;
};

struct password_sources {
    struct hash_seed seed;
    struct password_source rows[SOURCE_ROWS][SOURCES_IN_ROW];
};

/* The source of that name; a new one where it is not known. NULL: each one that could make room has
 * a check under way. Valid while it has one under way itself. */
struct password_source *password_sources_find(struct password_sources *sources, struct slice name,
                                              uint64_t now_ns);
/* Its failures of late, and its checks under way. */
unsigned password_source_rank(const struct password_source *source, uint64_t now_ns);
void password_source_fail(struct password_source *source, uint64_t now_ns);

#endif
