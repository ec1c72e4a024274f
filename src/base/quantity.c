#include "mintd/quantity.h"

struct unit {
    struct slice name;
    unsigned long long factor;
};

static const struct unit durations[] = {
    /* ms before s: the longer name first */
    {SLICE("ms"), 1},          {SLICE("s"), 1000},         {SLICE("m"), 60 * 1000},
    {SLICE("h"), 3600 * 1000}, {SLICE("d"), 86400 * 1000},
};
static const struct unit sizes[] = {
    {SLICE("k"), 1ull << 10},
    {SLICE("m"), 1ull << 20},
    {SLICE("g"), 1ull << 30},
};

static bool cut_unit(struct slice *text, const struct unit *unit) {
    size_t size = unit->name.size;
    if (text->size <= size ||
        !slice_equal_nocase(slice_skip(*text, text->size - size), unit->name)) {
        return false;
    }
    text->size -= size;
    return true;
}

/* In units of factor 1. */
static bool read_quantity(struct slice text, const struct unit *units, size_t count,
                          unsigned long long plain, unsigned long long max,
                          unsigned long long *value) {
    unsigned long long factor = plain, number;
    for (size_t i = 0; i < count; i++) {
        if (cut_unit(&text, &units[i])) {
            factor = units[i].factor;
            break;
        }
    }
    if (!slice_to_number(text, max / factor, &number)) {
        return false;
    }
    *value = number * factor;
    return true;
}

#define COUNT(units) (sizeof(units) / sizeof(units)[0])

bool quantity_seconds(struct slice text, unsigned long long max, unsigned long long *seconds) {
    unsigned long long ms, max_ms = max > ~0ull / 1000 ? ~0ull : max * 1000;
    if (!read_quantity(text, durations, COUNT(durations), 1000, max_ms, &ms) || ms % 1000 != 0) {
        return false;
    }
    *seconds = ms / 1000;
    return true;
}

bool quantity_milliseconds(struct slice text, unsigned long long max, unsigned long long *ms) {
    return read_quantity(text, durations, COUNT(durations), 1, max, ms);
}

bool quantity_bytes(struct slice text, unsigned long long max, unsigned long long *bytes) {
    return read_quantity(text, sizes, COUNT(sizes), 1, max, bytes);
}
