/* doctor_rights.c: who may do what: the default user, the rights that mintd needs, those it does
 * not. */
#include "doctor.h"
#include "output.h"
#include "rights.h"
#include <ctype.h>

#define USER_MAX 256u
#define MISSING_MAX 400u
#define ADVICE "mintctl acl prints the command that makes it with the least rights"

/* ---- asking Redis ---- */

/* ACL DRYRUN user command ...; false: Redis is away. */
static bool try_command(struct doctor *doctor, struct slice user, const struct slice *command,
                        size_t count, enum right *right) {
    struct slice arguments[10] = {S("ACL"), S("DRYRUN"), user};
    memcpy(arguments + 3, command, count * sizeof *command);
    struct value *reply = doctor_ask(doctor, arguments, 3 + count);
    if (reply == NULL) {
        return false;
    }
    *right = reply->kind != REDIS_VALUE_TEXT     ? RIGHT_UNKNOWN
             : slice_equal(reply->text, S("OK")) ? RIGHT_GIVEN
                                                 : RIGHT_MISSING;
    value_free(reply);
    return true;
}

static bool try_right(struct doctor *doctor, struct slice user, const struct right_of_user *one,
                      enum right *right) {
    char key_storage[REDIS_KEY_MAX];
    struct slice command[7], rest = slice_of_string(one->command), word;
    size_t count = 0;
    while (slice_split(&rest, '|', &word)) {
        command[count++] = word;
    }
    if (one->key != NULL) {
        command[count++] = redis_key(doctor->redis, one->key, S(""), key_storage);
    }
    for (size_t i = 0; i < 3 && one->arguments[i] != NULL; i++) {
        command[count++] = slice_of_string(one->arguments[i]);
    }
    if (strcmp(one->command, "renamenx") == 0) {
        command[count++] = command[1];
    }
    return try_command(doctor, user, command, count, right);
}

/* ---- reading the rules instead ---- */

/* The rules of a user in order ("-@all +get"): the last that speaks of the command counts; one of
 * a category may speak of it. */
static enum right read_rules(struct slice rules, const char *command) {
    enum right right = RIGHT_MISSING;
    struct slice rule;
    while (slice_next_word(&rules, &rule)) {
        struct slice name = slice_skip(rule, 1);
        enum right said = rule.data[0] == '+' ? RIGHT_GIVEN : RIGHT_MISSING;
        if (slice_equal(name, S("@all")) || slice_equal_nocase(name, slice_of_string(command))) {
            right = said;
        } else if (slice_starts_with(name, S("@")) && right != said) {
            right = RIGHT_UNKNOWN;
        }
    }
    return right;
}

/* ---- what mintd needs ---- */

struct rights {
    struct slice user;
    struct value *rules; /* of ACL GETUSER: a list where it may be asked */
    unsigned missing, unknown;
    bool has_no_clock;   /* it may not ask for the time */
    bool is_unlisted;    /* it may not list its instances */
    bool sees_none;      /* it may not read the list of instances */
    bool waits_not;      /* it may not wait for replicas, or not ask how many there are */
    enum right tracking; /* to CLIENT TRACKING */
    struct buffer names; /* of the missing ones */
    char storage[MISSING_MAX];
};

static struct slice rules_of(const struct rights *r, const char *field) {
    return value_is(r->rules, REDIS_VALUE_LIST) ? value_find_text(r->rules, slice_of_string(field))
                                                : SLICE_ABSENT;
}

/* By trying it, else by reading the rules. */
static bool find_right(struct doctor *doctor, const struct rights *r,
                       const struct right_of_user *one, enum right *right) {
    if (!try_right(doctor, r->user, one, right)) {
        return false;
    }
    if (*right == RIGHT_UNKNOWN && !slice_is_absent(rules_of(r, "commands"))) {
        *right = read_rules(rules_of(r, "commands"), one->command);
    }
    return true;
}

static void note_missing(struct rights *r, const char *command) {
    r->missing++;
    buffer_append_char(&r->names, ' ');
    for (; *command != '\0'; command++) {
        buffer_append_char(&r->names, (char)toupper(*command));
    }
}

/* Whether mintd, with this URL, may need it. Nobody but an instance knows whether it waits for
 * files, or has a clients file. */
static bool is_meant(const struct doctor *doctor, const struct right_of_user *one) {
    switch (one->kind) {
    case RIGHT_FOR_DATABASE:
        return redis_target_of(doctor->redis)->redis.database != 0;
    case RIGHT_FOR_CLUSTER:
        return redis_is_cluster(doctor->redis);
    case RIGHT_FOR_FILES:
    case RIGHT_FOR_CLIENTS:
        return false;
    default:
        return true;
    }
}

/* Without the one to be told of changes mintd serves, but asks Redis for each request. */
static bool check_rights(struct doctor *doctor, struct rights *r) {
    for (size_t i = 0; i < rights_count; i++) {
        enum right right;
        if (!is_meant(doctor, &rights[i])) {
            continue;
        }
        if (!find_right(doctor, r, &rights[i], &right)) {
            return false;
        }
        if (rights[i].kind == RIGHT_FOR_MEMORY) {
            r->tracking = right;
        } else if (rights[i].kind == RIGHT_FOR_REPLICAS) {
            r->waits_not |= right == RIGHT_MISSING;
        } else if (rights[i].kind == RIGHT_FOR_PAGE) {
            r->sees_none = right == RIGHT_MISSING;
        } else if (right == RIGHT_MISSING && rights[i].kind == RIGHT_FOR_LIST) {
            r->is_unlisted = true;
        } else if (right == RIGHT_MISSING && rights[i].kind == RIGHT_FOR_CLOCK) {
            r->has_no_clock = true;
        } else if (right == RIGHT_MISSING) {
            note_missing(r, rights[i].command);
        } else {
            r->unknown += right == RIGHT_UNKNOWN;
        }
    }
    return true;
}

static void judge_needs(struct doctor *doctor, const struct rights *r) {
    char user[USER_MAX];
    struct slice prefix = redis_target_of(doctor->redis)->prefix;
    visible(r->user, user, sizeof user);
    if (r->missing != 0) {
        doctor_find(doctor, FINDING_PROBLEM, "rights", ADVICE,
                    "user %s may not, on the keys of %.*s:%.*s", user, (int)prefix.size,
                    prefix.data, (int)r->names.size, r->names.data);
    } else if (r->unknown != 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "rights",
                    "ask with a user who may ACL DRYRUN, and name mintd's with --user",
                    "of user %s: the user of --redis may not look", user);
    } else if (r->is_unlisted) {
        doctor_find(doctor, FINDING_WARNING, "rights", ADVICE,
                    "user %s may not SADD and SREM on %.*sinstances: mintctl status does not see "
                    "its instances",
                    user, (int)prefix.size, prefix.data);
    } else if (r->has_no_clock) {
        doctor_find(doctor, FINDING_WARNING, "rights", ADVICE,
                    "user %s may not ask TIME: each instance goes by its own clock", user);
    } else {
        doctor_find(
            doctor, FINDING_OK, "rights", NULL, "user %s has all that mintd needs%s%s", user,
            r->waits_not ? " (but WAIT or ROLE, for an instance that waits for replicas)" : "",
            r->sees_none ? " (but SRANDMEMBER, for other instances in /status)" : "");
    }
}

/* ---- what mintd does not need ---- */

static bool judge_breadth(struct doctor *doctor, const struct rights *r) {
    const struct slice eval[] = {S("EVAL"), S("return 1"), S("0")};
    char user[USER_MAX];
    enum right may_eval;
    if (!try_command(doctor, r->user, eval, 3, &may_eval)) {
        return false;
    }
    bool all_commands = slice_has_word(rules_of(r, "commands"), S("+@all"));
    bool all_keys = slice_has_word(rules_of(r, "keys"), S("~*"));
    visible(r->user, user, sizeof user);
    if (slice_is_absent(rules_of(r, "commands")) && may_eval == RIGHT_UNKNOWN) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "least rights", NULL,
                    "of user %s: the user of --redis may not look", user);
    } else if (all_commands || all_keys || may_eval == RIGHT_GIVEN) {
        doctor_find(doctor, FINDING_WARNING, "least rights",
                    "give mintd a user of its own: mintctl acl prints the command",
                    "user %s has more than mintd needs:%s%s%s", user,
                    all_commands ? " all commands (+@all)" : "", all_keys ? " all keys (~*)" : "",
                    may_eval == RIGHT_GIVEN ? " scripts (eval)" : "");
    } else {
        doctor_find(doctor, FINDING_OK, "least rights", NULL,
                    "user %s has neither all commands, nor all keys, nor scripts", user);
    }
    return true;
}

static bool get_user(struct doctor *doctor, struct slice user, struct value **rules) {
    const struct slice arguments[] = {S("ACL"), S("GETUSER"), user};
    *rules = doctor_ask(doctor, arguments, 3);
    return *rules != NULL;
}

static bool look_at_user(struct doctor *doctor, struct slice user, bool is_self) {
    struct rights r = {.user = user};
    char text[USER_MAX];
    r.names = buffer_of(r.storage, sizeof r.storage);
    if (!get_user(doctor, user, &r.rules)) {
        return false;
    }
    bool done = true;
    if (r.rules->kind == REDIS_VALUE_NIL) {
        doctor_find(doctor, FINDING_PROBLEM, "rights", ADVICE, "there is no user %s",
                    visible(user, text, sizeof text));
    } else {
        done = check_rights(doctor, &r);
        if (done) {
            judge_needs(doctor, &r);
            done = doctor_look_at_tracking(doctor, user, r.tracking, is_self) &&
                   judge_breadth(doctor, &r);
        }
    }
    value_free(doctor->at->user);
    doctor->at->user = r.rules;
    return done;
}

/* The reply of WHOAMI is what it lies in. */
static struct slice own_name(const struct doctor *doctor, const struct value *reply) {
    const char *configured = redis_target_of(doctor->redis)->redis.user;
    return reply->kind == REDIS_VALUE_TEXT ? reply->text
           : *configured != '\0'           ? slice_of_string(configured)
                                           : S("default");
}

bool doctor_look_at_rights(struct doctor *doctor) {
    const struct slice arguments[] = {S("ACL"), S("WHOAMI")};
    struct value *reply = doctor_ask(doctor, arguments, 2);
    if (reply == NULL) {
        return false;
    }
    struct slice self = own_name(doctor, reply);
    struct slice user = doctor->asked_user == NULL ? self : slice_of_string(doctor->asked_user);
    bool done = look_at_user(doctor, user, slice_equal(user, self));
    value_free(reply);
    return done;
}

/* ---- the default user ---- */

static bool has_flag(const struct value *rules, struct slice flag) {
    const struct value *flags = value_find(rules, S("flags"));
    for (size_t i = 0; flags != NULL && i < flags->count; i++) {
        if (slice_equal(flags->items[i].text, flag)) {
            return true;
        }
    }
    return false;
}

bool doctor_look_at_password(struct doctor *doctor) {
    struct value *rules;
    if (!get_user(doctor, S("default"), &rules)) {
        return false;
    }
    bool is_local = redis_target_of(doctor->redis)->is_local;
    if (rules->kind != REDIS_VALUE_LIST) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "password",
                    "see that requirepass is set" DOCTOR_CONSOLE,
                    "the user of --redis may not ask ACL GETUSER default");
    } else if (!has_flag(rules, S("on"))) {
        doctor_find(doctor, FINDING_OK, "password", NULL, "the default user is off");
    } else if (!has_flag(rules, S("nopass"))) {
        doctor_find(doctor, FINDING_OK, "password", NULL, "the default user has one");
    } else {
        doctor_find(doctor, is_local ? FINDING_WARNING : FINDING_PROBLEM, "password",
                    "set requirepass, or turn the default user off",
                    "the default user has none: who reaches Redis can write tokens of its own");
    }
    value_free(rules);
    return true;
}
