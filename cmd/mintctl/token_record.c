#include "token_record.h"
#include "clients/flaw.h"
#include "input.h"
#include "mintd/encoding.h"
#include "oauth/oauth_internal.h"
#include "output.h"

#define OPERAND_MAX 256u

/* ---- the operand ---- */

void token_warn_of_command_line(const char *what) {
    say("warning: %s on the command line can be read by every user of this machine: give - and "
        "put it on standard input",
        what);
}

static bool is_jti(struct slice text) {
    uint8_t bytes[OAUTH_JTI_SIZE / 2];
    return text.size == OAUTH_JTI_SIZE && hex_decode(text, bytes, sizeof bytes);
}

static void copy_jti(struct slice text, char jti[OAUTH_JTI_SIZE]) {
    for (size_t i = 0; i < OAUTH_JTI_SIZE; i++) {
        char c = text.data[i];
        jti[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    }
}

static enum status jti_of_token(struct slice token, char jti[OAUTH_JTI_SIZE]) {
    struct crypto *crypto = crypto_new();
    bool done = crypto != NULL && token_id_of(crypto, token, jti);
    crypto_free(crypto);
    if (!done) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    return STATUS_DONE;
}

static enum status judge(struct slice text, bool takes_jti, char jti[OAUTH_JTI_SIZE]) {
    if (takes_jti && is_jti(text)) {
        copy_jti(text, jti);
        return STATUS_DONE;
    }
    if (token_text_is_valid(S("mtd_"), text)) {
        return jti_of_token(text, jti);
    }
    say(takes_jti ? "this is neither a token nor a jti (32 hex digits): mintctl explain tells why"
                  : "this is no token of mintd's: mintctl explain tells why");
    return STATUS_USAGE;
}

enum status token_operand_read(char *text, bool takes_jti, char jti[OAUTH_JTI_SIZE]) {
    char storage[OPERAND_MAX];
    size_t size;
    bool on_command_line = strncmp(text, "mtd_", 4) == 0;
    if (!input_read_operand(text, "token", storage, sizeof storage, &size)) {
        return STATUS_USAGE;
    }
    if (on_command_line) {
        token_warn_of_command_line("a token");
    }
    enum status status = judge(slice_of(storage, size), takes_jti, jti);
    crypto_wipe(storage, sizeof storage);
    return status;
}

/* ---- in Redis ---- */

/* An error of the key's making is a reply too. NULL: none came, or it is another error, said. */
static struct value *get(struct redis *redis, struct slice key) {
    const struct slice arguments[] = {S("GET"), key};
    struct value *reply = redis_try(redis, arguments, 2);
    if (value_is(reply, REDIS_VALUE_ERROR) && !flaw_is_meant(reply->text)) {
        redis_say_refusal(redis, reply, STORE_TROUBLE_NONE, key);
        value_free(reply);
        return NULL;
    }
    return reply;
}

void token_say_flaw(struct redis *redis, const char jti[OAUTH_JTI_SIZE]) {
    char storage[REDIS_KEY_MAX];
    flaw_say(redis, redis_key(redis, "token:", slice_of(jti, OAUTH_JTI_SIZE), storage));
}

enum status token_view_read(struct redis *redis, const char jti[OAUTH_JTI_SIZE],
                            struct token_view *view) {
    char storage[REDIS_KEY_MAX];
    struct buffer text = buffer_of(view->text, sizeof view->text);
    struct value *reply =
        get(redis, redis_key(redis, "token:", slice_of(jti, OAUTH_JTI_SIZE), storage));
    if (reply == NULL) {
        return STATUS_REDIS;
    }
    view->is_there = reply->kind != REDIS_VALUE_NIL;
    view->is_readable = reply->kind == REDIS_VALUE_TEXT &&
                        token_record_read(reply->text, &view->record, &text) &&
                        oauth_client_id_is_valid(view->record.client_id);
    value_free(reply);
    return STATUS_DONE;
}

bool generation_of(const struct value *reply, uint64_t *generation) {
    struct store_operation answer = {.answer = STORE_ABSENT, .value = reply->text};
    if (reply->kind == REDIS_VALUE_TEXT) {
        answer.answer = STORE_FOUND;
    }
    return (reply->kind == REDIS_VALUE_TEXT || reply->kind == REDIS_VALUE_NIL) &&
           oauth_generation_read(&answer, generation);
}

enum status generation_read(struct redis *redis, bool *is_readable, uint64_t *generation) {
    char storage[REDIS_KEY_MAX];
    struct value *reply = get(redis, redis_key(redis, OAUTH_KEY_GENERATION, S(""), storage));
    if (reply == NULL) {
        return STATUS_REDIS;
    }
    *is_readable = generation_of(reply, generation);
    value_free(reply);
    return STATUS_DONE;
}

enum status generation_say_flaw(struct redis *redis) {
    char storage[REDIS_KEY_MAX];
    flaw_say(redis, redis_key(redis, OAUTH_KEY_GENERATION, S(""), storage));
    return STATUS_REDIS;
}
