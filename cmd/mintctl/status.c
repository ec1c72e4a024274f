/* status.c: mintctl status: Redis, the number of clients, the instances. */
#include "instances.h"
#include "nodes.h"
#include "oauth/oauth_internal.h"
#include "output.h"
#include "settings.h"
#include <stdlib.h>

struct overview {
    struct redis *redis;
    struct nodes nodes;
    int64_t clients;               /* -1: not known */
    bool may_look, list_is_silent; /* the user may; the node that has it does not answer */
    struct instances instances;
};

/* What one node of a cluster keeps back, said, the others may tell nevertheless: REDIS in the end.
 */
static enum status read_overview(struct overview *o) {
    char storage[REDIS_KEY_MAX];
    const struct slice count[] = {S("SCARD"),
                                  redis_key(o->redis, OAUTH_KEY_CLIENTS, S(""), storage)};
    enum status status = nodes_read(o->redis, &o->nodes);
    if (status != STATUS_DONE) {
        return status;
    }
    if (!redis_ask_number(o->redis, count, 2, &o->clients)) {
        o->clients = -1;
        status = STATUS_REDIS;
    }
    if (status != STATUS_DONE && !redis_is_cluster(o->redis)) {
        return status;
    }
    enum status seen = instances_read(o->redis, INSTANCES_CLEAN, &o->instances, &o->may_look);
    o->list_is_silent = seen != STATUS_DONE;
    return seen == STATUS_DONE && o->instances.unanswered != 0 ? STATUS_REDIS
           : seen == STATUS_DONE                               ? status
                                                               : seen;
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
        json_add_text(item, "version",
                      slice_of_string(heartbeat_text(instance->heartbeat, "version")));
        json_add_number(item, "started", heartbeat_number(instance->heartbeat, "started"));
        json_add_number(item, "seen", heartbeat_number(instance->heartbeat, "seen"));
        copy_members(item, instance->heartbeat);
        cJSON_AddItemToArray(array, item);
    }
}

static void add_server(cJSON *redis, const struct info *info) {
    if (!info_is_there(info)) {
        return;
    }
    json_add_text(redis, "server", info_is_valkey(info) ? S("valkey") : S("redis"));
    json_add_text(redis, "version", info_version(info));
    json_add_text(redis, "role", info_field(info, "role"));
    json_add_number(redis, "replicas", info_number(info, "connected_slaves"));
    json_add_number(redis, "uptime", info_number(info, "uptime_in_seconds"));
    json_add_number(redis, "used_memory", info_number(info, "used_memory"));
    json_add_number(redis, "max_memory", info_number(info, "maxmemory"));
}

static void add_nodes(cJSON *redis, const struct nodes *nodes) {
    cJSON *array = cJSON_AddArrayToObject(redis, "nodes");
    for (unsigned i = 0; i < nodes->count; i++) {
        const struct node *node = &nodes->items[i];
        cJSON *item = cJSON_CreateObject();
        json_add_text(item, "address", slice_of_string(node->name));
        cJSON_AddBoolToObject(item, "away", node->is_away);
        add_server(item, &node->info);
        cJSON_AddItemToArray(array, item);
    }
}

/* The one Redis that there is, or all of them. */
static void add_redis(cJSON *object, const struct overview *o) {
    static const char *const topologies[] = {[REDIS_STANDALONE] = "standalone",
                                             [REDIS_SENTINEL] = "sentinel",
                                             [REDIS_CLUSTER] = "cluster"};
    cJSON *redis = cJSON_AddObjectToObject(object, "redis");
    const struct redis_target *settings = redis_target_of(o->redis);
    json_add_text(redis, "address", slice_of_string(settings->address));
    json_add_text(redis, "prefix", settings->prefix);
    json_add_text(redis, "topology", slice_of_string(topologies[settings->redis.topology]));
    if (settings->redis.topology == REDIS_SENTINEL) {
        json_add_text(redis, "name", slice_of_string(settings->redis.master));
        json_add_text(redis, "master", slice_of_string(o->nodes.items[0].name));
    }
    if (settings->redis.topology == REDIS_CLUSTER) {
        add_nodes(redis, &o->nodes);
    } else {
        add_server(redis, &o->nodes.items[0].info);
    }
}

static cJSON *overview_json(const struct overview *o) {
    cJSON *object = cJSON_CreateObject();
    add_redis(object, o);
    if (o->clients >= 0) {
        json_add_number(object, "clients", (uint64_t)o->clients);
    }
    add_instances(object, &o->instances);
    cJSON_AddBoolToObject(object, "complete",
                          o->may_look && o->instances.is_complete && o->instances.unanswered == 0);
    return object;
}

/* ---- text ---- */

static void print_server(const char *name, const struct info *info) {
    char version[40], role[40], up[TIME_TEXT], used[TIME_TEXT], most[TIME_TEXT] = "no limit";
    if (!info_is_there(info)) {
        printf("           %sthe user of --redis may not ask INFO\n", name);
        return;
    }
    if (info_number(info, "maxmemory") != 0) {
        size_text(info_number(info, "maxmemory"), most);
    }
    printf("           %s%s %s, %s, %llu replica%s, up %s, %s used of %s\n", name,
           info_is_valkey(info) ? "Valkey" : "Redis",
           visible(info_version(info), version, sizeof version),
           visible(info_field(info, "role"), role, sizeof role),
           (unsigned long long)info_number(info, "connected_slaves"),
           info_number(info, "connected_slaves") == 1 ? "" : "s",
           span_text(info_number(info, "uptime_in_seconds"), up),
           size_text(info_number(info, "used_memory"), used), most);
}

static void print_cluster(const struct nodes *nodes) {
    printf("           cluster: %u node%s with slots, ", nodes->count,
           nodes->count == 1 ? "" : "s");
    if (nodes->away == 0) {
        printf("all there\n");
    } else {
        printf("%u away\n", nodes->away);
    }
    for (unsigned i = 0; i < nodes->count; i++) {
        char name[REDIS_NODE_NAME_MAX + 2];
        snprintf(name, sizeof name, "%s: ", nodes->items[i].name);
        if (nodes->items[i].is_away) {
            printf("           %saway\n", name);
        } else {
            print_server(name, &nodes->items[i].info);
        }
    }
}

static void print_redis(const struct overview *o) {
    const struct redis_target *settings = redis_target_of(o->redis);
    printf("redis      %s, prefix %.*s\n", settings->address, (int)settings->prefix.size,
           settings->prefix.data);
    switch (settings->redis.topology) {
    case REDIS_CLUSTER:
        print_cluster(&o->nodes);
        return;
    case REDIS_SENTINEL:
        printf("           Sentinel: %s is %s\n", settings->redis.master, o->nodes.items[0].name);
        break;
    case REDIS_STANDALONE:
        printf("           standalone\n");
        break;
    }
    print_server("", &o->nodes.items[0].info);
}

static void print_clients(int64_t count) {
    if (count < 0) {
        printf("clients    not known: the node that has their list does not answer\n");
    } else {
        printf("clients    %lld\n", (long long)count);
    }
}

/* "on", "off", or of how many workers it is on. */
static const char *cache_text(const struct instance_view *instance, char storage[TIME_TEXT]) {
    uint64_t caching = heartbeat_number(instance->heartbeat, "caching");
    uint64_t workers = heartbeat_number(instance->heartbeat, "workers");
    snprintf(storage, TIME_TEXT, "%llu of %llu", (unsigned long long)caching,
             (unsigned long long)workers);
    return caching == 0 ? "off" : caching == workers ? "on" : storage;
}

/* How the workers of all instances answer; nothing where there is none. */
static void print_mode(const struct instances *instances) {
    uint64_t caching = 0, workers = 0;
    for (size_t i = 0; i < instances->count; i++) {
        caching += heartbeat_number(instances->items[i].heartbeat, "caching");
        workers += heartbeat_number(instances->items[i].heartbeat, "workers");
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
    bool is_tls = heartbeat_is(instance->heartbeat, "tls");
    bool is_draining = heartbeat_is(instance->heartbeat, "draining");
    printf("%-20s  %-8s  %-6s  %-8s  %7llu  %-6s  %-3s  %8.1f  %8.1f  %9.1f ",
           visible(slice_of_string(instance->name), name, sizeof name),
           visible(slice_of_string(heartbeat_text(instance->heartbeat, "version")), version,
                   sizeof version),
           span_text(heartbeat_number(instance->heartbeat, "uptime") + instance_age(instance), up),
           span_text(instance_age(instance), seen),
           (unsigned long long)heartbeat_number(instance->heartbeat, "workers"),
           cache_text(instance, cache), is_tls ? "yes" : "no",
           heartbeat_rate(instance->heartbeat, "minted"),
           heartbeat_rate(instance->heartbeat, "validated"),
           heartbeat_rate(instance->heartbeat, "refused"));
    print_listeners(instance);
    printf("%s\n", is_draining ? " (draining)" : "");
}

static void print_instances(const struct overview *o) {
    const struct instances *instances = &o->instances;
    printf("instances  %zu%s\n", instances->count,
           instances->is_no_set      ? " (their list is unreadable)"
           : o->list_is_silent       ? " (the node that has their list does not answer)"
           : !o->may_look            ? " (the user of --redis may not read their list)"
           : instances->unanswered   ? " (there are more: a node does not answer)"
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
    print_clients(o->clients);
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
    enum status status = open_redis(arguments, REDIS_SOME_NODES, &o->redis);
    if (status == STATUS_DONE) {
        status = read_overview(o);
    }
    if (status == STATUS_DONE || (o->nodes.count != 0 && redis_is_cluster(o->redis))) {
        enum status printed = print_overview(arguments, o);
        instances_say_flaws(o->redis, &o->instances);
        printed = o->instances.is_no_set ? STATUS_REFUSED : printed;
        status = status == STATUS_DONE ? printed : status;
    }
    instances_fini(&o->instances);
    nodes_fini(&o->nodes);
    redis_close(o->redis);
    free(o);
    return status;
}
