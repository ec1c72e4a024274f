/* doctor.c: mintctl doctor: goes through the checks, shows what they find. */
#include "doctor.h"
#include "instances.h"
#include "output.h"
#include <stdarg.h>
#include <stdlib.h>

#define TEXT_MAX 600u
#define TEXT_COLUMN 27

static const struct {
    const char *name;
    enum colour colour;
} kinds[] = {
    [FINDING_OK] = {"ok", COLOUR_GREEN},
    [FINDING_WARNING] = {"warning", COLOUR_YELLOW},
    [FINDING_PROBLEM] = {"problem", COLOUR_RED},
    [FINDING_NOT_CHECKED] = {"not checked", COLOUR_YELLOW},
};

static void add_json(struct doctor *doctor, enum finding finding, const char *what,
                     const char *advice, const char *text) {
    cJSON *item = cJSON_CreateObject();
    json_add_text(item, "check", slice_of_string(what));
    json_add_text(item, "result", slice_of_string(kinds[finding].name));
    json_add_text(item, "text", slice_of_string(text));
    if (advice != NULL) {
        json_add_text(item, "advice", slice_of_string(advice));
    }
    cJSON_AddItemToArray(doctor->list, item);
}

void doctor_find(struct doctor *doctor, enum finding finding, const char *what, const char *advice,
                 const char *format, ...) {
    char text[TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    doctor->counts[finding]++;
    if (doctor->json != NULL) {
        add_json(doctor, finding, what, advice, text);
        return;
    }
    print_coloured(kinds[finding].colour, kinds[finding].name, 13);
    printf("%-13s %s\n", what, text);
    if (advice != NULL) {
        printf("%*s%s\n", TEXT_COLUMN, "", advice);
    }
}

/* ---- the connection ---- */

bool doctor_look_at_connection(struct doctor *doctor) {
    const struct settings *settings = redis_settings(doctor->redis);
    if (settings->is_tls) {
        doctor_find(doctor, FINDING_OK, "tls", NULL, "to %s", settings->address);
    } else if (settings->is_local) {
        doctor_find(doctor, FINDING_OK, "tls", NULL, "not needed: %s is this machine",
                    settings->address);
    } else {
        doctor_find(doctor, FINDING_WARNING, "tls",
                    "lead it through a TLS tunnel, or make sure that nobody else is on the way",
                    "none to %s: who is on the way reads the password and can write tokens of "
                    "its own",
                    settings->address);
    }
    return true;
}

/* ---- instances ---- */

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
                    instances->count == 0 ? "no instance was seen in the last 15 s"
                                          : "the instances do not say where they listen");
    } else if (plain == 0) {
        doctor_find(doctor, FINDING_OK, "listeners", NULL, "of %zu instance%s: local, or with TLS",
                    instances->count - silent, instances->count - silent == 1 ? "" : "s");
    }
}

bool doctor_look_at_instances(struct doctor *doctor) {
    bool is_allowed;
    struct instances *instances = calloc(1, sizeof *instances);
    if (instances == NULL) {
        say_no_memory();
        return false;
    }
    enum status status = instances_read(doctor->redis, instances, &is_allowed);
    if (status == STATUS_DONE && is_allowed) {
        judge_listeners(doctor, instances);
    } else if (status == STATUS_DONE) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "listeners", NULL,
                    "the user of --redis may not SCAN for instances");
    }
    instances_fini(instances);
    free(instances);
    return status == STATUS_DONE;
}

/* ---- all of it ---- */

static bool (*const looks[])(struct doctor *doctor) = {
    doctor_look_at_version,  doctor_look_at_layout,     doctor_look_at_clock,
    doctor_look_at_eviction, doctor_look_at_memory,     doctor_look_at_persistence,
    doctor_look_at_replicas, doctor_look_at_connection, doctor_look_at_password,
    doctor_look_at_rights,   doctor_look_at_clients,    doctor_look_at_instances,
};

static enum status look(struct doctor *doctor) {
    if (!info_read(doctor->redis, &doctor->info)) {
        return STATUS_REDIS;
    }
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        if (!looks[i](doctor)) {
            return STATUS_REDIS;
        }
    }
    return doctor->counts[FINDING_PROBLEM] == 0 ? STATUS_DONE : STATUS_REFUSED;
}

static enum status start_json(struct doctor *doctor, const struct arguments *arguments) {
    if (!arguments_has(arguments, "--json")) {
        return STATUS_DONE;
    }
    doctor->json = cJSON_CreateObject();
    doctor->list = cJSON_AddArrayToObject(doctor->json, "findings");
    if (doctor->list == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    return STATUS_DONE;
}

static enum status end(struct doctor *doctor, enum status status) {
    if (doctor->json == NULL) {
        printf("\n%u problem%s, %u warning%s, %u not checked\n", doctor->counts[FINDING_PROBLEM],
               doctor->counts[FINDING_PROBLEM] == 1 ? "" : "s", doctor->counts[FINDING_WARNING],
               doctor->counts[FINDING_WARNING] == 1 ? "" : "s",
               doctor->counts[FINDING_NOT_CHECKED]);
        return status;
    }
    json_add_number(doctor->json, "problems", doctor->counts[FINDING_PROBLEM]);
    json_add_number(doctor->json, "warnings", doctor->counts[FINDING_WARNING]);
    json_add_number(doctor->json, "not_checked", doctor->counts[FINDING_NOT_CHECKED]);
    bool printed = json_print(doctor->json);
    doctor->json = NULL;
    return printed ? status : STATUS_REFUSED;
}

enum status doctor(const struct arguments *arguments) {
    struct doctor doctor = {.asked_user = arguments_value(arguments, "--user")};
    enum status status = start_json(&doctor, arguments);
    if (status == STATUS_DONE) {
        status = redis_open(arguments, REDIS_ANY_LAYOUT, &doctor.redis);
    }
    if (status == STATUS_DONE) {
        status = look(&doctor);
        status = status == STATUS_REDIS ? status : end(&doctor, status);
    }
    cJSON_Delete(doctor.json);
    info_fini(&doctor.info);
    redis_close(doctor.redis);
    return status;
}
