#include "client_change.h"
#include "output.h"

#define ATTEMPTS 50u /* somebody else was quicker each time */

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

bool client_edit_is_empty(const struct client_edit *edit) {
    return edit->set_count == 0 && edit->removed_count == 0 && !edit->next_generation;
}

/* ---- changes ---- */

void client_commands_init(struct client_commands *commands, struct slice key,
                          const struct client_edit *edit) {
    struct slice *set = commands->set, *removed = commands->removed;
    set[0] = S("HSET");
    removed[0] = S("HDEL");
    commands->increment[0] = S("HINCRBY");
    commands->increment[2] = S("gen");
    commands->increment[3] = S("1");
    set[1] = removed[1] = commands->increment[1] = key;
    commands->count = 0;
    for (unsigned i = 0; i < edit->set_count; i++) {
        set[2 + 2 * i] = edit->set[i].name;
        set[3 + 2 * i] = edit->set[i].value;
    }
    memcpy(removed + 2, edit->removed, edit->removed_count * sizeof removed[0]);
    if (edit->set_count != 0) {
        commands->list[commands->count++] =
            (struct redis_command){set, 2 + 2 * (size_t)edit->set_count};
    }
    if (edit->removed_count != 0) {
        commands->list[commands->count++] =
            (struct redis_command){removed, 2 + (size_t)edit->removed_count};
    }
    if (edit->next_generation) {
        commands->list[commands->count++] = (struct redis_command){commands->increment, 4};
    }
}

/* MULTI, what is to be done, EXEC. A NIL reply: the key has changed since WATCH. */
static struct value *execute(struct redis *redis, struct slice key,
                             const struct client_edit *edit) {
    const struct slice multi[] = {S("MULTI")}, exec[] = {S("EXEC")};
    struct client_commands commands;
    struct redis_command all[CLIENT_COMMANDS_MAX + 2] = {{multi, 1}};
    client_commands_init(&commands, key, edit);
    memcpy(all + 1, commands.list, commands.count * sizeof all[0]);
    all[commands.count + 1] = (struct redis_command){exec, 1};
    return redis_ask_all(redis, all, commands.count + 2);
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
    if (status != STATUS_DONE || client_edit_is_empty(&edit)) {
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
    *removed = false;
    if (!redis_ask_number(redis, (const struct slice[]){S("DEL"), key}, 2, &deleted)) {
        return STATUS_REDIS;
    }
    *removed = deleted != 0;
    struct slice clients = redis_key(redis, OAUTH_KEY_CLIENTS, S(""), storage);
    return redis_ask_number(redis, (const struct slice[]){S("SREM"), clients, id}, 3, &listed)
               ? STATUS_DONE
               : STATUS_REDIS;
}
