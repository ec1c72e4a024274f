#include "client_record.h"
#include "oauth/oauth_internal.h"
#include "output.h"

#define ATTEMPTS 50u /* somebody else was quicker each time */

bool client_id_read(const char *text, struct slice *id) {
    *id = slice_of_string(text);
    if (!oauth_client_id_is_valid(*id)) {
        say("the ID of a client is 1 to 255 of A-Z a-z 0-9 . _ ~ @ / -");
        return false;
    }
    return true;
}

enum status client_unknown(struct slice id) {
    say("%.*s: there is no such client: mintctl client list shows all", (int)id.size, id.data);
    return STATUS_REFUSED;
}

/* ---- reading ---- */

static void parse(struct client_record *record) {
    struct store_field fields[STORE_FIELDS_MAX];
    struct store_operation answer = {.answer = STORE_FOUND, .fields = fields};
    const struct value *reply = record->reply;
    for (size_t i = 0; i + 1 < reply->count && answer.field_count < STORE_FIELDS_MAX; i += 2) {
        fields[answer.field_count++] =
            (struct store_field){reply->items[i].text, reply->items[i + 1].text};
    }
    record->is_readable =
        reply->count <= 2 * (size_t)STORE_FIELDS_MAX && oauth_client_read(&answer, &record->client);
    record->standing_is_readable = reply->count <= 2 * (size_t)STORE_FIELDS_MAX &&
                                   oauth_client_read_standing(&answer, &record->standing);
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        record->is_known |= !slice_is_absent(client_secret_field(record, n, ""));
    }
}

enum status client_record_read(struct redis *redis, struct slice id, struct client_record *record) {
    char storage[REDIS_KEY_MAX];
    const struct slice arguments[] = {S("HGETALL"), redis_key(redis, "client:", id, storage)};
    record->is_known = false;
    record->reply = redis_ask(redis, arguments, 2);
    if (record->reply == NULL) {
        return STATUS_REDIS;
    }
    if (record->reply->kind != REDIS_VALUE_LIST) {
        client_record_fini(record);
        return redis_complain("a reply is none to its command");
    }
    parse(record);
    return STATUS_DONE;
}

void client_record_fini(struct client_record *record) {
    value_free(record->reply);
    record->reply = NULL;
}

struct slice client_field(const struct client_record *record, const char *name) {
    return value_find_text(record->reply, slice_of_string(name));
}

struct slice client_secret_field(const struct client_record *record, unsigned n, const char *part) {
    char name[32];
    snprintf(name, sizeof name, "secret:%u%s", n, part);
    return client_field(record, name);
}

uint64_t client_number(struct slice text) {
    unsigned long long number = 0;
    return slice_to_number(text, INT64_MAX, &number) ? number : 0;
}

/* ---- edits ---- */

void client_edit_init(struct client_edit *edit) {
    edit->set_count = edit->removed_count = 0;
    edit->next_generation = false;
    edit->text = buffer_of(edit->storage, sizeof edit->storage);
}

static struct slice keep(struct client_edit *edit, struct slice text) {
    char *place = edit->text.data + edit->text.size;
    buffer_append(&edit->text, text);
    return slice_of(place, edit->text.overflow ? 0 : text.size);
}

void client_edit_set(struct client_edit *edit, struct slice name, struct slice value) {
    if (edit->set_count == CLIENT_EDITS_MAX) {
        edit->text.overflow = true;
        return;
    }
    struct slice kept_name = keep(edit, name);
    edit->set[edit->set_count++] = (struct store_field){kept_name, keep(edit, value)};
}

void client_edit_set_number(struct client_edit *edit, struct slice name, uint64_t number) {
    char storage[24];
    struct buffer digits = buffer_of(storage, sizeof storage);
    buffer_append_number(&digits, number);
    client_edit_set(edit, name, buffer_slice(&digits));
}

void client_edit_remove(struct client_edit *edit, struct slice name) {
    if (edit->removed_count == CLIENT_EDITS_MAX) {
        edit->text.overflow = true;
        return;
    }
    edit->removed[edit->removed_count++] = keep(edit, name);
}

struct slice client_edit_secret_name(struct client_edit *edit, unsigned n, const char *part) {
    char name[32];
    snprintf(name, sizeof name, "secret:%u%s", n, part);
    return keep(edit, slice_of_string(name));
}

static bool is_empty(const struct client_edit *edit) {
    return edit->set_count == 0 && edit->removed_count == 0 && !edit->next_generation;
}

/* ---- changes ---- */

/* MULTI, what is to be done, EXEC. A NIL reply: the key has changed since WATCH. */
static struct value *execute(struct redis *redis, struct slice key,
                             const struct client_edit *edit) {
    const struct slice multi[] = {S("MULTI")}, exec[] = {S("EXEC")};
    const struct slice increment[] = {S("HINCRBY"), key, S("gen"), S("1")};
    struct slice set[2 + 2 * CLIENT_EDITS_MAX] = {S("HSET"), key};
    struct slice removed[2 + CLIENT_EDITS_MAX] = {S("HDEL"), key};
    struct redis_command commands[5] = {{multi, 1}};
    size_t count = 1;
    for (unsigned i = 0; i < edit->set_count; i++) {
        set[2 + 2 * i] = edit->set[i].name;
        set[3 + 2 * i] = edit->set[i].value;
    }
    memcpy(removed + 2, edit->removed, edit->removed_count * sizeof removed[0]);
    if (edit->set_count != 0) {
        commands[count++] = (struct redis_command){set, 2 + 2 * (size_t)edit->set_count};
    }
    if (edit->removed_count != 0) {
        commands[count++] = (struct redis_command){removed, 2 + (size_t)edit->removed_count};
    }
    if (edit->next_generation) {
        commands[count++] = (struct redis_command){increment, 4};
    }
    commands[count++] = (struct redis_command){exec, 1};
    return redis_ask_all(redis, commands, count);
}

static enum status forget(struct redis *redis, struct slice command, struct slice key) {
    const struct slice arguments[] = {command, key};
    struct value *reply = redis_ask(redis, arguments, slice_is_absent(key) ? 1 : 2);
    enum status status = reply == NULL ? STATUS_REDIS : STATUS_DONE;
    value_free(reply);
    return status;
}

static enum status decide(struct redis *redis, struct slice id, const struct client_change *change,
                          struct client_edit *edit) {
    struct client_record record;
    enum status status = client_record_read(redis, id, &record);
    if (status != STATUS_DONE) {
        return status;
    }
    client_edit_init(edit);
    status = record.is_known ? change->decide(change->context, &record, edit) : client_unknown(id);
    client_record_fini(&record);
    if (edit->text.overflow) {
        say("%.*s: too much for one client", (int)id.size, id.data);
        status = STATUS_REFUSED;
    }
    return status;
}

/* One attempt; *again where somebody else was quicker. */
static enum status try_change(struct redis *redis, struct slice id,
                              const struct client_change *change, bool *again) {
    char storage[REDIS_KEY_MAX];
    struct slice key = redis_key(redis, "client:", id, storage);
    struct client_edit edit;
    *again = false;
    enum status status = forget(redis, S("WATCH"), key);
    if (status == STATUS_DONE) {
        status = decide(redis, id, change, &edit);
    }
    if (status != STATUS_DONE || is_empty(&edit)) {
        return status == STATUS_REDIS                                     ? status
               : forget(redis, S("UNWATCH"), SLICE_ABSENT) == STATUS_DONE ? status
                                                                          : STATUS_REDIS;
    }
    struct value *reply = execute(redis, key, &edit);
    *again = value_is(reply, REDIS_VALUE_NIL);
    status = reply == NULL ? STATUS_REDIS : STATUS_DONE;
    value_free(reply);
    return status;
}

enum status client_change(struct redis *redis, struct slice id,
                          const struct client_change *change) {
    enum status status = STATUS_DONE;
    bool again = true;
    for (unsigned i = 0; i < ATTEMPTS && again; i++) {
        status = try_change(redis, id, change, &again);
    }
    if (again) {
        say("%.*s: somebody else changes it all the time: try again", (int)id.size, id.data);
        return STATUS_REFUSED;
    }
    return status;
}

/* What is left of a client that was removed, a hash without a secret, is in the way of a new one.
 */
static enum status remove_remains(struct redis *redis, struct slice id, bool *removed) {
    char storage[REDIS_KEY_MAX];
    struct slice key = redis_key(redis, "client:", id, storage);
    const struct slice multi[] = {S("MULTI")}, delete_key[] = {S("DEL"), key}, exec[] = {S("EXEC")};
    const struct redis_command commands[] = {{multi, 1}, {delete_key, 2}, {exec, 1}};
    struct client_record record;
    enum status status = forget(redis, S("WATCH"), key);
    *removed = false;
    if (status == STATUS_DONE) {
        status = client_record_read(redis, id, &record);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    bool is_known = record.is_known;
    client_record_fini(&record);
    if (is_known) {
        return forget(redis, S("UNWATCH"), SLICE_ABSENT);
    }
    struct value *reply = redis_ask_all(redis, commands, 3);
    *removed = value_is(reply, REDIS_VALUE_LIST);
    status = reply == NULL ? STATUS_REDIS : STATUS_DONE;
    value_free(reply);
    return status;
}

/* Listed first: an id without a client harms nothing, a client that is not listed would be missed.
 */
enum status client_make(struct redis *redis, struct slice id, const struct client_edit *edit,
                        bool *made) {
    char storage[REDIS_KEY_MAX], name[OAUTH_KEY_STORAGE];
    struct slice clients = redis_key(redis, OAUTH_KEY_CLIENTS, S(""), storage);
    struct slice key = oauth_client_key(id, name);
    int64_t added;
    bool again = true;
    *made = false;
    if (!redis_ask_number(redis, (const struct slice[]){S("SADD"), clients, id}, 3, &added)) {
        return STATUS_REDIS;
    }
    enum status status = redis_create_hash(redis, key, edit->set, edit->set_count, made);
    if (status == STATUS_DONE && !*made) {
        status = remove_remains(redis, id, &again);
    }
    if (status == STATUS_DONE && !*made && again) {
        status = redis_create_hash(redis, key, edit->set, edit->set_count, made);
    }
    return status;
}

enum status client_delete(struct redis *redis, struct slice id, bool *removed) {
    char storage[REDIS_KEY_MAX];
    int64_t deleted, listed;
    struct slice key = redis_key(redis, "client:", id, storage);
    if (!redis_ask_number(redis, (const struct slice[]){S("DEL"), key}, 2, &deleted)) {
        return STATUS_REDIS;
    }
    struct slice clients = redis_key(redis, OAUTH_KEY_CLIENTS, S(""), storage);
    if (!redis_ask_number(redis, (const struct slice[]){S("SREM"), clients, id}, 3, &listed)) {
        return STATUS_REDIS;
    }
    *removed = deleted != 0;
    return STATUS_DONE;
}
