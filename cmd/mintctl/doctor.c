/* doctor.c: mintctl doctor: goes through the checks, shows what they find. */
#include "doctor.h"
#include "clients/flaw.h"
#include "output.h"
#include "settings.h"

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
                     const char *advice, const char *text, const cJSON *names) {
    cJSON *item = cJSON_CreateObject();
    json_add_text(item, "check", slice_of_string(what));
    json_add_text(item, "result", slice_of_string(kinds[finding].name));
    json_add_text(item, "text", slice_of_string(text));
    if (advice != NULL) {
        json_add_text(item, "advice", slice_of_string(advice));
    }
    cJSON *nodes = names == NULL ? NULL : cJSON_Duplicate(names, true);
    if (nodes != NULL) {
        cJSON_AddItemToObject(item, "nodes", nodes);
    }
    cJSON_AddItemToArray(doctor->list, item);
}

void doctor_tell(struct doctor *doctor, enum finding finding, const char *what, const char *advice,
                 const char *text, const cJSON *names) {
    doctor->counts[finding]++;
    if (doctor->json != NULL) {
        add_json(doctor, finding, what, advice, text, names);
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
    return info_is_there(&doctor->at->info) ? "INFO does not say"
                                            : "the user of --redis may not ask INFO";
}

/* ---- the connection ---- */

/* Of a cluster the nodes are named elsewhere. */
static void judge_tls(struct doctor *doctor, const struct redis_target *settings,
                      const struct tls_client_view *view) {
    char to[sizeof settings->address + 8] = "";
    long long days = view->seconds_left / DAY_S;
    if (!redis_is_cluster(doctor->redis)) {
        snprintf(to, sizeof to, " to %s", settings->address);
    }
    if (settings->tls.believes_all) {
        doctor_find(doctor, FINDING_WARNING, "tls",
                    "give --redis-ca, or --redis-tls-name, and leave --redis-tls-insecure out",
                    "%s, %s%s, which may be anybody: nothing is checked", view->version,
                    view->cipher, to);
    } else if (view->seconds_left < SOON_S) {
        doctor_find(doctor, FINDING_WARNING, "tls",
                    "renew it: mintd cannot connect to a Redis whose certificate has expired",
                    "%s, %s%s; its certificate expires in %lld day%s", view->version, view->cipher,
                    to, days, days == 1 ? "" : "s");
    } else {
        doctor_find(doctor, FINDING_OK, "tls", NULL,
                    "%s, %s%s; its certificate expires in %lld days", view->version, view->cipher,
                    to, days);
    }
}

bool doctor_look_at_connection(struct doctor *doctor) {
    const struct redis_target *settings = redis_target_of(doctor->redis);
    struct tls_client_view view;
    unsigned number;
    if (settings->context != NULL) { /* one that has just gone away is told of by the next look */
        if (redis_find_node(doctor->redis, doctor->at->name, &number) &&
            redis_look_at_tls(doctor->redis, number, &view)) {
            judge_tls(doctor, settings, &view);
        }
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

enum about {
    ABOUT_NODES,     /* each node has to tell */
    ABOUT_ALL,       /* a key, or what is here */
    ABOUT_CLUSTER,   /* all, and in a cluster alone */
    ABOUT_ITS_NODES, /* nodes, the same */
};

static const struct {
    bool (*look)(struct doctor *doctor);
    enum about about;
    const char *what; /* of ABOUT_ALL */
} looks[] = {
    {doctor_look_at_away, ABOUT_CLUSTER, "nodes"},
    {doctor_look_at_slots, ABOUT_CLUSTER, "slots"},
    {doctor_look_at_timeout, ABOUT_ITS_NODES, "timeout"},
    {doctor_look_at_coverage, ABOUT_ITS_NODES, "coverage"},
    {doctor_look_at_names, ABOUT_CLUSTER, "names"},
    {doctor_look_at_role, ABOUT_NODES, "role"},
    {doctor_look_at_version, ABOUT_NODES, "version"},
    {doctor_look_at_layout, ABOUT_ALL, "layout"},
    {doctor_look_at_identity, ABOUT_ALL, "identity"},
    {doctor_look_at_generation, ABOUT_ALL, "generation"},
    {doctor_look_at_clock, ABOUT_NODES, "clock"},
    {doctor_look_at_eviction, ABOUT_NODES, "eviction"},
    {doctor_look_at_memory, ABOUT_NODES, "memory"},
    {doctor_look_at_persistence, ABOUT_NODES, "persistence"},
    {doctor_look_at_replicas, ABOUT_NODES, "replicas"},
    {doctor_look_at_connection, ABOUT_NODES, "tls"},
    {doctor_look_at_password, ABOUT_NODES, "password"},
    {doctor_look_at_rights, ABOUT_NODES, "rights"},
    {doctor_look_at_users, ABOUT_CLUSTER, "users"},
    {doctor_look_at_clients, ABOUT_ALL, "clients"},
    {doctor_look_at_instances, ABOUT_ALL, "instances"},
};

/* What one node of a cluster keeps back, the others may tell nevertheless. */
static bool look_at(struct doctor *doctor, size_t number) {
    bool is_cluster = redis_is_cluster(doctor->redis);
    enum about about = looks[number].about;
    if (!is_cluster && (about == ABOUT_CLUSTER || about == ABOUT_ITS_NODES)) {
        return true;
    }
    if (about == ABOUT_NODES || about == ABOUT_ITS_NODES) {
        return doctor_look_at_each(doctor, looks[number].look);
    }
    if (looks[number].look(doctor)) {
        return true;
    }
    if (is_cluster) {
        doctor_find(doctor, FINDING_NOT_CHECKED, looks[number].what, NULL,
                    "the node that has to tell does not answer");
    }
    return is_cluster;
}

static enum status look(struct doctor *doctor) {
    enum status status = nodes_read(doctor->redis, &doctor->nodes);
    if (status != STATUS_DONE) {
        return status;
    }
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        if (!look_at(doctor, i)) {
            return STATUS_REDIS;
        }
    }
    if (doctor->is_short_of_memory) {
        say_no_memory();
        return STATUS_REFUSED;
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
        status = open_redis(arguments, REDIS_ANY_LAYOUT, &doctor.redis);
    }
    if (status == STATUS_DONE) {
        status = look(&doctor);
        status = status == STATUS_REDIS ? status : end(&doctor, status);
    }
    cJSON_Delete(doctor.json);
    nodes_fini(&doctor.nodes);
    doctor_notes_free(&doctor);
    redis_close(doctor.redis);
    return status;
}
