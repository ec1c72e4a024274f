#include "environment.h"
#include "nearest.h"
#include <stdlib.h>
#include <unistd.h>

#define PREFIX S("MINTD_")

const char *environment_value(const char *variable) {
    const char *value = getenv(variable);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* ---- what Kubernetes sets ---- */

static bool ends_or_goes_on(struct slice rest, struct slice start) {
    return slice_starts_with(rest, start) &&
           (rest.size == start.size || rest.data[start.size] == '_');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* MINTD_SERVICE_HOST, MINTD_SERVICE_PORT_HTTP, MINTD_PORT, MINTD_PORT_4001_TCP_ADDR; also of
 * services that are called mintd-something. */
static bool is_of_kubernetes(struct slice name) {
    for (size_t at = 0; at < name.size; at++) {
        struct slice rest = slice_skip(name, at);
        bool is_port = slice_equal(rest, S("_PORT")) || (slice_starts_with(rest, S("_PORT_")) &&
                                                         rest.size > 6 && is_digit(rest.data[6]));
        if (is_port || slice_equal(rest, S("_SERVICE_HOST")) ||
            ends_or_goes_on(rest, S("_SERVICE_PORT"))) {
            return true;
        }
    }
    return false;
}

/* ---- what looks like it ---- */

/* A word too many behind a name (MINTD_REDIS_URL) is one slip, however long it is. */
static unsigned strangeness(struct slice unknown, struct slice known) {
    bool is_longer = slice_starts_with(unknown, known) && unknown.size > known.size &&
                     unknown.data[known.size] == '_';
    return is_longer ? 2 : nearest_distance(unknown, known);
}

static bool is_known(struct slice unknown, const struct environment_name *name) {
    struct slice known = slice_of_string(name->variable);
    return slice_equal(unknown, known) ||
           (name->has_file && unknown.size == known.size + 5 && slice_starts_with(unknown, known) &&
            slice_equal(slice_skip(unknown, known.size), S("_FILE")));
}

/* False where the name is known. *nearest: NULL where nothing looks like it. */
static bool is_unknown(struct slice unknown, environment_names names, const char **nearest) {
    struct environment_name name;
    unsigned best = (unsigned)(unknown.size - PREFIX.size + 1) / 2 + 1;
    *nearest = NULL;
    for (size_t i = 0; names(i, &name); i++) {
        if (is_known(unknown, &name)) {
            return false;
        }
        unsigned far = unknown.size < NEAREST_FAR
                           ? strangeness(unknown, slice_of_string(name.variable))
                           : best;
        if (far < best) {
            best = far;
            *nearest = name.variable;
        }
    }
    return true;
}

void environment_each_unknown(environment_names names,
                              void (*on_unknown)(void *context, struct slice name,
                                                 const char *nearest),
                              void *context) {
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        struct slice rest = slice_of_string(*entry), name;
        const char *nearest;
        if (!slice_split(&rest, '=', &name) || slice_is_absent(rest) || rest.size == 0 ||
            !slice_starts_with(name, PREFIX) || is_of_kubernetes(name)) {
            continue;
        }
        if (is_unknown(name, names, &nearest)) {
            on_unknown(context, name, nearest);
        }
    }
}
