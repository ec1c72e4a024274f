/* environment.h: the environment of both programs: which variables count as given, and which
 * MINTD_... mean nothing to either. */
#ifndef MINTD_CMD_ENVIRONMENT_H
#define MINTD_CMD_ENVIRONMENT_H

#include "mintd/slice.h"

/* NULL where it is not set, and where it is empty: compose files make such. */
const char *environment_value(const char *variable);

struct environment_name {
    const char *variable;
    bool has_file; /* the variable with _FILE behind it is one too */
};

/* Every variable of mintd's, NULL behind the last: made of its table of settings as it is built. */
extern const char *const environment_of_mintd[];

/* The names there are: false behind the last one. */
typedef bool (*environment_names)(size_t index, struct environment_name *name);

/* Calls for each MINTD_... variable that is none of these and not empty, with the name that looks
 * most like it, or NULL. Values are not looked at: one may be a secret. What Kubernetes sets for
 * the services of a namespace (MINTD_PORT, MINTD_SERVICE_HOST, MINTD_PORT_4001_TCP_ADDR) is left
 * out. */
void environment_each_unknown(environment_names names,
                              void (*on_unknown)(void *context, struct slice name,
                                                 const char *nearest),
                              void *context);

#endif
