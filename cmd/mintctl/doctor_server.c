/* doctor_server.c: the server: version, layout of the data, clock, replicas. */
#include "clients/flaw.h"
#include "doctor.h"
#include "mintd/clock.h"
#include "output.h"

#define CLOCK_MS 2000u

/* Every user may ask HELLO. */
bool doctor_look_at_role(struct doctor *doctor) {
    char host[REDIS_NAME_MAX];
    const struct slice arguments[] = {S("HELLO")};
    struct value *reply = doctor_ask(doctor, arguments, 1);
    if (reply == NULL) {
        return false;
    }
    struct slice role =
        reply->kind == REDIS_VALUE_LIST ? value_find_text(reply, S("role")) : SLICE_ABSENT;
    struct slice master = info_field(&doctor->at->info, "master_host");
    doctor->at->is_replica = slice_equal(role, S("replica")) || slice_equal(role, S("slave"));
    if (role.size == 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "role", "see that it is a master",
                    "this Redis does not say whether it is a replica");
    } else if (doctor->at->is_replica) {
        doctor_find(doctor, FINDING_PROBLEM, "role", "name the master in --redis",
                    "it is a replica%s%s: mintd does not use it", master.size == 0 ? "" : " of ",
                    visible(master, host, sizeof host));
    } else {
        doctor_find(doctor, FINDING_OK, "role", NULL, "master");
    }
    value_free(reply);
    return true;
}

bool doctor_look_at_version(struct doctor *doctor) {
    char text[40];
    struct slice version = info_version(&doctor->at->info);
    enum redis_age age = redis_age_of(version);
    if (age == REDIS_AGE_UNKNOWN) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "version", "mintd needs Redis 7.0 or Valkey", "%s",
                    doctor_silence(doctor));
        return true;
    }
    bool is_valkey = info_is_valkey(&doctor->at->info);
    bool is_old = !is_valkey && age == REDIS_AGE_OLD;
    doctor_find(doctor, is_old ? FINDING_PROBLEM : FINDING_OK, "version",
                is_old ? "upgrade to Redis 7.0 or later, or to Valkey" : NULL, "%s %s",
                is_valkey ? "Valkey" : "Redis", visible(version, text, sizeof text));
    return true;
}

static bool is_flawed(const struct value *reply) {
    return reply->kind == REDIS_VALUE_ERROR && flaw_is_meant(reply->text);
}

bool doctor_look_at_layout(struct doctor *doctor) {
    char storage[REDIS_KEY_MAX], text[40];
    const struct slice arguments[] = {S("GET"), redis_key(doctor->redis, "schema", S(""), storage)};
    struct value *reply = redis_try(doctor->redis, arguments, 2);
    if (reply == NULL) {
        return false;
    }
    if (reply->kind == REDIS_VALUE_TEXT && slice_equal(reply->text, S(REDIS_SCHEMA_VERSION))) {
        doctor_find(doctor, FINDING_OK, "layout", NULL, "version " REDIS_SCHEMA_VERSION);
    } else if (reply->kind == REDIS_VALUE_TEXT) {
        doctor_find(doctor, FINDING_PROBLEM, "layout",
                    "run the mintd that knows it, or use another --redis-prefix",
                    "version \"%s\": this mintctl knows " REDIS_SCHEMA_VERSION,
                    visible(reply->text, text, sizeof text));
    } else if (is_flawed(reply)) {
        doctor_find_flaw(doctor, FINDING_PROBLEM, "layout", S("schema"));
    } else {
        doctor_find(doctor, FINDING_NOT_CHECKED, "layout", NULL, "its version is not there");
    }
    value_free(reply);
    return true;
}

bool doctor_look_at_identity(struct doctor *doctor) {
    char storage[REDIS_KEY_MAX], text[REDIS_IDENTITY_MAX + 1];
    const struct slice arguments[] = {S("GET"),
                                      redis_key(doctor->redis, "identity", S(""), storage)};
    struct value *reply = redis_try(doctor->redis, arguments, 2);
    if (reply == NULL) {
        return false;
    }
    if (reply->kind == REDIS_VALUE_TEXT) {
        doctor_find(doctor, FINDING_OK, "identity", NULL, "%s (mintd --redis-identity pins it)",
                    visible(reply->text, text, sizeof text));
    } else if (is_flawed(reply)) {
        doctor_find_flaw(doctor, FINDING_WARNING, "identity", S("identity"));
    } else {
        doctor_find(doctor, FINDING_NOT_CHECKED, "identity",
                    "see that mintd uses this Redis, and may SET its key named identity",
                    "none: no mintd has given it one since it was empty");
    }
    value_free(reply);
    return true;
}

/* Our time at the middle of the round trip. */
bool doctor_look_at_clock(struct doctor *doctor) {
    const struct slice arguments[] = {S("TIME")};
    uint64_t before = clock_wall_ms(), theirs;
    struct value *reply = doctor_ask(doctor, arguments, 1);
    if (reply == NULL) {
        return false;
    }
    theirs = redis_time_of(reply);
    value_free(reply);
    uint64_t ours = before + (clock_wall_ms() - before) / 2;
    uint64_t apart = ours > theirs ? ours - theirs : theirs - ours;
    if (theirs == 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "clock",
                    "run NTP on the machines of Redis and of mintd",
                    "the user of --redis may not ask TIME");
    } else if (apart > CLOCK_MS) {
        doctor_find(
            doctor, FINDING_PROBLEM, "clock", "run NTP on both: tokens end too early or too late",
            "the clocks of Redis and of this machine are %llu ms apart", (unsigned long long)apart);
    } else {
        doctor_find(doctor, FINDING_OK, "clock", NULL, "%llu ms from this machine's",
                    (unsigned long long)apart);
    }
    return true;
}

bool doctor_look_at_replicas(struct doctor *doctor) {
    uint64_t count = info_number(&doctor->at->info, "connected_slaves");
    if (slice_is_absent(info_field(&doctor->at->info, "connected_slaves"))) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "replicas", NULL, "%s", doctor_silence(doctor));
    } else if (count == 0 && doctor->at->is_replica) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "replicas", NULL, "its master knows them");
    } else if (count == 0) {
        bool is_cluster = redis_is_cluster(doctor->redis);
        doctor_find(doctor, FINDING_WARNING, "replicas",
                    is_cluster ? "give each node one (redis-cli --cluster add-node ... "
                                 "--cluster-slave), where mintd must outlive it"
                               : "add a replica and Sentinel where mintd must outlive this Redis",
                    "none: while this %s is away, mintd answers 503%s",
                    is_cluster ? "node" : "Redis", is_cluster ? " for what it has" : "");
    } else {
        doctor_find(doctor, FINDING_OK, "replicas", NULL, "%llu", (unsigned long long)count);
    }
    return true;
}
