/* doctor.h: findings, and who makes them. */
#ifndef MINTCTL_DOCTOR_H
#define MINTCTL_DOCTOR_H

#include "info.h"
#include <cjson/cJSON.h>

enum finding { FINDING_OK, FINDING_WARNING, FINDING_PROBLEM, FINDING_NOT_CHECKED };

struct doctor {
    struct redis *redis;
    unsigned node; /* that is looked at */
    struct info info;
    bool is_replica;
    const char *asked_user; /* --user; NULL: the one we are */
    cJSON *json, *list;     /* NULL: text */
    unsigned counts[4];     /* by enum finding */
};

/* To give a command, as far as can be told. */
enum right { RIGHT_GIVEN, RIGHT_MISSING, RIGHT_UNKNOWN };

/* What was looked at, what was found, and, unless all is well, what to do about it (NULL: nothing).
 * The texts are plain. */
void doctor_find(struct doctor *doctor, enum finding finding, const char *what, const char *advice,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A key, by its name behind the prefix, that holds what it must not (flaw.h). */
void doctor_find_flaw(struct doctor *doctor, enum finding finding, const char *what,
                      struct slice name);

/* Why a field of INFO is not known. */
const char *doctor_silence(const struct doctor *doctor);

/* Where to look for what Redis does not say; behind "see that ...". */
#define DOCTOR_CONSOLE " (of a managed Redis: in the provider's console)"

/* What to do about a finding that a setting of Redis mends: "…, and so that a restart keeps it". */
#define DOCTOR_KEEP                                                                                \
    ", then CONFIG REWRITE, or a restart of Redis undoes it; where CONFIG is refused, set it in "  \
    "the "                                                                                         \
    "provider's parameters"

/* Each looks at one thing. False: Redis does not answer any more, said. */
bool doctor_look_at_connection(struct doctor *doctor); /* doctor.c */
bool doctor_look_at_instances(struct doctor *doctor);
bool doctor_look_at_role(struct doctor *doctor);    /* doctor_server.c */
bool doctor_look_at_version(struct doctor *doctor); /* doctor_server.c */
bool doctor_look_at_layout(struct doctor *doctor);
bool doctor_look_at_identity(struct doctor *doctor);
bool doctor_look_at_generation(struct doctor *doctor);
bool doctor_look_at_clock(struct doctor *doctor);
bool doctor_look_at_replicas(struct doctor *doctor);
bool doctor_look_at_eviction(struct doctor *doctor); /* doctor_data.c */
bool doctor_look_at_memory(struct doctor *doctor);
bool doctor_look_at_persistence(struct doctor *doctor);
bool doctor_look_at_clients(struct doctor *doctor);  /* doctor_clients.c */
bool doctor_look_at_password(struct doctor *doctor); /* doctor_rights.c */
bool doctor_look_at_rights(struct doctor *doctor);
/* The right is that of mintd's user to CLIENT TRACKING; is_self: that is the user of --redis too,
 * so that trying it tells of the right. */
bool doctor_look_at_tracking(struct doctor *doctor, struct slice user, enum right right,
                             bool is_self); /* doctor_tracking.c */

#endif
