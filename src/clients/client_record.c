#include "clients/client_record.h"
#include "mintd/say.h"
#include "oauth/oauth_internal.h"
#include <stdio.h>

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

enum status client_no_hash(const struct redis *redis, struct slice id) {
    char storage[REDIS_KEY_MAX];
    struct slice key = redis_key(redis, "client:", id, storage);
    say("%.*s: unreadable: the key %.*s holds no hash; mintctl client remove takes it away",
        (int)id.size, id.data, (int)key.size, key.data);
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
    record->is_readable = !record->is_no_hash && reply->count <= 2 * (size_t)STORE_FIELDS_MAX &&
                          oauth_client_read(&answer, &record->client);
    record->standing_is_readable = !record->is_no_hash &&
                                   reply->count <= 2 * (size_t)STORE_FIELDS_MAX &&
                                   oauth_client_read_standing(&answer, &record->standing);
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        record->is_known |= !slice_is_absent(client_secret_field(record, n, ""));
    }
}

enum status client_record_of(struct redis *redis, struct value *reply,
                             struct client_record *record) {
    *record = (struct client_record){.reply = reply};
    bool is_error = reply->kind == REDIS_VALUE_ERROR;
    record->is_no_hash = is_error && slice_starts_with(reply->text, S("WRONGTYPE"));
    if (record->is_no_hash || reply->kind == REDIS_VALUE_LIST) {
        parse(record);
        return STATUS_DONE;
    }
    if (is_error) {
        redis_say_refusal(redis, reply, STORE_TROUBLE_NONE, SLICE_ABSENT);
    } else {
        redis_complain("a reply is none to its command");
    }
    client_record_fini(record);
    return STATUS_REDIS;
}

bool client_record_of_fields(const struct store_field *fields, size_t count,
                             struct client_record *record) {
    *record = (struct client_record){.reply = value_of_fields(fields, count)};
    if (record->reply == NULL) {
        return false;
    }
    parse(record);
    return true;
}

enum status client_record_look(struct redis *redis, struct slice id, struct client_record *record) {
    char storage[REDIS_KEY_MAX];
    const struct slice arguments[] = {S("HGETALL"), redis_key(redis, "client:", id, storage)};
    struct value *reply = redis_try(redis, arguments, 2);
    return reply == NULL ? STATUS_REDIS : client_record_of(redis, reply, record);
}

enum status client_record_read(struct redis *redis, struct slice id, struct client_record *record) {
    enum status status = client_record_look(redis, id, record);
    if (status == STATUS_DONE && record->is_no_hash) {
        client_record_fini(record);
        status = client_no_hash(redis, id);
    }
    return status;
}

void client_record_ask(struct redis *redis, struct redis_batch *batch, struct slice id,
                       bool watches) {
    char storage[REDIS_KEY_MAX];
    struct slice key = redis_key(redis, "client:", id, storage);
    const struct slice watch[] = {S("WATCH"), key}, read[] = {S("HGETALL"), key};
    const struct redis_command commands[] = {{watch, 2}, {read, 2}};
    redis_batch_add(batch, key, watches ? commands : commands + 1, watches ? 2 : 1);
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
