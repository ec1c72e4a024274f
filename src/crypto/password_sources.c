#include "password_sources.h"

static unsigned failures_at(const struct password_source *source, uint64_t now_ns) {
    uint64_t halvings = (now_ns - source->halved_at_ns) / SOURCE_HALVING_NS;
    return halvings < 32 ? source->failures >> halvings : 0;
}

static struct password_source *find_room(struct password_source *row, uint64_t now_ns) {
    struct password_source *best = NULL;
    for (unsigned i = 0; i < SOURCES_IN_ROW; i++) {
        if (row[i].under_way == 0 &&
            (best == NULL || failures_at(&row[i], now_ns) < failures_at(best, now_ns))) {
            best = &row[i];
        }
    }
    return best;
}

struct password_source *password_sources_find(struct password_sources *sources, struct slice name,
                                              uint64_t now_ns) {
    uint64_t hash = hash_bytes(name, &sources->seed);
    struct password_source *row = sources->rows[hash % SOURCE_ROWS];
    for (unsigned i = 0; i < SOURCES_IN_ROW; i++) {
        if (row[i].name == hash) {
            return &row[i];
        }
    }
    struct password_source *room = find_room(row, now_ns);
    if (room != NULL) {
        *room = (struct password_source){.name = hash};
    }
    return room;
}

unsigned password_source_rank(const struct password_source *source, uint64_t now_ns) {
    return failures_at(source, now_ns) + source->under_way;
}

/* The time that is left over stays: however often it fails, it is halved each minute. */
void password_source_fail(struct password_source *source, uint64_t now_ns) {
    source->failures = failures_at(source, now_ns);
    source->halved_at_ns = now_ns - (now_ns - source->halved_at_ns) % SOURCE_HALVING_NS;
    if (source->failures == 0) {
        source->halved_at_ns = now_ns;
    }
    if (source->failures < SOURCE_FAILURES_MAX) {
        source->failures++;
    }
}
