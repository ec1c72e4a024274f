/* doctor_cluster.c: what a cluster has to be beside what each of its nodes has to be. */
#include "doctor.h"
#include "output.h"

#define TIMEOUT_LEAST_MS 2000u
#define TIMEOUT_MOST_MS 5000u

/* ---- nodes that are away ---- */

bool doctor_look_at_away(struct doctor *doctor) {
    for (unsigned i = 0; i < doctor->nodes.count; i++) {
        if (doctor->nodes.items[i].is_away) {
            doctor_find(doctor, FINDING_PROBLEM, "nodes", DOCTOR_AWAY, "%s is away",
                        doctor->nodes.items[i].name);
        }
    }
    if (doctor->nodes.away == 0) {
        doctor_find(doctor, FINDING_OK, "nodes", NULL, "%u with slots, all there",
                    doctor->nodes.count);
    }
    return true;
}

/* ---- settings ---- */

/* The reply, NULL: the node is away; *value is absent where it may not be asked. */
static struct value *get_setting(struct doctor *doctor, const char *name, struct slice *value) {
    const struct slice arguments[] = {S("CONFIG"), S("GET"), slice_of_string(name)};
    struct value *reply = doctor_ask(doctor, arguments, 3);
    *value = value_is(reply, REDIS_VALUE_LIST) ? value_find_text(reply, slice_of_string(name))
                                               : SLICE_ABSENT;
    return reply;
}

bool doctor_look_at_timeout(struct doctor *doctor) {
    struct slice value;
    unsigned long long ms;
    struct value *reply = get_setting(doctor, "cluster-node-timeout", &value);
    if (reply == NULL) {
        return false;
    }
    if (!slice_to_number(value, UINT32_MAX, &ms)) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "timeout",
                    "see that cluster-node-timeout is 2000 to 5000" DOCTOR_CONSOLE,
                    "the user of --redis may not ask CONFIG GET cluster-node-timeout");
    } else if (ms > TIMEOUT_MOST_MS) {
        doctor_find(
            doctor, FINDING_WARNING, "timeout", "CONFIG SET cluster-node-timeout 3000" DOCTOR_KEEP,
            "cluster-node-timeout is %llu ms: so long a node that is lost is missed, and one "
            "that is cut off with an instance is believed",
            ms);
    } else if (ms < TIMEOUT_LEAST_MS) {
        doctor_find(
            doctor, FINDING_WARNING, "timeout", "CONFIG SET cluster-node-timeout 3000" DOCTOR_KEEP,
            "cluster-node-timeout is %llu ms: a node that is only slow is taken for lost", ms);
    } else {
        doctor_find(doctor, FINDING_OK, "timeout", NULL, "cluster-node-timeout is %llu ms", ms);
    }
    value_free(reply);
    return true;
}

/* Either is well; what it means has to be known. */
bool doctor_look_at_coverage(struct doctor *doctor) {
    struct slice value;
    struct value *reply = get_setting(doctor, "cluster-require-full-coverage", &value);
    if (reply == NULL) {
        return false;
    }
    if (slice_is_absent(value)) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "coverage",
                    "see what cluster-require-full-coverage is" DOCTOR_CONSOLE,
                    "the user of --redis may not ask CONFIG GET cluster-require-full-coverage");
    } else if (slice_equal(value, S("no"))) {
        doctor_find(doctor, FINDING_OK, "coverage", NULL,
                    "cluster-require-full-coverage is no: a node that is lost takes its own keys "
                    "with it, and no others");
    } else {
        doctor_find(doctor, FINDING_OK, "coverage", NULL,
                    "cluster-require-full-coverage is yes: while one slot has no node, the cluster "
                    "answers for none");
    }
    value_free(reply);
    return true;
}

/* ---- one user ---- */

/* Redis tells commands in an order of its own, another one at each start. */
static bool are_same_words(struct slice a, struct slice b) {
    struct slice rest = a, word;
    size_t here = 0, there = 0;
    for (; slice_next_word(&rest, &word); here++) {
        if (!slice_has_word(b, word)) {
            return false;
        }
    }
    for (rest = b; slice_next_word(&rest, &word); there++) {
    }
    return here == there;
}

static bool is_same(const struct value *a, const struct value *b);

static bool has_item(const struct value *list, const struct value *item) {
    for (size_t i = 0; i < list->count; i++) {
        if (is_same(&list->items[i], item)) {
            return true;
        }
    }
    return false;
}

/* Of lists and texts; the order does not count. */
static bool is_same(const struct value *a, const struct value *b) {
    if (a == NULL || b == NULL || a->kind != b->kind || a->count != b->count) {
        return a == b;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!has_item(b, &a->items[i])) {
            return false;
        }
    }
    return are_same_words(a->text, b->text);
}

/* What differs; NULL: nothing. */
static const char *difference(const struct value *a, const struct value *b) {
    if ((a->kind == REDIS_VALUE_LIST) != (b->kind == REDIS_VALUE_LIST)) {
        return "is there, or may be looked at, on some alone";
    }
    if (!is_same(value_find(a, S("passwords")), value_find(b, S("passwords")))) {
        return "has another password";
    }
    return is_same(a, b) ? NULL : "has other rights";
}

static const struct node *first_known(const struct doctor *doctor) {
    for (unsigned i = 0; i < doctor->nodes.count; i++) {
        if (doctor->nodes.items[i].user != NULL) {
            return &doctor->nodes.items[i];
        }
    }
    return NULL;
}

bool doctor_look_at_users(struct doctor *doctor) {
    const struct node *first = first_known(doctor);
    unsigned different = 0;
    if (first == NULL) {
        return false;
    }
    for (unsigned i = 0; i < doctor->nodes.count; i++) {
        const struct node *node = &doctor->nodes.items[i];
        const char *what = node->user == NULL ? NULL : difference(first->user, node->user);
        if (what != NULL) {
            different++;
            doctor_find(doctor, FINDING_WARNING, "users",
                        "make it anew on each node, and on the replicas: mintctl acl prints the "
                        "command",
                        "%s: mintd's user %s, compared with %s", node->name, what, first->name);
        }
    }
    if (different == 0 && first->user->kind != REDIS_VALUE_LIST) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "users",
                    "see that mintd's user is the same on each node, and on the replicas",
                    "the user of --redis may not ask ACL GETUSER");
    } else if (different == 0) {
        doctor_find(doctor, FINDING_OK, "users", NULL, "mintd's user is the same on each node");
    }
    return true;
}
