/* client_export.c: mintctl client export: the file from which client apply makes the same clients.
 * It has the hashes of their secrets, and is the one command that prints them. */
#include "client_view.h"
#include "clients/client_ids.h"
#include "clients/client_settings.h"
#include "clients/client_walk.h"
#include "mintd/password.h"
#include "settings.h"

struct export {
    struct redis *redis;
    const struct client_ids *ids;
    size_t printed, left_out;
};

/* ---- what the file can say ---- */

/* Why not; NULL: it can. */
static const char *problem_of(const struct client_record *record, struct client_settings *settings,
                              char *storage, size_t size) {
    struct buffer error = buffer_of(storage, size - 1);
    for (unsigned i = 0; i < CLIENT_SETTING_COUNT; i++) {
        settings->values[i] = client_field(record, client_setting_field(i));
    }
    if (!record->is_readable) {
        return "unreadable";
    }
    if (!oauth_scope_is_valid(client_field(record, "grants"))) {
        return "its grants are not names with one space between them";
    }
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        struct slice stored = client_secret_field(record, n, "");
        if (!slice_is_absent(stored) && password_kind_of(stored) == PASSWORD_MALFORMED) {
            return "one of its secrets is unreadable";
        }
    }
    if (!client_settings_check(settings, &error)) {
        storage[error.size] = '\0';
        return storage;
    }
    return NULL;
}

static bool is_repeated(const struct client_record *record, unsigned n) {
    for (unsigned other = 1; other < n; other++) {
        if (slice_equal(client_secret_field(record, other, ""),
                        client_secret_field(record, n, ""))) {
            return true;
        }
    }
    return false;
}

static cJSON *secret_json(struct slice stored, uint64_t expires) {
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "stored", stored);
    if (expires != 0) {
        json_add_number(object, "expires", expires);
        return object;
    }
    cJSON *text = cJSON_DetachItemFromObjectCaseSensitive(object, "stored");
    cJSON_Delete(object);
    return text;
}

static void add_secrets(cJSON *object, const struct client_record *record) {
    cJSON *secrets = cJSON_AddArrayToObject(object, "secrets");
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        struct slice stored = client_secret_field(record, n, "");
        if (!slice_is_absent(stored) && !is_repeated(record, n)) {
            uint64_t expires = client_number(client_secret_field(record, n, ":expires"));
            cJSON_AddItemToArray(secrets, secret_json(stored, expires));
        }
    }
}

/* Members that have their default are left out, but disabled and grants: left out, they would mean
 * "as it is". */
static cJSON *entry_json(struct slice id, const struct client_record *record,
                         const struct client_settings *settings) {
    static const enum client_setting order[] = {
        CLIENT_NAME, CLIENT_SCOPE,   CLIENT_DEFAULT_SCOPE, CLIENT_AUDIENCE,
        CLIENT_TTL,  CLIENT_MAX_TTL, CLIENT_PERMISSIONS};
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "id", id);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct slice value = settings->values[order[i]];
        const char *member =
            order[i] == CLIENT_AUDIENCE ? "audience" : client_setting_field(order[i]);
        if (slice_is_absent(value)) {
            continue;
        }
        if (order[i] == CLIENT_AUDIENCE || order[i] == CLIENT_PERMISSIONS) {
            json_add_words(object, member, value);
        } else if (order[i] == CLIENT_TTL || order[i] == CLIENT_MAX_TTL) {
            json_add_number(object, member, client_number(value));
        } else {
            json_add_text(object, member, value);
        }
    }
    if (!slice_is_absent(client_field(record, "grants"))) {
        json_add_words(object, "grants", client_field(record, "grants"));
    }
    cJSON_AddBoolToObject(object, "disabled", client_is_disabled(record));
    add_secrets(object, record);
    return object;
}

/* ---- going through ---- */

static struct slice id_of(void *context, size_t number) {
    const struct export *e = context;
    return slice_of_string(e->ids->items[number]);
}

static enum status print_entry(struct export *e, cJSON *entry) {
    char *text = json_line(entry);
    if (text == NULL) {
        return STATUS_REFUSED;
    }
    printf("%s\n  %s", e->printed++ == 0 ? "" : ",", text);
    cJSON_free(text);
    return ferror(stdout) ? STATUS_REFUSED : STATUS_DONE;
}

static enum status visit(void *context, size_t number, const struct client_record *record) {
    struct export *e = context;
    struct slice id = id_of(e, number);
    struct client_settings settings;
    char storage[256];
    if (!record->is_known && !record->is_no_hash) {
        return STATUS_DONE;
    }
    const char *problem = problem_of(record, &settings, storage, sizeof storage);
    if (problem != NULL) {
        say("%.*s: left out: %s", (int)id.size, id.data, problem);
        e->left_out++;
        return STATUS_DONE;
    }
    return print_entry(e, entry_json(id, record, &settings));
}

static enum status export_all(struct export *e) {
    printf("{\"clients\": [");
    enum status status = client_walk(
        e->redis,
        &(struct client_walk){.count = e->ids->count, .id = id_of, .visit = visit, .context = e});
    if (status == STATUS_DONE) {
        printf("%s]}\n", e->printed == 0 ? "" : "\n");
    }
    return status == STATUS_DONE && e->left_out != 0 ? STATUS_REFUSED : status;
}

enum status client_export(const struct arguments *arguments) {
    struct client_ids ids = {0, NULL};
    struct export e = {.ids = &ids};
    enum status status = open_redis(arguments, REDIS_REPLICA_TOO, &e.redis);
    if (status == STATUS_DONE) {
        status = client_ids_read(e.redis, &ids, NULL);
    }
    if (status == STATUS_DONE) {
        status = export_all(&e);
    }
    client_ids_fini(&ids);
    redis_close(e.redis);
    return status;
}
