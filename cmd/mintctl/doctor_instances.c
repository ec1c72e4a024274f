/* doctor_instances.c: what the heartbeats of instances tell. */
#include "clients/flaw.h"
#include "doctor.h"
#include "instances.h"
#include "output.h"
#include <math.h>
#include <stdlib.h>

#define CLOCK_APART_MS 2000

static bool is_local(const char *address) {
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0 ||
           strncmp(address, "localhost:", 10) == 0 || strncmp(address, "unix:", 5) == 0;
}

/* "listen" is an array of addresses; where "tls" is true none of them is plain. False: it does not
 * tell. */
static bool look_at_listeners(struct doctor *doctor, const struct instance_view *instance,
                              unsigned *plain) {
    const cJSON *listen = cJSON_GetObjectItemCaseSensitive(instance->heartbeat, "listen");
    const cJSON *tls = cJSON_GetObjectItemCaseSensitive(instance->heartbeat, "tls");
    const cJSON *item;
    char name[100], text[100];
    if (!cJSON_IsArray(listen)) {
        return false;
    }
    cJSON_ArrayForEach(item, listen) {
        const char *address = cJSON_GetStringValue(item);
        if (address != NULL && !cJSON_IsTrue(tls) && !is_local(address)) {
            *plain += 1;
            doctor_find(doctor, FINDING_WARNING, "listeners",
                        "give it --tls-cert and --tls-key, or a proxy that ends TLS beside it",
                        "instance %s listens on %s without TLS: secrets and tokens pass in clear",
                        visible(slice_of_string(instance->name), name, sizeof name),
                        visible(slice_of_string(address), text, sizeof text));
        }
    }
    return true;
}

static void judge_listeners(struct doctor *doctor, const struct instances *instances) {
    unsigned plain = 0;
    size_t silent = 0;
    for (size_t i = 0; i < instances->count; i++) {
        silent += !look_at_listeners(doctor, &instances->items[i], &plain);
    }
    if (instances->count == silent) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "listeners",
                    "where mintd is reached over a network, put TLS in front of it",
                    instances->count == 0 ? "no instance was seen in the last 20 s"
                                          : "the instances do not say where they listen");
    } else if (plain == 0) {
        doctor_find(doctor, FINDING_OK, "listeners", NULL, "of %zu instance%s: local, or with TLS",
                    instances->count - silent, instances->count - silent == 1 ? "" : "s");
    }
}

/* What instances have to tell: API_NOTICES. */
static const struct notice {
    const char *name, *check, *text, *advice;
} notices[] = {
    {"client differs", "client",
     "was given a --client whose record in Redis has another secret or "
     "scope: the record is what counts",
     "mintctl client rotate gives it a new secret; then put what holds into --client"},
    {"untrusted proxy", "proxy",
     "gets X-Forwarded-For or Forwarded from an address that it does not trust: behind such a "
     "proxy one caller who fails too often locks out all others",
     "name the proxy in --trusted-proxies; the instance's log has its address"},
    {"redis changed", "identity",
     "noticed in the last minute that Redis was emptied, or is another one than before: clients "
     "and tokens are not those that were there",
     "see that --redis leads to the right Redis and that it keeps its data; --redis-identity pins "
     "it"},
    {"redis unchecked", "tls",
     "runs with --redis-tls-insecure: whoever is on the way can be its Redis, reads the password "
     "and makes tokens",
     "give it --redis-ca, or --redis-tls-name, and leave --redis-tls-insecure out"},
};

static void judge_notices(struct doctor *doctor, const struct instances *instances) {
    char name[100];
    for (size_t n = 0; n < sizeof notices / sizeof notices[0]; n++) {
        const struct notice *notice = &notices[n];
        for (size_t i = 0; i < instances->count; i++) {
            const struct instance_view *instance = &instances->items[i];
            if (instance_has_notice(instance, notice->name)) {
                doctor_find(
                    doctor, FINDING_WARNING, notice->check, notice->advice, "instance %s %s",
                    visible(slice_of_string(instance->name), name, sizeof name), notice->text);
            }
        }
    }
}

/* They go by Redis' clock, so tokens are right; other things on such a machine may not be. */
static void judge_clocks(struct doctor *doctor, const struct instances *instances) {
    char name[100];
    for (size_t i = 0; i < instances->count; i++) {
        const struct instance_view *instance = &instances->items[i];
        const cJSON *skew = cJSON_GetObjectItemCaseSensitive(instance->heartbeat, "clock_skew_ms");
        double apart = cJSON_IsNumber(skew) ? fabs(skew->valuedouble) : 0;
        if (apart > CLOCK_APART_MS) {
            doctor_find(doctor, FINDING_WARNING, "clock", "run NTP on its machine and on Redis'",
                        "instance %s has a clock that is %.0f ms %s that of Redis",
                        visible(slice_of_string(instance->name), name, sizeof name), apart,
                        skew->valuedouble > 0 ? "ahead of" : "behind");
        }
    }
}

/* They end by themselves, but for those that somebody else has put there. */
static void judge_keys(struct doctor *doctor, const struct instances *instances) {
    char storage[REDIS_KEY_MAX], key[REDIS_KEY_MAX], more[40] = "";
    struct slice name = slice_of_string(instances->unreadable_name);
    struct slice whole = redis_key(doctor->redis, HEARTBEAT_RECORD, name, storage);
    struct flaw flaw = flaw_of(doctor->redis, whole);
    if (instances->unreadable > 1) {
        snprintf(more, sizeof more, ", and %zu more like it", instances->unreadable - 1);
    }
    if (instances->unreadable != 0) {
        doctor_find(doctor, FINDING_WARNING, "instances", flaw.remedy, "the key %s %s%s",
                    visible(whole, key, sizeof key), flaw.is, more);
    }
}

bool doctor_look_at_instances(struct doctor *doctor) {
    bool is_allowed;
    struct instances *instances = calloc(1, sizeof *instances);
    if (instances == NULL) {
        say_no_memory();
        return false;
    }
    enum status status = instances_read(doctor->redis, INSTANCES_LOOK, instances, &is_allowed);
    if (status == STATUS_DONE && is_allowed) {
        if (instances->unanswered != 0) {
            doctor_find(doctor, FINDING_NOT_CHECKED, "instances", NULL,
                        "%zu of them: the node that has its heartbeat does not answer",
                        instances->unanswered);
        }
        judge_keys(doctor, instances);
        judge_listeners(doctor, instances);
        judge_notices(doctor, instances);
        judge_clocks(doctor, instances);
    } else if (status == STATUS_DONE && instances->is_no_set) {
        doctor_find_flaw(doctor, FINDING_WARNING, "instances", S(HEARTBEAT_NAMES));
    } else if (status == STATUS_DONE) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "listeners", NULL,
                    "the user of --redis may not read the list of instances (SSCAN, GET)");
    }
    instances_fini(instances);
    free(instances);
    return status == STATUS_DONE;
}
