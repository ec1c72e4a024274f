/* token.c: mintctl token show, revoke, revoke-all, key. */
#include "clients/client_change.h"
#include "input.h"
#include "mintd/clock.h"
#include "oauth/oauth_internal.h"
#include "output.h"
#include "settings.h"
#include "token_record.h"

/* ---- key ---- */

static bool print_key_json(struct slice key) {
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "key", key);
    return json_print(object);
}

enum status token_key(const struct arguments *arguments) {
    char jti[OAUTH_JTI_SIZE], storage[REDIS_KEY_MAX];
    struct buffer key = buffer_of(storage, sizeof storage);
    struct slice prefix;
    enum status status = settings_read_prefix(arguments, &prefix);
    if (status == STATUS_DONE) {
        status = token_operand_read(arguments->operands[0], false, jti);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    buffer_append(&key, prefix);
    buffer_append(&key, S("token:"));
    buffer_append(&key, slice_of(jti, sizeof jti));
    if (arguments_has(arguments, "--json")) {
        return print_key_json(buffer_slice(&key)) ? STATUS_DONE : STATUS_REFUSED;
    }
    printf("%.*s\n", (int)key.size, key.data);
    return STATUS_DONE;
}

/* ---- show ---- */

static enum status token_unknown(void) {
    say("there is no such token: it was never minted here, has expired or was revoked");
    return STATUS_REFUSED;
}

static cJSON *token_json(const char jti[OAUTH_JTI_SIZE], const struct token_record *record) {
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "jti", slice_of(jti, OAUTH_JTI_SIZE));
    json_add_text(object, "client", record->client_id);
    json_add_text(object, "scope", record->scope);
    json_add_words(object, "audience", record->audience);
    json_add_number(object, "issued", record->issued_at);
    json_add_number(object, "expires", record->expires_at);
    json_add_number(object, "generation", record->generation);
    json_add_number(object, "global_generation", record->global_generation);
    return object;
}

static void print_list(const char *word, struct slice list) {
    char text[2048];
    printf("%-12s %s\n", word, list.size == 0 ? "-" : visible(list, text, sizeof text));
}

static void print_token(const char jti[OAUTH_JTI_SIZE], const struct token_record *record) {
    char time[TIME_TEXT], span[TIME_TEXT];
    uint64_t now = clock_shared_ms() / 1000;
    printf("%-12s %.*s\n", "jti", (int)OAUTH_JTI_SIZE, jti);
    print_list("client", record->client_id);
    print_list("scope", record->scope);
    print_list("audience", record->audience);
    printf("%-12s %s\n", "issued", time_text(record->issued_at, time));
    printf("%-12s %s (%s)\n", "expires", time_text(record->expires_at, time),
           record->expires_at > now ? span_text(record->expires_at - now, span) : "over");
    printf("%-12s %llu, global %llu\n", "generation", (unsigned long long)record->generation,
           (unsigned long long)record->global_generation);
}

static enum status show(const struct arguments *arguments, struct redis *redis,
                        const char jti[OAUTH_JTI_SIZE]) {
    struct token_view view;
    enum status status = token_view_read(redis, jti, &view);
    if (status != STATUS_DONE) {
        return status;
    }
    if (!view.is_there) {
        return token_unknown();
    }
    if (!view.is_readable) {
        token_say_flaw(redis, jti);
        return STATUS_REFUSED;
    }
    if (arguments_has(arguments, "--json")) {
        return json_print(token_json(jti, &view.record)) ? STATUS_DONE : STATUS_REFUSED;
    }
    print_token(jti, &view.record);
    return STATUS_DONE;
}

enum status token_show(const struct arguments *arguments) {
    char jti[OAUTH_JTI_SIZE];
    struct redis *redis = NULL;
    enum status status = token_operand_read(arguments->operands[0], true, jti);
    if (status == STATUS_DONE) {
        status = open_redis(arguments, REDIS_REPLICA_TOO, &redis);
    }
    if (status == STATUS_DONE) {
        status = show(arguments, redis, jti);
    }
    redis_close(redis);
    return status;
}

/* ---- revoke ---- */

static enum status revoke(struct redis *redis, const char jti[OAUTH_JTI_SIZE], bool as_json) {
    char storage[REDIS_KEY_MAX];
    int64_t deleted;
    const struct slice arguments[] = {
        S("DEL"), redis_key(redis, "token:", slice_of(jti, OAUTH_JTI_SIZE), storage)};
    if (!redis_ask_number(redis, arguments, 2, &deleted)) {
        return STATUS_REDIS;
    }
    if (deleted == 0) {
        return token_unknown();
    }
    print_result(as_json, slice_of(jti, OAUTH_JTI_SIZE), "revoked", "revoked");
    redis_settle(redis, arguments + 1, 1);
    return STATUS_DONE;
}

enum status token_revoke(const struct arguments *arguments) {
    char jti[OAUTH_JTI_SIZE];
    struct redis *redis = NULL;
    enum status status = token_operand_read(arguments->operands[0], true, jti);
    if (status == STATUS_DONE) {
        status = open_redis(arguments, REDIS_OUR_LAYOUT, &redis);
    }
    if (status == STATUS_DONE) {
        status = revoke(redis, jti, arguments_has(arguments, "--json"));
    }
    redis_close(redis);
    return status;
}

/* ---- revoke-all ---- */

static const char all_refused[] = "every token minted so far is refused from now on";

static enum status next_generation(void *context, const struct client_record *record,
                                   struct client_edit *edit) {
    (void)context;
    (void)record;
    edit->next_generation = true;
    return STATUS_DONE;
}

static enum status revoke_of_client(struct redis *redis, struct slice id, bool as_json) {
    enum status status = client_change(redis, id, &(struct client_change){next_generation, NULL});
    if (status == STATUS_DONE) {
        print_result(as_json, id, "revoked", all_refused);
        client_settle(redis, id, false);
    }
    return status;
}

static enum status revoke_of_everybody(struct redis *redis, bool as_json) {
    char storage[REDIS_KEY_MAX];
    int64_t generation;
    const struct slice arguments[] = {S("INCR"),
                                      redis_key(redis, OAUTH_KEY_GENERATION, S(""), storage)};
    if (!redis_ask_number(redis, arguments, 2, &generation)) {
        return STATUS_REDIS;
    }
    if (generation < 0 || (uint64_t)generation > OAUTH_NUMBER_MAX) {
        return generation_say_flaw(redis);
    }
    if (as_json) {
        puts("{\"everybody\":true,\"result\":\"revoked\"}");
    } else {
        printf("everybody: %s\n", all_refused);
    }
    redis_settle(redis, arguments + 1, 1);
    return STATUS_DONE;
}

static enum status confirm(const struct arguments *arguments) {
    switch (input_confirm(arguments_has(arguments, "--yes"),
                          "Refuse every token of every client from now on?")) {
    case INPUT_YES:
        return STATUS_DONE;
    case INPUT_NO:
        say("everybody: nothing was revoked");
        return STATUS_REFUSED;
    case INPUT_NOBODY:
        break;
    }
    return STATUS_USAGE;
}

enum status token_revoke_all(const struct arguments *arguments) {
    bool everybody = arguments_has(arguments, "--everybody");
    bool as_json = arguments_has(arguments, "--json");
    struct redis *redis = NULL;
    struct slice id = SLICE_ABSENT;
    if (everybody == (arguments->operand_count == 1)) {
        say("token revoke-all: it is either the ID of a client or --everybody");
        return STATUS_USAGE;
    }
    if (!everybody && !client_id_read(arguments->operands[0], &id)) {
        return STATUS_USAGE;
    }
    enum status status = open_redis(arguments, REDIS_OUR_LAYOUT, &redis);
    if (status == STATUS_DONE && everybody) {
        status = confirm(arguments);
    }
    if (status == STATUS_DONE) {
        status =
            everybody ? revoke_of_everybody(redis, as_json) : revoke_of_client(redis, id, as_json);
    }
    redis_close(redis);
    return status;
}
