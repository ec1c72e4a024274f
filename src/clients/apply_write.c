/* apply_write.c: groups of clients are watched and read together, and changed by one transaction.
 *
 * Happy path: two ways to Redis and back for some hundred clients. Failure modes: where somebody
 * else was quicker with one of them, nothing of the group was done: it is tried again, with ever
 * smaller groups; where Redis goes away, whole groups are done and the rest is not, and applying
 * again does the rest. In a cluster a transaction is about one slot: there each client is a group
 * of its own. */
#include "clients/apply_write.h"
#include "clients/apply_edit.h"
#include "mintd/say.h"
#include <stdlib.h>

#define GROUP_MAX (REDIS_BATCH_MAX - 3) /* beside MULTI, SADD and EXEC */
#define ATTEMPTS 50u                    /* somebody else was quicker each time */

struct writing {
    struct redis *redis;
    struct crypto *crypto;
    struct redis_batch *reads, *writes;
    struct apply_entry **entries; /* those that differ */
    size_t count;
    struct slice
        made[2 + GROUP_MAX]; /* SADD, its key, the ids of those of the group that are new */
    size_t made_count;
};

static enum status say_too_much(const struct apply_entry *entry) {
    say("%.*s: too much for one client", (int)entry->id.size, entry->id.data);
    return STATUS_REFUSED;
}

static enum status say_too_late(void) {
    say("somebody else changes the clients all the time: try again");
    return STATUS_REFUSED;
}

/* ---- one client of a group ---- */

/* What is left of a client that was removed, a hash without a secret, makes room for the new one.
 */
static void write_new(struct writing *w, struct slice key, struct slice id,
                      const struct client_commands *changes) {
    const struct slice clear[] = {S("DEL"), key};
    struct redis_command commands[CLIENT_COMMANDS_MAX + 1] = {{clear, 2}};
    memcpy(commands + 1, changes->list, changes->count * sizeof commands[0]);
    redis_batch_add(w->writes, key, commands, changes->count + 1);
    w->made[w->made_count++] = id;
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
    if (redis_was_stopped(w->redis)) {
        say("it was ended early");
        return STATUS_REFUSED;
    }
    if (record->is_known) {
        apply_edit(entry, record, &edit);
    } else if (!apply_edit_new(w->crypto, entry, &edit)) {
        return STATUS_REFUSED;
    }
    if (edit.text.overflow) {
        return say_too_much(entry);
    }
    client_commands_init(&commands, key, &edit);
    if (!record->is_known) {
        write_new(w, key, entry->id, &commands);
    } else if (commands.count != 0) {
        redis_batch_add(w->writes, key, commands.list, commands.count);
    }
    return STATUS_DONE;
}

/* ---- a group ---- */

static void write_word(struct writing *w, struct slice word) {
    redis_batch_add_at(w->writes, 0, &(struct redis_command){&word, 1}, 1);
}

static void list_new(struct writing *w) {
    if (w->made_count > 2) {
        redis_batch_add(w->writes, w->made[1], &(struct redis_command){w->made, w->made_count}, 1);
    }
}

static enum status read_group(struct writing *w, size_t first, size_t count) {
    redis_batch_start(w->reads);
    for (size_t i = first; i < first + count; i++) {
        client_record_ask(w->redis, w->reads, w->entries[i]->id, true);
    }
    enum status status = redis_batch_wait(w->reads);
    return status == STATUS_DONE ? redis_batch_check_watched(w->reads) : status;
}

static enum status write_records(struct writing *w, size_t first, size_t count) {
    char storage[REDIS_KEY_MAX];
    enum status status = STATUS_DONE;
    w->made[0] = S("SADD");
    w->made[1] = redis_key(w->redis, OAUTH_KEY_CLIENTS, S(""), storage);
    w->made_count = 2;
    for (size_t i = 0; i < count && status == STATUS_DONE; i++) {
        struct client_record record;
        status = client_record_of(w->redis, redis_batch_take(w->reads, i), &record);
        if (status == STATUS_DONE) {
            status = write_one(w, w->entries[first + i], &record);
            client_record_fini(&record);
        }
    }
    list_new(w);
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
            status = say_too_late();
        } else {
            size = count > 1 ? count / 2 : 1;
        }
    }
    return status;
}

/* ---- one at a time ---- */

static enum status decide(void *context, const struct client_record *record,
                          struct client_edit *edit) {
    apply_edit(context, record, edit);
    return STATUS_DONE;
}

static enum status make(struct writing *w, struct apply_entry *entry, bool *done) {
    struct client_edit edit;
    client_edit_init(&edit);
    if (!apply_edit_new(w->crypto, entry, &edit)) {
        return STATUS_REFUSED;
    }
    return edit.text.overflow ? say_too_much(entry) : client_make(w->redis, entry->id, &edit, done);
}

/* By what it was when it was compared, and the other way round where somebody else has made or
 * removed it since. */
static enum status write_alone(struct writing *w, struct apply_entry *entry) {
    const struct client_change change = {decide, entry};
    bool is_new = entry->is_new, done = false;
    enum status status = STATUS_DONE;
    for (unsigned i = 0; i < ATTEMPTS && !done && status == STATUS_DONE; i++) {
        status = is_new ? make(w, entry, &done)
                        : client_change_known(w->redis, entry->id, &change, &done);
        is_new = !is_new;
    }
    return done || status != STATUS_DONE ? status : say_too_late();
}

static enum status write_each(struct writing *w) {
    enum status status = STATUS_DONE;
    for (size_t i = 0; i < w->count && status == STATUS_DONE; i++) {
        status = write_alone(w, w->entries[i]);
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
    enum status status = STATUS_REFUSED;
    if (open_writing(&w, file)) {
        status = redis_is_cluster(redis) ? write_each(&w) : write_all(&w);
    }
    free(w.entries);
    redis_batch_free(w.writes);
    redis_batch_free(w.reads);
    crypto_free(w.crypto);
    return status;
}
