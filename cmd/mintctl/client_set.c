/* client_set.c: mintctl client set: changes what is named, and nothing else. */
#include "client_options.h"
#include "edit_print.h"
#include "output.h"
#include "settings.h"
#include <stdlib.h>

struct setting {
    struct slice id;
    const struct client_options *options;
    bool as_json;
    /* What is printed once it is done: of the last decision. One of the two. */
    cJSON *json;
    char *text;
};

/* What the client will have, of those that are named and of those that they are judged by. */
static void merge(const struct client_options *options, const struct client_record *record,
                  struct client_settings *merged) {
    static const enum client_setting pairs[][2] = {{CLIENT_SCOPE, CLIENT_DEFAULT_SCOPE},
                                                   {CLIENT_TTL, CLIENT_MAX_TTL}};
    *merged = options->settings;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        for (size_t side = 0; side < 2; side++) {
            enum client_setting one = pairs[i][side], other = pairs[i][1 - side];
            if (options->is_given[one] && !options->is_given[other]) {
                merged->values[other] = client_field(record, client_setting_field(other));
            }
        }
    }
}

static void edit_named(const struct client_options *options, const struct client_record *record,
                       struct client_edit *edit) {
    struct client_settings all;
    for (unsigned i = 0; i < CLIENT_SETTING_COUNT; i++) {
        all.values[i] = options->is_given[i] ? options->settings.values[i]
                                             : client_field(record, client_setting_field(i));
    }
    client_settings_edit(&all, record, edit);
}

static void describe(struct setting *setting, const struct client_record *record,
                     const struct client_edit *edit) {
    cJSON *changes = client_edit_json(record, edit);
    cJSON_Delete(setting->json);
    setting->json = cJSON_CreateObject();
    json_add_text(setting->json, "id", setting->id);
    cJSON_AddStringToObject(setting->json, "result",
                            client_edit_is_empty(edit) ? "unchanged" : "changed");
    if (!cJSON_AddItemToObject(setting->json, "changes", changes)) {
        cJSON_Delete(changes);
    }
}

/* Kept until it is done: of the last attempt, where somebody else was quicker. */
static enum status tell(struct setting *setting, const struct client_record *record,
                        const struct client_edit *edit) {
    size_t size;
    free(setting->text);
    setting->text = NULL;
    FILE *out = open_memstream(&setting->text, &size);
    if (out == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    fprintf(out, "%.*s: %s", (int)setting->id.size, setting->id.data,
            client_edit_is_empty(edit) ? "as it was" : "changed");
    client_edit_print(out, record, edit);
    if (fclose(out) != 0) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    return STATUS_DONE;
}

static enum status decide(void *context, const struct client_record *record,
                          struct client_edit *edit) {
    struct setting *setting = context;
    struct client_settings merged;
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    merge(setting->options, record, &merged);
    if (!client_settings_check(&merged, &error)) {
        storage[error.size] = '\0';
        say("%.*s: %s", (int)setting->id.size, setting->id.data, storage);
        return STATUS_USAGE;
    }
    edit_named(setting->options, record, edit);
    if (setting->as_json) {
        describe(setting, record, edit);
        return STATUS_DONE;
    }
    return tell(setting, record, edit);
}

static bool names_something(const struct client_options *options) {
    for (unsigned i = 0; i < CLIENT_SETTING_COUNT; i++) {
        if (options->is_given[i]) {
            return true;
        }
    }
    say("client set: name what is to change: mintctl client set --help lists all");
    return false;
}

static enum status set(struct redis *redis, struct setting *setting) {
    enum status status =
        client_change(redis, setting->id, &(struct client_change){decide, setting});
    if (status != STATUS_DONE) {
        cJSON_Delete(setting->json);
        free(setting->text);
        return status;
    }
    bool is_told =
        setting->as_json ? json_print_line(setting->json) : fputs(setting->text, stdout) != EOF;
    free(setting->text);
    client_settle(redis, setting->id, false);
    return is_told ? STATUS_DONE : STATUS_REFUSED;
}

enum status client_set(const struct arguments *arguments) {
    struct client_options options;
    struct setting setting = {.options = &options, .as_json = arguments_has(arguments, "--json")};
    struct redis *redis = NULL;
    if (!client_id_read(arguments->operands[0], &setting.id)) {
        return STATUS_USAGE;
    }
    enum status status = client_options_read(&options, arguments);
    if (status == STATUS_DONE && !names_something(&options)) {
        status = STATUS_USAGE;
    }
    if (status == STATUS_DONE) {
        status = open_redis(arguments, REDIS_OUR_LAYOUT, &redis);
    }
    if (status == STATUS_DONE) {
        status = set(redis, &setting);
    }
    redis_close(redis);
    return status;
}
