#include "clients/client_change.h"
#include "mintd/say.h"
#include <stdio.h>

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

/* ---- one attempt ---- */

/* Why a change has to be begun anew. */
struct obstacle {
    bool somebody, moves; /* somebody else was quicker; its slot goes to another node */
};

/* The record, which is watched from before it is read. */
static enum status read_watched(struct redis *redis, struct slice id, struct client_record *record,
                                struct obstacle *obstacle) {
    char storage[REDIS_KEY_MAX];
    const struct slice read[] = {S("HGETALL"), redis_key(redis, "client:", id, storage)};
    enum status status = redis_watch(redis, read[1], &obstacle->moves);
    if (status != STATUS_DONE || obstacle->moves) {
        return status;
    }
    struct value *reply =
        redis_try_watched(redis, &(struct redis_command){read, 2}, 1, &obstacle->moves);
    if (reply == NULL) {
        return obstacle->moves ? STATUS_DONE : STATUS_REDIS;
    }
    status = client_record_of(redis, reply, record);
    if (status == STATUS_DONE && record->is_no_hash) {
        client_record_fini(record);
        status = client_no_hash(redis, id);
    }
    return status;
}

/* MULTI, what is to be done, EXEC. A NIL reply: the key has changed since WATCH. */
static enum status execute(struct redis *redis, const struct redis_command *commands, size_t count,
                           struct obstacle *obstacle) {
    const struct slice multi[] = {S("MULTI")}, exec[] = {S("EXEC")};
    struct redis_command all[CLIENT_COMMANDS_MAX + 2] = {{multi, 1}};
    memcpy(all + 1, commands, count * sizeof all[0]);
    all[count + 1] = (struct redis_command){exec, 1};
    struct value *reply = redis_ask_watched(redis, all, count + 2, &obstacle->moves);
    enum status status = reply == NULL && !obstacle->moves ? STATUS_REDIS : STATUS_DONE;
    obstacle->somebody = value_is(reply, REDIS_VALUE_NIL);
    value_free(reply);
    return status;
}

static enum status decide(struct slice id, const struct client_change *change,
                          const struct client_record *record, struct client_edit *edit) {
    client_edit_init(edit);
    enum status status = change->decide(change->context, record, edit);
    if (edit->text.overflow) {
        say("%.*s: too much for one client", (int)id.size, id.data);
        status = STATUS_REFUSED;
    }
    return status;
}

/* The end of an attempt that writes nothing. */
static enum status leave(struct redis *redis, enum status status) {
    return status == STATUS_REDIS || redis_unwatch(redis) == STATUS_DONE ? status : STATUS_REDIS;
}

static enum status try_change(struct redis *redis, struct slice id,
                              const struct client_change *change, bool *is_there,
                              struct obstacle *obstacle) {
    char storage[REDIS_KEY_MAX];
    struct client_record record;
    struct client_commands commands;
    struct client_edit edit;
    enum status status = read_watched(redis, id, &record, obstacle);
    if (status != STATUS_DONE || obstacle->moves) {
        return obstacle->moves ? status : leave(redis, status);
    }
    *is_there = record.is_known;
    status = *is_there ? decide(id, change, &record, &edit) : STATUS_DONE;
    client_record_fini(&record);
    if (status != STATUS_DONE || !*is_there || client_edit_is_empty(&edit)) {
        return leave(redis, status);
    }
    client_commands_init(&commands, redis_key(redis, "client:", id, storage), &edit);
    return execute(redis, commands.list, commands.count, obstacle);
}

/* ---- as many attempts as it takes ---- */

static enum status say_obstacle(struct slice id, const struct obstacle *obstacle) {
    say("%.*s: %s: try again", (int)id.size, id.data,
        obstacle->moves ? "its slot is being moved to another node of the cluster"
                        : "somebody else changes it all the time");
    return STATUS_REFUSED;
}

enum status client_change_known(struct redis *redis, struct slice id,
                                const struct client_change *change, bool *is_there) {
    struct obstacle obstacle = {.somebody = true};
    enum status status = STATUS_DONE;
    *is_there = true;
    for (unsigned i = 0; i < ATTEMPTS && (obstacle.somebody || obstacle.moves); i++) {
        if (obstacle.moves) {
            redis_pause(redis);
        }
        obstacle = (struct obstacle){false, false};
        status = try_change(redis, id, change, is_there, &obstacle);
        if (status != STATUS_DONE) {
            return status;
        }
    }
    return obstacle.somebody || obstacle.moves ? say_obstacle(id, &obstacle) : STATUS_DONE;
}

enum status client_change(struct redis *redis, struct slice id,
                          const struct client_change *change) {
    bool is_there;
    enum status status = client_change_known(redis, id, change, &is_there);
    return status == STATUS_DONE && !is_there ? client_unknown(id) : status;
}

/* ---- making and removing ---- */

/* What is left of a client that was removed, a hash without a secret, is in the way of a new one.
 */
static enum status remove_remains(struct redis *redis, struct slice id, bool *removed) {
    char storage[REDIS_KEY_MAX];
    const struct slice delete_key[] = {S("DEL"), redis_key(redis, "client:", id, storage)};
    struct obstacle obstacle = {false, false};
    struct client_record record;
    enum status status = read_watched(redis, id, &record, &obstacle);
    *removed = false;
    if (status == STATUS_DONE && obstacle.moves) {
        return say_obstacle(id, &obstacle);
    }
    if (status != STATUS_DONE) {
        return leave(redis, status);
    }
    bool is_known = record.is_known;
    client_record_fini(&record);
    if (is_known) {
        return leave(redis, STATUS_DONE);
    }
    status = execute(redis, &(struct redis_command){delete_key, 2}, 1, &obstacle);
    if (status == STATUS_DONE && obstacle.moves) {
        return say_obstacle(id, &obstacle);
    }
    *removed = status == STATUS_DONE && !obstacle.somebody;
    return status;
}

/* Lists a client whose id may have been taken out of the list meanwhile, by who removed the one
 * before it. */
static enum status list_again(struct redis *redis, struct slice id) {
    char storage[REDIS_KEY_MAX];
    int64_t added;
    struct slice clients = redis_key(redis, OAUTH_KEY_CLIENTS, S(""), storage);
    return redis_ask_number(redis, (const struct slice[]){S("SADD"), clients, id}, 3, &added)
               ? STATUS_DONE
               : STATUS_REDIS;
}

/* Listed first: an id without a client harms nothing, a client that is not listed would be missed.
 * And behind it, too. */
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
    return status == STATUS_DONE && *made ? list_again(redis, id) : status;
}

/* Who makes it anew between the first two commands has listed it ahead of the second one. */
enum status client_delete(struct redis *redis, struct slice id, bool *removed) {
    char client[REDIS_KEY_MAX], storage[REDIS_KEY_MAX];
    int64_t deleted, listed;
    struct slice key = redis_key(redis, "client:", id, client);
    struct slice clients = redis_key(redis, OAUTH_KEY_CLIENTS, S(""), storage);
    *removed = false;
    if (!redis_ask_number(redis, (const struct slice[]){S("DEL"), key}, 2, &deleted)) {
        return STATUS_REDIS;
    }
    *removed = deleted != 0;
    if (!redis_ask_number(redis, (const struct slice[]){S("SREM"), clients, id}, 3, &listed)) {
        return STATUS_REDIS;
    }
    struct value *back = redis_ask(redis, (const struct slice[]){S("HGETALL"), key}, 2);
    if (back == NULL) {
        return STATUS_REDIS;
    }
    bool is_back = value_is(back, REDIS_VALUE_LIST) && back->count != 0;
    value_free(back);
    return is_back ? list_again(redis, id) : STATUS_DONE;
}

void client_settle(struct redis *redis, struct slice id, bool with_list) {
    char client[REDIS_KEY_MAX], clients[REDIS_KEY_MAX];
    const struct slice keys[] = {redis_key(redis, "client:", id, client),
                                 redis_key(redis, OAUTH_KEY_CLIENTS, S(""), clients)};
    redis_settle(redis, keys, with_list ? 2 : 1);
}
