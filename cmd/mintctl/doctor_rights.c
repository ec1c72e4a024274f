/* doctor_rights.c: who may do what: the default user, the rights that mintd needs, those it does
 * not. */
#include "doctor.h"
#include "output.h"
#include <stdio.h>

#define USER_MAX 256u
#define MISSING_MAX 400u

/* Each command that mintd sends, so that Redis can be asked whether the user may. Behind its name
 * come the key, given here without the prefix, and the arguments. */
static const struct need {
    const char *command;
    const char *key; /* NULL: the command has none */
    const char *arguments[3];
} needs[] = {
    {"GET", "token:0", {NULL}},
    {"SET", "schema", {"1", "NX"}},
    {"SETEX", "token:0", {"60", "{}"}},
    {"DEL", "token:0", {NULL}},
    {"HGETALL", "client:0", {NULL}},
    {"HSET", "new:{0}", {"scope", ""}},
    {"HEXISTS", "client:0", {"secret:1"}},
    {"HDEL", "client:0", {"secret:1:used"}},
    {"RENAMENX", "new:{0}", {NULL}}, /* its second key is added */
    {"SADD", "clients", {"0"}},
    {"SADD", "instances", {"0"}},
    {"SREM", "instances", {"0"}},
    {"INCR", "fail:0:0", {NULL}},
    {"MULTI", NULL, {NULL}},
    {"EXEC", NULL, {NULL}},
    {"PING", NULL, {NULL}},
    {"SELECT", NULL, {"0"}}, /* not for database 0 */
};

#define NEED_COUNT (sizeof needs / sizeof needs[0])

/* Without it mintd serves, but mintctl status does not see it. */
static bool is_for_list(const struct need *need) {
    return need->key != NULL && strcmp(need->key, "instances") == 0;
}

/* ---- asking Redis ---- */

/* ACL DRYRUN user command ...; false: Redis is away. */
static bool try_command(struct doctor *doctor, struct slice user, const struct slice *command,
                        size_t count, enum right *right) {
    struct slice arguments[10] = {S("ACL"), S("DRYRUN"), user};
    memcpy(arguments + 3, command, count * sizeof *command);
    struct value *reply = redis_try(doctor->redis, arguments, 3 + count);
    if (reply == NULL) {
        return false;
    }
    *right = reply->kind != REDIS_VALUE_TEXT     ? RIGHT_UNKNOWN
             : slice_equal(reply->text, S("OK")) ? RIGHT_GIVEN
                                                 : RIGHT_MISSING;
    value_free(reply);
    return true;
}

static bool try_need(struct doctor *doctor, struct slice user, const struct need *need,
                     enum right *right) {
    char key_storage[REDIS_KEY_MAX];
    struct slice command[7] = {slice_of_string(need->command)};
    size_t count = 1;
    if (need->key != NULL) {
        command[count++] = redis_key(doctor->redis, need->key, S(""), key_storage);
    }
    for (size_t i = 0; i < 3 && need->arguments[i] != NULL; i++) {
        command[count++] = slice_of_string(need->arguments[i]);
    }
    if (strcmp(need->command, "RENAMENX") == 0) {
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
    bool is_self;        /* it is the user of --redis */
    struct value *rules; /* of ACL GETUSER: a list where it may be asked */
    unsigned missing, unknown;
    bool is_unlisted;    /* it may not list its instances */
    struct buffer names; /* of the missing ones */
    char storage[MISSING_MAX];
};

static struct slice rules_of(const struct rights *r, const char *field) {
    return value_is(r->rules, REDIS_VALUE_LIST) ? value_find_text(r->rules, slice_of_string(field))
                                                : SLICE_ABSENT;
}

static bool check_needs(struct doctor *doctor, struct rights *r) {
    bool selects = redis_settings(doctor->redis)->redis.database != 0;
    for (size_t i = 0; i < NEED_COUNT; i++) {
        enum right right;
        if (!selects && strcmp(needs[i].command, "SELECT") == 0) {
            continue;
        }
        if (!try_need(doctor, r->user, &needs[i], &right)) {
            return false;
        }
        if (right == RIGHT_UNKNOWN && !slice_is_absent(rules_of(r, "commands"))) {
            right = read_rules(rules_of(r, "commands"), needs[i].command);
        }
        r->unknown += right == RIGHT_UNKNOWN;
        if (right == RIGHT_MISSING && is_for_list(&needs[i])) {
            r->is_unlisted = true;
        } else if (right == RIGHT_MISSING) {
            r->missing++;
            buffer_append(&r->names, S(" "));
            buffer_append(&r->names, slice_of_string(needs[i].command));
        }
    }
    return true;
}

static void judge_needs(struct doctor *doctor, const struct rights *r) {
    char user[USER_MAX];
    visible(r->user, user, sizeof user);
    if (r->missing != 0) {
        doctor_find(doctor, FINDING_PROBLEM, "rights",
                    "docs/redis.md has the ACL SETUSER line with the least rights",
                    "user %s may not, on the keys of mintd:%.*s", user, (int)r->names.size,
                    r->names.data);
    } else if (r->unknown != 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "rights",
                    "ask with a user who may ACL DRYRUN, and name mintd's with --user",
                    "of user %s: the user of --redis may not look", user);
    } else if (r->is_unlisted) {
        doctor_find(doctor, FINDING_WARNING, "rights",
                    "docs/redis.md has the ACL SETUSER line with the least rights",
                    "user %s may not SADD and SREM on mintd:instances: mintctl status does not see "
                    "its instances",
                    user);
    } else {
        doctor_find(doctor, FINDING_OK, "rights", NULL, "user %s has all that mintd needs", user);
    }
}

/* Without it mintd serves, but asks Redis for each request. */
static bool judge_tracking(struct doctor *doctor, const struct rights *r) {
    const struct slice tracking[] = {S("CLIENT"), S("TRACKING"), S("ON")};
    enum right right;
    if (!try_command(doctor, r->user, tracking, 3, &right)) {
        return false;
    }
    if (right == RIGHT_UNKNOWN && !slice_is_absent(rules_of(r, "commands"))) {
        right = read_rules(rules_of(r, "commands"), "client|tracking");
    }
    return doctor_look_at_tracking(doctor, r->user, right, r->is_self);
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
                    "give mintd a user of its own: docs/redis.md has the line",
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
    *rules = redis_try(doctor->redis, arguments, 3);
    return *rules != NULL;
}

static bool look_at_user(struct doctor *doctor, struct slice user, bool is_self) {
    struct rights r = {.user = user, .is_self = is_self};
    char text[USER_MAX];
    r.names = buffer_of(r.storage, sizeof r.storage);
    if (!get_user(doctor, user, &r.rules)) {
        return false;
    }
    bool done = true;
    if (r.rules->kind == REDIS_VALUE_NIL) {
        doctor_find(doctor, FINDING_PROBLEM, "rights", "ACL SETUSER makes one",
                    "there is no user %s", visible(user, text, sizeof text));
    } else {
        done = check_needs(doctor, &r);
        if (done) {
            judge_needs(doctor, &r);
            done = judge_tracking(doctor, &r) && judge_breadth(doctor, &r);
        }
    }
    value_free(r.rules);
    return done;
}

bool doctor_look_at_rights(struct doctor *doctor) {
    const struct slice arguments[] = {S("ACL"), S("WHOAMI")};
    struct value *reply = redis_try(doctor->redis, arguments, 2);
    if (reply == NULL) {
        return false;
    }
    const char *configured = redis_settings(doctor->redis)->redis.user;
    struct slice self = reply->kind == REDIS_VALUE_TEXT ? reply->text
                        : *configured != '\0'           ? slice_of_string(configured)
                                                        : S("default");
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
    bool is_local = redis_settings(doctor->redis)->is_local;
    if (rules->kind != REDIS_VALUE_LIST) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "password", "see that requirepass is set",
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
