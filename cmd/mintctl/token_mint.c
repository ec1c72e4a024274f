/* token_mint.c: mintctl token mint: a token as POST /auth would give it, without the secret. */
#include "mintd/clock.h"
#include "mintd/quantity.h"
#include "oauth/oauth_internal.h"
#include "output.h"
#include "settings.h"
#include "token_record.h"

#define TTL_DEFAULT_S 3600u /* what mintd --token-ttl is by default */
#define RECORD_MAX (OAUTH_CLIENT_ID_MAX + OAUTH_SCOPE_MAX + OAUTH_AUDIENCE_MAX + 512u)
#define RESOURCES_MAX (OAUTH_AUDIENCE_MAX + 64u)

struct minting {
    struct slice id, scope;
    struct buffer resources; /* separated by newlines */
    struct slice audience;   /* where there is one alone: it need not be a URI */
    unsigned ttl_s;          /* 0: not asked for */
    unsigned granted_ttl_s;
    bool as_json;
    uint64_t global_generation;
    struct client_record client;
    struct buffer granted_scope, granted_audience;
    char resources_storage[RESOURCES_MAX];
    char scope_storage[OAUTH_SCOPE_MAX], audience_storage[OAUTH_AUDIENCE_MAX];
};

/* ---- what is asked for ---- */

static enum status read_audiences(const struct arguments *arguments, struct minting *m) {
    unsigned place = 0, count = 0;
    const char *value;
    m->resources = buffer_of(m->resources_storage, sizeof m->resources_storage);
    while ((value = arguments_next(arguments, "--audience", &place)) != NULL) {
        if (count++ != 0) {
            buffer_append_char(&m->resources, '\n');
        }
        buffer_append(&m->resources, slice_of_string(value));
        m->audience = slice_of_string(value);
    }
    if (m->resources.overflow) {
        say("--audience: 1024 bytes at most together");
        return STATUS_USAGE;
    }
    if (count == 1) {
        m->resources.size = 0;
    } else {
        m->audience = SLICE_ABSENT;
    }
    return STATUS_DONE;
}

static enum status read_request(const struct arguments *arguments, struct minting *m) {
    const char *ttl = arguments_value(arguments, "--ttl");
    unsigned long long seconds = 0;
    if (!client_id_read(arguments->operands[0], &m->id)) {
        return STATUS_USAGE;
    }
    if (ttl != NULL &&
        (!quantity_seconds(slice_of_string(ttl), OAUTH_TTL_MAX, &seconds) || seconds == 0)) {
        say("--ttl: it is a time from 1 to %u s: 90, 90s, 10m, 24h or 7d", OAUTH_TTL_MAX);
        return STATUS_USAGE;
    }
    m->ttl_s = (unsigned)seconds;
    m->scope = slice_of_string(arguments_value(arguments, "--scope"));
    return read_audiences(arguments, m);
}

/* ---- what is granted ---- */

static enum status refuse(const struct minting *m, const char *why) {
    say("%.*s: %s", (int)m->id.size, m->id.data, why);
    return STATUS_REFUSED;
}

static enum status judge(struct minting *m) {
    const struct oauth_client *client = &m->client.client;
    if (!m->client.is_known) {
        return client_unknown(m->id);
    }
    if (!m->client.is_readable) {
        return refuse(m,
                      "its record in Redis makes no sense to mintd: mintctl client show tells its "
                      "fields");
    }
    if (client->disabled) {
        return refuse(m, "it is disabled: mintctl client enable lets it in again");
    }
    if (!client->may_mint) {
        return refuse(m, "its grants do not have client_credentials");
    }
    enum oauth_refusal refusal = oauth_scope_grant(client, m->scope, &m->granted_scope);
    if (refusal == OAUTH_REFUSED_NONE) {
        refusal = oauth_audience_grant(client, SLICE_ABSENT, buffer_slice(&m->resources),
                                       m->audience, &m->granted_audience);
    }
    return refusal == OAUTH_REFUSED_NONE ? STATUS_DONE
                                         : refuse(m, oauth_refusal_description(refusal));
}

static unsigned granted_ttl(const struct minting *m) {
    const struct oauth_client *client = &m->client.client;
    unsigned usual = client->ttl_s != 0 ? client->ttl_s : TTL_DEFAULT_S;
    unsigned most = client->max_ttl_s != 0 ? client->max_ttl_s : usual;
    unsigned wanted = m->ttl_s != 0 ? m->ttl_s : usual;
    return wanted < most ? wanted : most;
}

static void write_record(const struct minting *m, unsigned ttl_s, struct buffer *json) {
    uint64_t expires_at = (clock_shared_ms() + 999) / 1000 + ttl_s;
    token_record_write(
        &(struct token_record){
            .client_id = m->id,
            .scope = buffer_slice(&m->granted_scope),
            .audience = buffer_slice(&m->granted_audience),
            .issued_at = expires_at - ttl_s,
            .expires_at = expires_at,
            .generation = m->client.client.generation,
            .global_generation = m->global_generation,
        },
        json);
}

/* ---- Redis ---- */

static bool make_token(struct oauth_token *token) {
    struct crypto *crypto = crypto_new();
    bool made = crypto != NULL && token_text_make(crypto, S("mtd_"), token->text) &&
                token_id_of(crypto, slice_of(token->text, OAUTH_TOKEN_SIZE), token->jti);
    crypto_free(crypto);
    if (!made) {
        say("no token can be made: the random generator fails");
    }
    return made;
}

static enum status store(struct redis *redis, const struct oauth_token *token, unsigned ttl_s,
                         struct slice json) {
    char storage[REDIS_KEY_MAX], ttl[16];
    snprintf(ttl, sizeof ttl, "%u", ttl_s);
    const struct slice arguments[] = {
        S("SETEX"), redis_key(redis, "token:", slice_of(token->jti, OAUTH_JTI_SIZE), storage),
        slice_of_string(ttl), json};
    struct value *reply = redis_ask(redis, arguments, 4);
    enum status status = reply == NULL ? STATUS_REDIS : STATUS_DONE;
    value_free(reply);
    return status;
}

static enum status mint(struct redis *redis, struct minting *m, struct oauth_token *token) {
    char storage[RECORD_MAX];
    struct buffer json = buffer_of(storage, sizeof storage);
    unsigned ttl_s = m->granted_ttl_s = granted_ttl(m);
    if (!make_token(token)) {
        return STATUS_REFUSED;
    }
    write_record(m, ttl_s, &json);
    if (json.overflow) {
        return refuse(m, "the scope has too many characters that JSON escapes");
    }
    enum status status = store(redis, token, ttl_s, buffer_slice(&json));
    if (status == STATUS_DONE && m->ttl_s > ttl_s) {
        say("--ttl: cut to %u s, the most this client may have", ttl_s);
    }
    return status;
}

/* The global generation first: where the client changes and then the generation, before the token
 * is stored, the token is of the old one, and dead. */
static enum status read_terms(struct redis *redis, struct minting *m) {
    bool is_readable;
    enum status status = generation_read(redis, &is_readable, &m->global_generation);
    if (status == STATUS_DONE && !is_readable) {
        return generation_say_flaw(redis);
    }
    return status == STATUS_DONE ? client_record_read(redis, m->id, &m->client) : status;
}

/* Neither an id nor a token has a character that JSON escapes. */
static bool print_token(const struct minting *m, const struct oauth_token *token) {
    char storage[6 * OAUTH_SCOPE_MAX + OAUTH_CLIENT_ID_MAX + 256], ttl[32];
    struct buffer out = buffer_of(storage, sizeof storage);
    if (!m->as_json) {
        return print_secret(slice_of(token->text, OAUTH_TOKEN_SIZE));
    }
    snprintf(ttl, sizeof ttl, ",\"ttl\":%u,", m->granted_ttl_s);
    buffer_append(&out, S("{\"client\":\""));
    buffer_append(&out, m->id);
    buffer_append(&out, S("\",\"scope\":"));
    buffer_append_json(&out, buffer_slice(&m->granted_scope));
    buffer_append(&out, slice_of_string(ttl));
    buffer_append(&out, S("\"token\":\""));
    buffer_append(&out, slice_of(token->text, OAUTH_TOKEN_SIZE));
    buffer_append(&out, S("\"}"));
    bool printed = print_secret(buffer_slice(&out));
    crypto_wipe(storage, sizeof storage);
    return printed;
}

static enum status grant(struct redis *redis, struct minting *m) {
    struct oauth_token token;
    enum status status = read_terms(redis, m);
    if (status != STATUS_DONE) {
        return status;
    }
    m->granted_scope = buffer_of(m->scope_storage, sizeof m->scope_storage);
    m->granted_audience = buffer_of(m->audience_storage, sizeof m->audience_storage);
    status = judge(m);
    if (status == STATUS_DONE) {
        status = mint(redis, m, &token);
    }
    if (status == STATUS_DONE && !print_token(m, &token)) {
        say("the token could not be printed");
        status = STATUS_REFUSED;
    }
    crypto_wipe(&token, sizeof token);
    client_record_fini(&m->client);
    return status;
}

enum status token_mint(const struct arguments *arguments) {
    struct minting minting = {.audience = SLICE_ABSENT,
                              .as_json = arguments_has(arguments, "--json")};
    struct redis *redis = NULL;
    enum status status = read_request(arguments, &minting);
    if (status == STATUS_DONE) {
        status = open_redis(arguments, REDIS_OUR_LAYOUT, &redis);
    }
    if (status == STATUS_DONE) {
        status = grant(redis, &minting);
    }
    redis_close(redis);
    return status;
}
