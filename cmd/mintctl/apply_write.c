/* apply_write.c: groups of clients are watched and read together, and changed by one transaction.
 *
 * Happy path: two ways to Redis and back for some hundred clients. Failure modes: where somebody
 * else was quicker with one of them, nothing of the group was done: it is tried again, with ever
 * smaller groups; where Redis goes away, whole groups are done and the rest is not, and applying
 * again does the rest. */
#include "apply_write.h"
#include "apply_edit.h"
#include "mintd/clock.h"
#include "output.h"
#include "secret.h"
#include <stdlib.h>

#define GROUP_MAX (REDIS_BATCH_MAX - 2) /* beside MULTI and EXEC */
#define ATTEMPTS 50u                    /* somebody else was quicker each time */

struct writing {
    struct redis *redis;
    struct crypto *crypto;
    struct redis_batch *reads, *writes;
    struct apply_entry **entries; /* those that differ */
    size_t count;
};

/* ---- one client of a group ---- */

static bool describe_new_client(struct writing *w, struct apply_entry *entry,
                                struct client_edit *edit) {
    uint64_t generation;
    if (!secret_random_generation(w->crypto, &generation)) {
        say("the client cannot be made: the random generator fails");
        return false;
    }
    apply_edit(entry, NULL, edit);
    client_edit_set_number(edit, S("gen"), generation);
    client_edit_set_number(edit, S("created"), clock_shared_ms() / 1000);
    return true;
}

/* What is left of a client that was removed, a hash without a secret, makes room for the new one.
 */
static void write_new(struct writing *w, struct slice key, struct slice id,
                      const struct client_commands *changes) {
    char storage[REDIS_KEY_MAX];
    const struct slice clear[] = {S("DEL"), key};
    const struct slice add[] = {S("SADD"), redis_key(w->redis, OAUTH_KEY_CLIENTS, S(""), storage),
                                id};
    struct redis_command commands[CLIENT_COMMANDS_MAX + 2] = {{clear, 2}, {add, 3}};
    memcpy(commands + 2, changes->list, changes->count * sizeof commands[0]);
    redis_batch_add(w->writes, commands, changes->count + 2);
}

/* Decides by what is there now: it may be what is wanted already. */
static enum status write_one(struct writing *w, struct apply_entry *entry,
                             const struct client_record *record) {
    char storage[REDIS_KEY_MAX];
    struct slice key = redis_key(w->redis, "client:", entry->id, storage);
    struct client_edit edit;
    struct client_commands commands;
    if (record->is_no_hash) {
        return client_no_hash(w->redis, entry->id);
    }
    client_edit_init(&edit);
    if (record->is_known) {
        apply_edit(entry, record, &edit);
    } else if (!describe_new_client(w, entry, &edit)) {
        return STATUS_REFUSED;
    }
    if (edit.text.overflow) {
        say("%.*s: too much for one client", (int)entry->id.size, entry->id.data);
        return STATUS_REFUSED;
    }
    client_commands_init(&commands, key, &edit);
    if (!record->is_known) {
        write_new(w, key, entry->id, &commands);
    } else if (commands.count != 0) {
        redis_batch_add(w->writes, commands.list, commands.count);
    }
    return STATUS_DONE;
}

/* ---- a group ---- */

static void write_word(struct writing *w, struct slice word) {
    redis_batch_add(w->writes, &(struct redis_command){&word, 1}, 1);
}

static enum status read_group(struct writing *w, size_t first, size_t count) {
    redis_batch_start(w->reads);
    for (size_t i = first; i < first + count; i++) {
        client_record_ask(w->redis, w->reads, w->entries[i]->id, true);
    }
    return redis_batch_wait(w->reads);
}

static enum status write_records(struct writing *w, size_t first, size_t count) {
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < count && status == STATUS_DONE; i++) {
        struct client_record record;
        status = client_record_of(w->redis, redis_batch_take(w->reads, i), &record);
        if (status == STATUS_DONE) {
            status = write_one(w, w->entries[first + i], &record);
            client_record_fini(&record);
        }
    }
    return status;
}

/* *done is false where somebody else was quicker. */
static enum status write_group(struct writing *w, size_t first, size_t count, bool *done) {
    enum status status = read_group(w, first, count);
    if (status != STATUS_DONE) {
        return status;
    }
    redis_batch_start(w->writes);
    write_word(w, S("MULTI"));
    enum status decided = write_records(w, first, count);
    size_t last = redis_batch_count(w->writes);
    write_word(w, decided == STATUS_DONE ? S("EXEC") : S("DISCARD"));
    status = redis_batch_wait(w->writes);
    if (status != STATUS_DONE || decided != STATUS_DONE) {
        return decided != STATUS_DONE ? decided : status;
    }
    status = redis_batch_check(w->writes);
    struct value *reply = redis_batch_take(w->writes, last);
    *done = !value_is(reply, REDIS_VALUE_NIL);
    value_free(reply);
    return status;
}

static enum status write_all(struct writing *w) {
    size_t done = 0, size = GROUP_MAX;
    unsigned attempts = 0;
    enum status status = STATUS_DONE;
    while (done < w->count && status == STATUS_DONE) {
        size_t count = w->count - done < size ? w->count - done : size;
        bool is_done = false;
        status = write_group(w, done, count, &is_done);
        if (is_done) {
            done += count;
            attempts = 0;
            size = GROUP_MAX;
        } else if (status == STATUS_DONE && ++attempts == ATTEMPTS) {
            say("somebody else changes the clients all the time: try again");
            status = STATUS_REFUSED;
        } else {
            size = count > 1 ? count / 2 : 1;
        }
    }
    return status;
}

static bool open_writing(struct writing *w, const struct apply_file *file) {
    w->crypto = crypto_new();
    w->reads = redis_batch_new(w->redis);
    w->writes = redis_batch_new(w->redis);
    w->entries = calloc(file->count + 1, sizeof(struct apply_entry *));
    if (w->crypto == NULL || w->reads == NULL || w->writes == NULL || w->entries == NULL) {
        say_no_memory();
        return false;
    }
    for (size_t i = 0; i < file->count; i++) {
        if (file->entries[i].differs) {
            w->entries[w->count++] = &file->entries[i];
        }
    }
    return true;
}

enum status apply_write(struct redis *redis, const struct apply_file *file) {
    struct writing w = {.redis = redis};
    enum status status = open_writing(&w, file) ? write_all(&w) : STATUS_REFUSED;
    free(w.entries);
    redis_batch_free(w.writes);
    redis_batch_free(w.reads);
    crypto_free(w.crypto);
    return status;
}

/* ---- those that the file does not have ---- */

static void ask_to_remove(struct redis *redis, struct redis_batch *batch, struct slice id) {
    char client[REDIS_KEY_MAX], clients[REDIS_KEY_MAX];
    const struct slice delete_key[] = {S("DEL"), redis_key(redis, "client:", id, client)};
    const struct slice forget[] = {S("SREM"), redis_key(redis, OAUTH_KEY_CLIENTS, S(""), clients),
                                   id};
    const struct redis_command commands[] = {{delete_key, 2}, {forget, 3}};
    redis_batch_add(batch, commands, 2);
}

static enum status remove_batch(struct redis_batch *batch) {
    enum status status = redis_batch_wait(batch);
    if (status == STATUS_DONE) {
        status = redis_batch_check(batch);
    }
    redis_batch_start(batch);
    return status;
}

enum status apply_remove_others(struct redis *redis, const struct apply_file *file,
                                const struct client_names *names) {
    struct redis_batch *batch = redis_batch_new(redis);
    enum status status = batch == NULL ? STATUS_REFUSED : STATUS_DONE;
    for (size_t i = 0; i < names->count && status == STATUS_DONE; i++) {
        struct slice id = slice_of_string(names->items[i]);
        if (apply_file_find(file, id) == NULL) {
            ask_to_remove(redis, batch, id);
        }
        if (redis_batch_count(batch) == REDIS_BATCH_MAX) {
            status = remove_batch(batch);
        }
    }
    if (status == STATUS_DONE) {
        status = remove_batch(batch);
    }
    redis_batch_free(batch);
    return status;
}
