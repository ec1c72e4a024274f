/* doctor_data.c: what would lose tokens and clients: eviction, memory, persistence. */
#include "doctor.h"
#include "output.h"

#define FULL_PERCENT 90u
#define NEARLY_FULL_PERCENT 75u

bool doctor_look_at_eviction(struct doctor *doctor) {
    char text[40];
    struct slice policy = info_field(&doctor->at->info, "maxmemory_policy");
    if (policy.size == 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "eviction",
                    "see that maxmemory-policy is noeviction" DOCTOR_CONSOLE, "%s",
                    doctor_silence(doctor));
    } else if (slice_equal(policy, S("noeviction"))) {
        doctor_find(doctor, FINDING_OK, "eviction", NULL, "noeviction");
    } else {
        doctor_find(doctor, FINDING_PROBLEM, "eviction",
                    "CONFIG SET maxmemory-policy noeviction" DOCTOR_KEEP,
                    "%s: when memory is full, live tokens%s are thrown away",
                    visible(policy, text, sizeof text),
                    slice_starts_with(policy, S("allkeys")) ? " and clients" : "");
    }
    return true;
}

static void judge_memory(struct doctor *doctor, uint64_t used, uint64_t most, const char *of) {
    char used_text[TIME_TEXT], most_text[TIME_TEXT];
    unsigned percent = (unsigned)((double)used * 100 / (double)most);
    enum finding finding = percent >= FULL_PERCENT          ? FINDING_PROBLEM
                           : percent >= NEARLY_FULL_PERCENT ? FINDING_WARNING
                                                            : FINDING_OK;
    doctor_find(doctor, finding, "memory",
                finding == FINDING_OK
                    ? NULL
                    : "raise maxmemory, or shorten the life of tokens: when it is full, mintd "
                      "mints none",
                "%s used of %s %s (%u %%)", size_text(used, used_text), size_text(most, most_text),
                of, percent);
}

bool doctor_look_at_memory(struct doctor *doctor) {
    char text[TIME_TEXT];
    uint64_t used = info_number(&doctor->at->info, "used_memory");
    uint64_t most = info_number(&doctor->at->info, "maxmemory");
    uint64_t machine = info_number(&doctor->at->info, "total_system_memory");
    if (used == 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "memory", NULL, "%s", doctor_silence(doctor));
    } else if (most != 0) {
        judge_memory(doctor, used, most, "of maxmemory");
    } else if (machine != 0) {
        judge_memory(doctor, used, machine, "the machine has, maxmemory is not set");
    } else {
        doctor_find(doctor, FINDING_OK, "memory", NULL, "%s used, maxmemory is not set",
                    size_text(used, text));
    }
    return true;
}

/* ---- persistence ---- */

/* Of the kinds that are on, one fails. */
static bool writes_fail(const struct info *info, bool has_log) {
    const char *fields[] = {"rdb_last_bgsave_status", has_log ? "aof_last_write_status" : NULL};
    for (size_t i = 0; i < 2; i++) {
        struct slice state = fields[i] == NULL ? SLICE_ABSENT : info_field(info, fields[i]);
        if (slice_equal(state, S("err"))) {
            return true;
        }
    }
    return false;
}

static void judge_snapshots(struct doctor *doctor, const struct value *config) {
    struct slice save =
        config->kind == REDIS_VALUE_LIST ? value_find_text(config, S("save")) : SLICE_ABSENT;
    if (slice_is_absent(save)) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "persistence",
                    "see that appendonly is yes" DOCTOR_CONSOLE,
                    "appendonly is no; the user of --redis may not "
                    "ask CONFIG GET save");
    } else if (save.size == 0) {
        doctor_find(doctor, FINDING_PROBLEM, "persistence", "CONFIG SET appendonly yes" DOCTOR_KEEP,
                    "none: a restart of Redis loses all tokens and all clients");
    } else {
        doctor_find(doctor, FINDING_WARNING, "persistence", "CONFIG SET appendonly yes" DOCTOR_KEEP,
                    "snapshots alone: a crash of Redis loses minutes, revocations among them");
    }
}

static bool look_at_snapshots(struct doctor *doctor) {
    const struct slice arguments[] = {S("CONFIG"), S("GET"), S("save")};
    struct value *reply = doctor_ask(doctor, arguments, 3);
    if (reply == NULL) {
        return false;
    }
    judge_snapshots(doctor, reply);
    value_free(reply);
    return true;
}

bool doctor_look_at_persistence(struct doctor *doctor) {
    const struct info *info = &doctor->at->info;
    bool has_log = info_number(info, "aof_enabled") == 1;
    if (slice_is_absent(info_field(info, "aof_enabled"))) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "persistence",
                    "see that appendonly is yes" DOCTOR_CONSOLE, "%s", doctor_silence(doctor));
        return true;
    }
    if (writes_fail(info, has_log)) {
        doctor_find(doctor, FINDING_PROBLEM, "persistence", "look at its log and its disk",
                    "Redis could not write its files the last time it tried");
        return true;
    }
    if (has_log) {
        doctor_find(doctor, FINDING_OK, "persistence", NULL, "appendonly");
        return true;
    }
    return look_at_snapshots(doctor);
}
