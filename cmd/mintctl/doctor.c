/* doctor.c: mintctl doctor: goes through the checks, shows what they find. */
#include "doctor.h"
#include "flaw.h"
#include "output.h"
#include <stdarg.h>
#include <stdlib.h>

#define TEXT_MAX 600u
#define TEXT_COLUMN 27
#define DAY_S (24 * 3600)
#define SOON_S (14 * DAY_S)

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

void doctor_find_flaw(struct doctor *doctor, enum finding finding, const char *what,
                      struct slice name) {
    char storage[REDIS_KEY_MAX], text[REDIS_KEY_MAX];
    struct slice key = redis_key(doctor->redis, "", name, storage);
    struct flaw flaw = flaw_of(doctor->redis, key);
    doctor_find(doctor, finding, what, flaw.remedy, "the key %s %s",
                visible(key, text, sizeof text), flaw.is);
}

const char *doctor_silence(const struct doctor *doctor) {
    return info_is_there(&doctor->info) ? "INFO does not say"
                                        : "the user of --redis may not ask INFO";
}

/* ---- the connection ---- */

static void judge_tls(struct doctor *doctor, const struct settings *settings,
                      const struct tls_client_view *view) {
    long long days = view->seconds_left / DAY_S;
    if (settings->tls.believes_all) {
        doctor_find(doctor, FINDING_WARNING, "tls",
                    "give --redis-ca, or --redis-tls-name, and leave --redis-tls-insecure out",
                    "%s, %s to %s, which may be anybody: nothing is checked", view->version,
                    view->cipher, settings->address);
    } else if (view->seconds_left < SOON_S) {
        doctor_find(doctor, FINDING_WARNING, "tls",
                    "renew it: mintd cannot connect to a Redis whose certificate has expired",
                    "%s, %s to %s; its certificate expires in %lld day%s", view->version,
                    view->cipher, settings->address, days, days == 1 ? "" : "s");
    } else {
        doctor_find(doctor, FINDING_OK, "tls", NULL,
                    "%s, %s to %s; its certificate expires in %lld days", view->version,
                    view->cipher, settings->address, days);
    }
}

bool doctor_look_at_connection(struct doctor *doctor) {
    const struct settings *settings = redis_settings(doctor->redis);
    struct tls_client_view view;
    if (redis_look_at_tls(doctor->redis, &view)) {
        judge_tls(doctor, settings, &view);
    } else if (settings->is_local) {
        doctor_find(doctor, FINDING_OK, "tls", NULL, "not needed: %s is this machine",
                    settings->address);
    } else {
        doctor_find(doctor, FINDING_WARNING, "tls", "write rediss:// where it has a port for TLS",
                    "none to %s: who is on the way reads the password and can write tokens of "
                    "its own",
                    settings->address);
    }
    return true;
}

/* ---- all of it ---- */

static bool (*const looks[])(struct doctor *doctor) = {
    doctor_look_at_role,     doctor_look_at_version,    doctor_look_at_layout,
    doctor_look_at_identity, doctor_look_at_generation, doctor_look_at_clock,
    doctor_look_at_eviction, doctor_look_at_memory,     doctor_look_at_persistence,
    doctor_look_at_replicas, doctor_look_at_connection, doctor_look_at_password,
    doctor_look_at_rights,   doctor_look_at_clients,    doctor_look_at_instances,
};

static enum status look(struct doctor *doctor) {
    if (!info_read(doctor->redis, doctor->node, &doctor->info)) {
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
