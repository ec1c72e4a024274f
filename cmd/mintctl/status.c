/* status.c: mintctl status: Redis, the number of clients, the instances. */
#include "info.h"
#include "instances.h"
#include "mintd/clock.h"
#include "oauth/oauth_internal.h"
#include "output.h"
#include <stdlib.h>

struct overview {
    struct redis *redis;
    struct info info;
    int64_t clients;
    bool may_look;
    struct instances instances;
};

static enum status read_overview(struct overview *o) {
    char storage[REDIS_KEY_MAX];
    const struct slice count[] = {S("SCARD"),
                                  redis_key(o->redis, OAUTH_KEY_CLIENTS, S(""), storage)};
    if (!info_read(o->redis, 0, &o->info) || !redis_ask_number(o->redis, count, 2, &o->clients)) {
        return STATUS_REDIS;
    }
    return instances_read(o->redis, INSTANCES_CLEAN, &o->instances, &o->may_look);
}

/* Seconds since its last beat. */
static uint64_t age_of(const struct instance_view *instance) {
    uint64_t seen = instance_number(instance, "seen"), now = clock_shared_ms() / 1000;
    return now > seen ? now - seen : 0;
}

/* ---- JSON ---- */

/* As they are: of a heartbeat that says something else there, whatever it says. */
static void copy_members(cJSON *item, const cJSON *heartbeat) {
    static const char *const names[] = {
        "uptime",      "host",   "pid",      "listen", "tls",    "workers", "links",   "caching",
        "connections", "issuer", "draining", "client", "totals", "rates",   "notices",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(heartbeat, names[i]);
        cJSON *copy = member == NULL ? NULL : cJSON_Duplicate(member, true);
        if (copy != NULL) {
            cJSON_AddItemToObject(item, names[i], copy);
        }
    }
}

static void add_instances(cJSON *object, const struct instances *instances) {
    cJSON *array = cJSON_AddArrayToObject(object, "instances");
    for (size_t i = 0; i < instances->count; i++) {
        const struct instance_view *instance = &instances->items[i];
        cJSON *item = cJSON_CreateObject();
        json_add_text(item, "name", slice_of_string(instance->name));
        json_add_text(item, "version", slice_of_string(instance_text(instance, "version")));
        json_add_number(item, "started", instance_number(instance, "started"));
        json_add_number(item, "seen", instance_number(instance, "seen"));
        copy_members(item, instance->heartbeat);
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
    cJSON_AddBoolToObject(object, "complete", o->may_look && o->instances.is_complete);
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

/* "on", "off", or of how many workers it is on. */
static const char *cache_text(const struct instance_view *instance, char storage[TIME_TEXT]) {
    uint64_t caching = instance_number(instance, "caching");
    uint64_t workers = instance_number(instance, "workers");
    snprintf(storage, TIME_TEXT, "%llu of %llu", (unsigned long long)caching,
             (unsigned long long)workers);
    return caching == 0 ? "off" : caching == workers ? "on" : storage;
}

/* How the workers of all instances answer; nothing where there is none. */
static void print_mode(const struct instances *instances) {
    uint64_t caching = 0, workers = 0;
    for (size_t i = 0; i < instances->count; i++) {
        caching += instance_number(&instances->items[i], "caching");
        workers += instance_number(&instances->items[i], "workers");
    }
    if (workers != 0 && caching == 0) {
        printf("answers    each request asks Redis (mintctl doctor says why)\n");
    } else if (workers != 0 && caching >= workers) {
        printf("answers    from memory\n");
    } else if (workers != 0) {
        printf("answers    from memory at %llu of %llu workers; at the others each request asks "
               "Redis\n",
               (unsigned long long)caching, (unsigned long long)workers);
    }
}

static void print_listeners(const struct instance_view *instance) {
    const cJSON *item;
    char text[100];
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(instance->heartbeat, "listen")) {
        const char *address = cJSON_GetStringValue(item);
        printf(" %s", address == NULL ? "?" : visible(slice_of_string(address), text, sizeof text));
    }
}

static void print_instance(const struct instance_view *instance) {
    char name[100], version[40], up[TIME_TEXT], seen[TIME_TEXT], cache[TIME_TEXT];
    bool is_tls = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(instance->heartbeat, "tls"));
    bool is_draining =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(instance->heartbeat, "draining"));
    printf("%-20s  %-8s  %-6s  %-8s  %7llu  %-6s  %-3s  %8.1f  %8.1f  %9.1f ",
           visible(slice_of_string(instance->name), name, sizeof name),
           visible(slice_of_string(instance_text(instance, "version")), version, sizeof version),
           span_text(instance_number(instance, "uptime") + age_of(instance), up),
           span_text(age_of(instance), seen),
           (unsigned long long)instance_number(instance, "workers"), cache_text(instance, cache),
           is_tls ? "yes" : "no", instance_rate(instance, "minted"),
           instance_rate(instance, "validated"), instance_rate(instance, "refused"));
    print_listeners(instance);
    printf("%s\n", is_draining ? " (draining)" : "");
}

static void print_instances(const struct overview *o) {
    const struct instances *instances = &o->instances;
    printf("instances  %zu%s\n", instances->count,
           instances->is_no_set      ? " (their list is unreadable)"
           : !o->may_look            ? " (the user of --redis may not read their list)"
           : !instances->is_complete ? " (there are more)"
           : instances->count == 0   ? " (none was seen in the last 20 s)"
                                     : "");
    if (instances->count != 0) {
        printf("\n%-20s  %-8s  %-6s  %-8s  %-7s  %-6s  %-3s  %8s  %8s  %9s  %s\n", "NAME",
               "VERSION", "UP", "SEEN", "WORKERS", "CACHE", "TLS", "MINTED/S", "VALID/S",
               "REFUSED/S", "LISTEN");
    }
    for (size_t i = 0; i < instances->count; i++) {
        print_instance(&instances->items[i]);
    }
}

static enum status print_overview(const struct arguments *arguments, const struct overview *o) {
    if (arguments_has(arguments, "--json")) {
        return json_print(overview_json(o)) ? STATUS_DONE : STATUS_REFUSED;
    }
    print_redis(o);
    printf("clients    %lld\n", (long long)o->clients);
    print_mode(&o->instances);
    print_instances(o);
    return STATUS_DONE;
}

enum status show_status(const struct arguments *arguments) {
    struct overview *o = calloc(1, sizeof *o);
    if (o == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    enum status status = redis_open(arguments, REDIS_REPLICA_TOO, &o->redis);
    if (status == STATUS_DONE) {
        status = read_overview(o);
    }
    if (status == STATUS_DONE) {
        status = print_overview(arguments, o);
        instances_say_flaws(o->redis, &o->instances);
        status = o->instances.is_no_set ? STATUS_REFUSED : status;
    }
    instances_fini(&o->instances);
    info_fini(&o->info);
    redis_close(o->redis);
    free(o);
    return status;
}
