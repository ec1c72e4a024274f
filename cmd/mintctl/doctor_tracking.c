/* doctor_tracking.c: whether mintd can answer from memory.
 *
 * What the rules of a user say is not enough: a command may be renamed, a proxy may not know it. So
 * what mintd does on each connection (HELLO 3, CLIENT TRACKING ON) is done on this one, and undone.
 * It is done as the user of --redis, whose rights say nothing of mintd's user. */
#include "doctor.h"
#include "output.h"

#define USER_MAX 256u
#define WORDS_MAX 200u
#define PROVIDER "where a provider refuses it all works, but each request asks Redis"

enum outcome {
    OUTCOME_WORKS,
    OUTCOME_TOO_OLD,
    OUTCOME_NO_HELLO,
    OUTCOME_NO_RIGHT,
    OUTCOME_REFUSED
};

struct trial {
    enum outcome outcome;
    char words[WORDS_MAX]; /* Redis' own: its version, or why it refuses */
};

/* ---- trying it ---- */

static void set_outcome(struct trial *trial, enum outcome outcome, struct slice words) {
    trial->outcome = outcome;
    visible(slice_trim(words), trial->words, sizeof trial->words);
}

/* Each is false where Redis is away. */
static bool try_hello(struct doctor *doctor, struct trial *trial) {
    const struct slice arguments[] = {S("HELLO"), S("3")};
    struct value *reply = doctor_ask(doctor, arguments, 2);
    if (reply == NULL) {
        return false;
    }
    struct slice version =
        reply->kind == REDIS_VALUE_LIST ? value_find_text(reply, S("version")) : SLICE_ABSENT;
    if (reply->kind == REDIS_VALUE_ERROR) {
        set_outcome(trial, OUTCOME_NO_HELLO, reply->text);
    } else if (redis_age_of(version) == REDIS_AGE_OLD) {
        set_outcome(trial, OUTCOME_TOO_OLD, version);
    }
    value_free(reply);
    return true;
}

static struct value *set_tracking(struct doctor *doctor, struct slice to) {
    const struct slice arguments[] = {S("CLIENT"), S("TRACKING"), to};
    return doctor_ask(doctor, arguments, 3);
}

static bool try_tracking(struct doctor *doctor, struct trial *trial) {
    struct value *reply = set_tracking(doctor, S("ON"));
    if (value_is(reply, REDIS_VALUE_ERROR)) {
        bool may_not = slice_starts_with(reply->text, S("NOPERM"));
        set_outcome(trial, may_not ? OUTCOME_NO_RIGHT : OUTCOME_REFUSED, reply->text);
    } else if (reply != NULL) {
        value_free(reply);
        reply = set_tracking(doctor, S("OFF"));
    }
    bool answers = reply != NULL;
    value_free(reply);
    return answers;
}

/* ---- what follows from it ---- */

static void tell_of_server(struct doctor *doctor, const struct trial *trial) {
    if (trial->outcome == OUTCOME_TOO_OLD) {
        doctor_find(doctor, FINDING_WARNING, "tracking",
                    "upgrade to Redis 7.0 or later, or to Valkey",
                    "version %s is too old to be relied on to tell of changes: mintd cannot answer "
                    "from memory",
                    trial->words);
    } else if (trial->outcome == OUTCOME_NO_HELLO) {
        doctor_find(doctor, FINDING_WARNING, "tracking",
                    "undo rename-command for HELLO, or lead mintd past the proxy that speaks RESP2 "
                    "alone; " PROVIDER,
                    "HELLO 3 is refused (%s): mintd cannot answer from memory", trial->words);
    } else {
        doctor_find(doctor, FINDING_WARNING, "tracking",
                    "undo rename-command for CLIENT, or lead mintd past the proxy that does not "
                    "know it; " PROVIDER,
                    "CLIENT TRACKING is refused (%s): mintd cannot answer from memory",
                    trial->words);
    }
}

static void tell_of_user(struct doctor *doctor, const char *user, enum right right,
                         bool was_tried) {
    if (right == RIGHT_MISSING) {
        doctor_find(doctor, FINDING_WARNING, "tracking",
                    "allow it: mintctl acl prints the command; mintd notices within 5 s; " PROVIDER,
                    "user %s may not CLIENT TRACKING: mintd cannot answer from memory", user);
    } else if (right == RIGHT_UNKNOWN) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "tracking",
                    "ask with a user who may ACL DRYRUN, and name mintd's with --user",
                    "whether user %s may CLIENT TRACKING", user);
    } else if (!was_tried) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "tracking",
                    "ask with a user who may CLIENT TRACKING",
                    "user %s may CLIENT TRACKING; the user of --redis may not try it", user);
    } else {
        doctor_find(doctor, FINDING_OK, "tracking", NULL,
                    "user %s may CLIENT TRACKING: mintd answers from memory", user);
    }
}

bool doctor_look_at_tracking(struct doctor *doctor, struct slice user, enum right right,
                             bool is_self) {
    struct trial trial = {.outcome = OUTCOME_WORKS};
    char name[USER_MAX];
    if (!try_hello(doctor, &trial) ||
        (trial.outcome == OUTCOME_WORKS && !try_tracking(doctor, &trial))) {
        return false;
    }
    bool works = trial.outcome == OUTCOME_WORKS;
    if (!works && trial.outcome != OUTCOME_NO_RIGHT) {
        tell_of_server(doctor, &trial);
        return true;
    }
    if (is_self) {
        right = works ? RIGHT_GIVEN : RIGHT_MISSING;
    }
    tell_of_user(doctor, visible(user, name, sizeof name), right, works);
    return true;
}
