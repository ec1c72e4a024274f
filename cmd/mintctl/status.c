/* status.c: mintctl status: Redis, the number of clients, the instances. */
#include "info.h"
#include "instances.h"
#include "mintd/clock.h"
#include "output.h"
#include <stdlib.h>

struct overview {
    struct redis *redis;
    struct info info;
    int64_t clients;
    bool may_scan;
    struct instances instances;
};

static enum status read_overview(struct overview *o) {
    char storage[REDIS_KEY_MAX];
    const struct slice count[] = {S("SCARD"), redis_key(o->redis, "clients", S(""), storage)};
    if (!info_read(o->redis, &o->info) || !redis_ask_number(o->redis, count, 2, &o->clients)) {
        return STATUS_REDIS;
    }
    return instances_read(o->redis, &o->instances, &o->may_scan);
}

static uint64_t age(const struct instance_view *instance, const char *member) {
    uint64_t then = instance_number(instance, member), now = clock_wall_ms() / 1000;
    return now > then ? now - then : 0;
}

/* ---- JSON ---- */

static void add_instances(cJSON *object, const struct instances *instances) {
    cJSON *array = cJSON_AddArrayToObject(object, "instances");
    for (size_t i = 0; i < instances->count; i++) {
        const struct instance_view *instance = &instances->items[i];
        cJSON *item = cJSON_CreateObject();
        json_add_text(item, "name", slice_of_string(instance->name));
        json_add_text(item, "version", slice_of_string(instance_text(instance, "version")));
        json_add_number(item, "started", instance_number(instance, "started"));
        json_add_number(item, "seen", instance_number(instance, "seen"));
        cJSON_AddItemToArray(array, item);
    }
}

static void add_redis(cJSON *object, const struct overview *o) {
    cJSON *redis = cJSON_AddObjectToObject(object, "redis");
    const struct settings *settings = redis_settings(o->redis);
    json_add_text(redis, "address", slice_of_string(settings->address));
    json_add_text(redis, "prefix", settings->prefix);
    if (!info_is_there(&o->info)) {
        return;
    }
    json_add_text(redis, "server", info_is_valkey(&o->info) ? S("valkey") : S("redis"));
    json_add_text(redis, "version", info_version(&o->info));
    json_add_text(redis, "role", info_field(&o->info, "role"));
    json_add_number(redis, "replicas", info_number(&o->info, "connected_slaves"));
    json_add_number(redis, "uptime", info_number(&o->info, "uptime_in_seconds"));
    json_add_number(redis, "used_memory", info_number(&o->info, "used_memory"));
    json_add_number(redis, "max_memory", info_number(&o->info, "maxmemory"));
}

static cJSON *overview_json(const struct overview *o) {
    cJSON *object = cJSON_CreateObject();
    add_redis(object, o);
    json_add_number(object, "clients", (uint64_t)o->clients);
    add_instances(object, &o->instances);
    cJSON_AddBoolToObject(object, "complete", o->may_scan && o->instances.is_complete);
    return object;
}

/* ---- text ---- */

static void print_redis(const struct overview *o) {
    char version[40], role[40], up[TIME_TEXT], used[TIME_TEXT], most[TIME_TEXT] = "no limit";
    const struct info *info = &o->info;
    const struct settings *settings = redis_settings(o->redis);
    printf("redis      %s, prefix %.*s\n", settings->address, (int)settings->prefix.size,
           settings->prefix.data);
    if (!info_is_there(info)) {
        printf("           the user of --redis may not ask INFO\n");
        return;
    }
    if (info_number(info, "maxmemory") != 0) {
        size_text(info_number(info, "maxmemory"), most);
    }
    printf("           %s %s, %s, %llu replica%s, up %s, %s used of %s\n",
           info_is_valkey(info) ? "Valkey" : "Redis",
           visible(info_version(info), version, sizeof version),
           visible(info_field(info, "role"), role, sizeof role),
           (unsigned long long)info_number(info, "connected_slaves"),
           info_number(info, "connected_slaves") == 1 ? "" : "s",
           span_text(info_number(info, "uptime_in_seconds"), up),
           size_text(info_number(info, "used_memory"), used), most);
}

static void print_instances(const struct overview *o) {
    const struct instances *instances = &o->instances;
    printf("instances  %zu%s\n", instances->count,
           !o->may_scan              ? " (the user of --redis may not SCAN)"
           : !instances->is_complete ? " (there are too many keys to look through all)"
           : instances->count == 0   ? " (one is seen for 15 s after its /readyz was asked)"
                                     : "");
    if (instances->count != 0) {
        printf("\n%-32s  %-10s  %-8s  %s\n", "NAME", "VERSION", "UP", "SEEN");
    }
    for (size_t i = 0; i < instances->count; i++) {
        const struct instance_view *instance = &instances->items[i];
        char name[100], version[40], up[TIME_TEXT], seen[TIME_TEXT];
        printf(
            "%-32s  %-10s  %-8s  %s ago\n",
            visible(slice_of_string(instance->name), name, sizeof name),
            visible(slice_of_string(instance_text(instance, "version")), version, sizeof version),
            span_text(age(instance, "started"), up), span_text(age(instance, "seen"), seen));
    }
}

static enum status print_overview(const struct arguments *arguments, const struct overview *o) {
    if (arguments_has(arguments, "--json")) {
        return json_print(overview_json(o)) ? STATUS_DONE : STATUS_REFUSED;
    }
    print_redis(o);
    printf("clients    %lld\n", (long long)o->clients);
    print_instances(o);
    return STATUS_DONE;
}

enum status show_status(const struct arguments *arguments) {
    struct overview *o = calloc(1, sizeof *o);
    if (o == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    enum status status = redis_open(arguments, REDIS_OUR_LAYOUT, &o->redis);
    if (status == STATUS_DONE) {
        status = read_overview(o);
    }
    if (status == STATUS_DONE) {
        status = print_overview(arguments, o);
    }
    instances_fini(&o->instances);
    info_fini(&o->info);
    redis_close(o->redis);
    free(o);
    return status;
}
