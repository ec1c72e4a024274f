/* explain_token.c: a token's way through mintd: form, record, client, generations. */
#include "explain.h"
#include "mintd/clock.h"
#include "mintd/encoding.h"
#include "oauth/oauth_internal.h"
#include "output.h"
#include "token_record.h"

#define REFUSED(reason) OAUTH_REFUSED_##reason

/* ---- the form; no Redis ---- */

static const char *guess(struct slice token) {
    if (slice_starts_with(token, S("mts_"))) {
        return "it begins with mts_: this is the secret of a client, not a token";
    }
    if (slice_starts_with(token, S("eyJ"))) {
        return "it begins with eyJ: this is a JWT of some other service";
    }
    return "it does not begin with mtd_: not a token of mintd's";
}

static enum status check_form(struct explanation *e, struct slice token) {
    struct steps *steps = &e->steps;
    if (!slice_starts_with(token, S("mtd_"))) {
        return step_refused(steps, REFUSED(TOKEN_MALFORMED), "prefix", "%s", guess(token));
    }
    step_good(steps, "prefix", "mtd_");
    if (token.size != OAUTH_TOKEN_SIZE) {
        return step_refused(steps, REFUSED(TOKEN_MALFORMED), "form",
                            "it has %zu characters, a token has %u: it was cut, or more was "
                            "copied than the token",
                            token.size, OAUTH_TOKEN_SIZE);
    }
    for (size_t i = 4; i < token.size; i++) {
        if (!base62_is_text(slice_of(token.data + i, 1))) {
            return step_refused(steps, REFUSED(TOKEN_MALFORMED), "form",
                                "character %zu is none of 0-9 A-Z a-z", i + 1);
        }
    }
    step_good(steps, "form", "%u characters", OAUTH_TOKEN_SIZE);
    if (!token_text_is_valid(S("mtd_"), token)) {
        return step_refused(steps, REFUSED(TOKEN_MALFORMED), "checksum",
                            "it does not fit the rest: a character was changed, or it was made up");
    }
    step_good(steps, "checksum", "fits");
    return STATUS_DONE;
}

/* ---- the record ---- */

static enum status check_record(struct explanation *e, const char jti[OAUTH_JTI_SIZE],
                                struct token_view *view) {
    struct steps *steps = &e->steps;
    char scope[1100], time[TIME_TEXT], key[REDIS_KEY_MAX];
    enum status status = token_view_read(e->redis, jti, view);
    if (status != STATUS_DONE) {
        return status;
    }
    if (!view->is_there) {
        return step_refused(steps, REFUSED(TOKEN_UNKNOWN), "record",
                            "there is none: never minted in this Redis under this prefix, expired, "
                            "or revoked");
    }
    if (!view->is_readable) {
        return explain_flaw(e, "record",
                            redis_key(e->redis, "token:", slice_of(jti, OAUTH_JTI_SIZE), key));
    }
    const struct token_record *record = &view->record;
    step_good(steps, "record", "of client %.*s, scope \"%s\", issued %s",
              (int)record->client_id.size, record->client_id.data,
              visible(record->scope, scope, sizeof scope), time_text(record->issued_at, time));
    return STATUS_DONE;
}

static enum status check_expiry(struct explanation *e, const struct token_record *record) {
    char time[TIME_TEXT], span[TIME_TEXT];
    uint64_t now_ms = clock_shared_ms(), expires_ms = record->expires_at * 1000;
    time_text(record->expires_at, time);
    if (expires_ms <= now_ms) {
        return step_refused(&e->steps, REFUSED(TOKEN_EXPIRED), "expiry", "it expired at %s, %s ago",
                            time, span_text((now_ms - expires_ms) / 1000, span));
    }
    step_good(&e->steps, "expiry", "at %s, in %s", time,
              span_text((expires_ms - now_ms) / 1000, span));
    return STATUS_DONE;
}

/* ---- the client and the generations ---- */

static enum status judge_client(struct explanation *e, const struct token_record *token,
                                const struct client_record *record) {
    struct steps *steps = &e->steps;
    char key[REDIS_KEY_MAX];
    int size = (int)token->client_id.size;
    const char *id = token->client_id.data;
    const struct oauth_client_standing *client = &record->standing;
    if (!record->standing_is_readable) {
        return explain_flaw(e, "client", redis_key(e->redis, "client:", token->client_id, key));
    }
    if (!client->is_client) {
        return step_refused(steps, REFUSED(TOKEN_WITHOUT_CLIENT), "client",
                            "%.*s is not there any more", size, id);
    }
    step_good(steps, "client", "%.*s is there", size, id);
    if (client->is_disabled) {
        return step_refused(steps, REFUSED(TOKEN_OF_DISABLED_CLIENT), "disabled",
                            "the client is disabled: mintctl client enable lets it in again");
    }
    step_good(steps, "disabled", "no");
    if (client->generation != token->generation) {
        return step_refused(steps, REFUSED(TOKEN_OF_OLD_GENERATION), "generation",
                            "the token is of generation %llu, the client of %llu: all its tokens "
                            "were revoked after this one was minted, or it was made anew",
                            (unsigned long long)token->generation,
                            (unsigned long long)client->generation);
    }
    step_good(steps, "generation", "%llu, the client's", (unsigned long long)token->generation);
    return STATUS_DONE;
}

static enum status check_client(struct explanation *e, const struct token_record *token) {
    struct client_record record;
    enum status status = client_record_look(e->redis, token->client_id, &record);
    if (status == STATUS_DONE) {
        status = judge_client(e, token, &record);
        client_record_fini(&record);
    }
    return status;
}

static enum status check_generation(struct explanation *e, const struct token_record *token) {
    char key[REDIS_KEY_MAX];
    uint64_t generation;
    bool is_readable;
    enum status status = generation_read(e->redis, &is_readable, &generation);
    if (status != STATUS_DONE) {
        return status;
    }
    if (!is_readable) {
        return explain_flaw(e, "everybody", redis_key(e->redis, OAUTH_KEY_GENERATION, S(""), key));
    }
    if (generation != token->global_generation) {
        return step_refused(&e->steps, REFUSED(TOKEN_OF_OLD_GENERATION), "everybody",
                            "the token is of the global generation %llu, now it is %llu: the "
                            "tokens of everybody were revoked after this one was minted",
                            (unsigned long long)token->global_generation,
                            (unsigned long long)generation);
    }
    step_good(&e->steps, "everybody", "%llu, the global generation",
              (unsigned long long)generation);
    return STATUS_DONE;
}

/* ---- all of it ---- */

static enum status find_key(struct explanation *e, struct slice token, char jti[OAUTH_JTI_SIZE]) {
    char storage[REDIS_KEY_MAX];
    struct crypto *crypto = crypto_new();
    bool done = crypto != NULL && token_id_of(crypto, token, jti);
    crypto_free(crypto);
    if (!done) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    struct slice key = redis_key(e->redis, "token:", slice_of(jti, OAUTH_JTI_SIZE), storage);
    step_good(&e->steps, "key", "%.*s", (int)key.size, key.data);
    return STATUS_DONE;
}

enum status explain_token(struct explanation *e, struct slice token) {
    char jti[OAUTH_JTI_SIZE];
    struct token_view view;
    enum status status = check_form(e, token);
    if (status == STATUS_DONE) {
        status = explain_connect(e);
    }
    if (status == STATUS_DONE) {
        status = find_key(e, token, jti);
    }
    if (status == STATUS_DONE) {
        status = check_record(e, jti, &view);
    }
    if (status == STATUS_DONE) {
        status = check_expiry(e, &view.record);
    }
    if (status == STATUS_DONE) {
        status = check_client(e, &view.record);
    }
    return status == STATUS_DONE ? check_generation(e, &view.record) : status;
}
