/* client_switch.c: mintctl client disable, enable, remove. */
#include "clients/client_change.h"
#include "input.h"
#include "instances.h"
#include "output.h"
#include "settings.h"
#include <stdlib.h>

static enum status disable(void *context, const struct client_record *record,
                           struct client_edit *edit) {
    (void)context;
    (void)record;
    client_edit_set(edit, S("disabled"), S("1"));
    return STATUS_DONE;
}

static enum status enable(void *context, const struct client_record *record,
                          struct client_edit *edit) {
    (void)context;
    if (!slice_is_absent(client_field(record, "disabled"))) {
        client_edit_set(edit, S("disabled"), S("0"));
    }
    return STATUS_DONE;
}

static enum status change(const struct arguments *arguments, const struct client_change *change,
                          const char *result, const char *words) {
    struct redis *redis = NULL;
    struct slice id;
    if (!client_id_read(arguments->operands[0], &id)) {
        return STATUS_USAGE;
    }
    enum status status = open_redis(arguments, REDIS_OUR_LAYOUT, &redis);
    if (status == STATUS_DONE) {
        status = client_change(redis, id, change);
    }
    if (status == STATUS_DONE) {
        print_result(arguments_has(arguments, "--json"), id, result, words);
        client_settle(redis, id, false);
    }
    redis_close(redis);
    return status;
}

enum status client_disable(const struct arguments *arguments) {
    return change(arguments, &(struct client_change){disable, NULL}, "disabled",
                  "disabled; it and its tokens are refused from now on");
}

enum status client_enable(const struct arguments *arguments) {
    return change(arguments, &(struct client_change){enable, NULL}, "enabled",
                  "enabled; its tokens that have not ended are good again");
}

/* ---- remove ---- */

static enum status look_for(struct redis *redis, struct slice id, bool *is_there) {
    struct client_record record;
    enum status status = client_record_look(redis, id, &record);
    if (status == STATUS_DONE) {
        *is_there = record.is_no_hash || record.reply->count != 0;
        client_record_fini(&record);
    }
    return status;
}

/* Who was started with this client makes it again, with the secret that it was given. Where that
 * cannot be looked up, nothing is said, or, in a cluster, what keeps a node from telling. */
static enum status warn_of_makers(struct redis *redis, struct slice id) {
    struct instances *instances = calloc(1, sizeof *instances);
    bool is_allowed;
    if (instances == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    enum status status = instances_read(redis, INSTANCES_LOOK, instances, &is_allowed);
    instances_say_flaws(redis, instances);
    for (size_t i = 0; i < instances->count; i++) {
        const struct instance_view *instance = &instances->items[i];
        char name[100];
        if (slice_equal(slice_of_string(heartbeat_text(instance->heartbeat, "client")), id)) {
            say("%.*s: instance %s has it as --client, and makes it again at its next start; "
                "mintctl client disable keeps it out",
                (int)id.size, id.data, visible(slice_of_string(instance->name), name, sizeof name));
        }
    }
    instances_fini(instances);
    free(instances);
    return status == STATUS_REDIS && redis_is_cluster(redis) ? STATUS_DONE : status;
}

static enum status confirm(const struct arguments *arguments, struct slice id) {
    char question[OAUTH_CLIENT_ID_MAX + 80];
    snprintf(question, sizeof question, "Remove %.*s? Its tokens are refused from then on.",
             (int)id.size, id.data);
    switch (input_confirm(arguments_has(arguments, "--yes"), question)) {
    case INPUT_YES:
        return STATUS_DONE;
    case INPUT_NO:
        say("%.*s: not removed", (int)id.size, id.data);
        return STATUS_REFUSED;
    case INPUT_NOBODY:
        break;
    }
    return STATUS_USAGE;
}

/* Also where there is none: its id may still be listed. */
static enum status remove_now(struct redis *redis, struct slice id, bool as_json) {
    bool removed;
    enum status status = client_delete(redis, id, &removed);
    if (removed) {
        print_result(as_json, id, "removed", "removed; its tokens are refused from now on");
        client_settle(redis, id, true);
    } else if (status == STATUS_DONE) {
        status = client_unknown(id);
    }
    return status;
}

enum status client_remove(const struct arguments *arguments) {
    struct redis *redis = NULL;
    struct slice id;
    bool is_there = false;
    if (!client_id_read(arguments->operands[0], &id)) {
        return STATUS_USAGE;
    }
    enum status status = open_redis(arguments, REDIS_OUR_LAYOUT, &redis);
    if (status == STATUS_DONE) {
        status = look_for(redis, id, &is_there);
    }
    if (status == STATUS_DONE && is_there) {
        status = warn_of_makers(redis, id);
    }
    if (status == STATUS_DONE && is_there) {
        status = confirm(arguments, id);
    }
    if (status == STATUS_DONE) {
        status = remove_now(redis, id, arguments_has(arguments, "--json"));
    }
    redis_close(redis);
    return status;
}
