/* doctor.h: findings, and who makes them.
 *
 * What is about the server is looked at on each node; findings on which all agree are told once. */
#ifndef MINTCTL_DOCTOR_H
#define MINTCTL_DOCTOR_H

#include "nodes.h"
#include <cjson/cJSON.h>

enum finding { FINDING_OK, FINDING_WARNING, FINDING_PROBLEM, FINDING_NOT_CHECKED };

/* What was found, until all nodes were looked at. */
struct doctor_note;

struct doctor {
    struct redis *redis;
    struct nodes nodes;
    struct node *at; /* the one that is looked at; NULL: what is looked at is about all */
    struct doctor_note *notes;
    size_t note_count, note_room;
    bool is_short_of_memory; /* for notes */
    const char *asked_user;  /* --user; NULL: the one we are */
    cJSON *json, *list;      /* NULL: text */
    unsigned counts[4];      /* by enum finding */
};

/* A command about the server, to the node that is looked at. NULL, said: it is away. */
struct value *doctor_ask(struct doctor *doctor, const struct slice *arguments, size_t count);
void doctor_notes_free(struct doctor *doctor);
/* Looks at each node that is there, then tells what was found. False: no node is there any more. */
bool doctor_look_at_each(struct doctor *doctor, bool (*look)(struct doctor *doctor));

/* To give a command, as far as can be told. */
enum right { RIGHT_GIVEN, RIGHT_MISSING, RIGHT_UNKNOWN };

/* Of the node that is looked at, or of all: what was looked at, what was found, and, unless all is
 * well, what to do about it (NULL: nothing). The texts are plain. */
void doctor_find(struct doctor *doctor, enum finding finding, const char *what, const char *advice,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same, told now; names NULL: it is not about some of the nodes alone. */
void doctor_tell(struct doctor *doctor, enum finding finding, const char *what, const char *advice,
                 const char *text, const cJSON *names);
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

/* What to do about a node that does not answer. */
#define DOCTOR_AWAY                                                                                \
    "see that it runs, and that this machine reaches it; meanwhile mintd answers 503 for what it " \
    "has"

/* Each looks at one thing. False: the node that has to tell does not answer any more, said. */
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
bool doctor_look_at_away(struct doctor *doctor); /* doctor_cluster.c */
bool doctor_look_at_slots(struct doctor *doctor);
bool doctor_look_at_timeout(struct doctor *doctor);
bool doctor_look_at_coverage(struct doctor *doctor);
bool doctor_look_at_users(struct doctor *doctor);
bool doctor_look_at_names(struct doctor *doctor);
bool doctor_look_at_clients(struct doctor *doctor);  /* doctor_clients.c */
bool doctor_look_at_password(struct doctor *doctor); /* doctor_rights.c */
bool doctor_look_at_rights(struct doctor *doctor);
/* The right is that of mintd's user to CLIENT TRACKING; is_self: that is the user of --redis too,
 * so that trying it tells of the right. */
bool doctor_look_at_tracking(struct doctor *doctor, struct slice user, enum right right,
                             bool is_self); /* doctor_tracking.c */

#endif
