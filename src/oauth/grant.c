/* grant.c: the client credentials grant (RFC 6749 4.4): one token, acknowledged by the store
 * before anybody sees it.
 *
 * Happy path: read the global generation and the client, check the secret, decide, SETEX. The
 * generation is read ahead of the client: where the client changes and then the generation, while
 * the secret is checked, the token is of the old generation, and dead. Both may come from memory:
 * where either has changed by the time that the token is acknowledged, all is decided again. A
 * token on other terms than would be granted now is replaced; one that would not be granted, or of
 * which nobody can tell, is not given out.
 * Failure modes: what is wrong with the request counts only once the client is known, so that a
 * stranger learns nothing; and a no that rests on memory is confirmed. */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"

#define ROUNDS_MAX 3u /* tokens made, where their terms change over and over */
#define NAMES_MAX 16u /* of a token, until one has a place */
#define RECORD_MAX (OAUTH_CLIENT_ID_MAX + OAUTH_SCOPE_MAX + OAUTH_AUDIENCE_MAX + 512)

static enum progress end(struct oauth_grant *g, enum oauth_refusal refusal) {
    g->refusal = refusal;
    g->flow.step = NULL;
    oauth_credentials_wipe(&g->authentication.credentials);
    if (refusal != OAUTH_REFUSED_NONE) {
        crypto_wipe(&g->token.text, sizeof g->token.text);
    }
    return PROGRESS_DONE;
}

static enum progress end_unknown(struct oauth_grant *g, enum store_trouble trouble) {
    g->trouble = trouble;
    return end(g, OAUTH_REFUSED_STORE_UNKNOWN);
}

static void on_answer(struct store_operation *operation) {
    struct oauth_grant *g = container_of(operation, struct oauth_grant, operation);
    flow_resume(&g->flow);
}

static enum progress end_minted(struct oauth_grant *g) {
    const struct oauth_options *options = &g->oauth->options;
    counter_add(&options->metrics->minted, 1);
    if (options->client_names != NULL) {
        struct slice id = oauth_credentials_id(&g->authentication.credentials);
        unsigned client = client_names_find(options->client_names, id);
        counter_add(&options->metrics->clients[client].minted, 1);
    }
    return end(g, OAUTH_REFUSED_NONE);
}

static enum progress authenticate(struct flow *flow);

static enum progress take_acknowledgement(struct flow *flow) {
    struct oauth_grant *g = container_of(flow, struct oauth_grant, flow);
    if (g->operation.answer != STORE_FOUND) {
        return end_unknown(g, g->operation.trouble);
    }
    if (g->operation.holds) {
        return end_minted(g);
    }
    flow->step = authenticate;
    return PROGRESS_DONE;
}

static unsigned granted_ttl(const struct oauth_grant *g, const struct oauth_client *client) {
    unsigned usual = client->ttl_s != 0 ? client->ttl_s : g->oauth->options.token_ttl_s;
    unsigned most = client->max_ttl_s != 0 ? client->max_ttl_s : usual;
    unsigned wanted = g->wanted_ttl_s != 0 ? g->wanted_ttl_s : usual;
    return wanted < most ? wanted : most;
}

/* Where a part of the store is away: one that lies in another part. */
static bool make_token(struct oauth_grant *g) {
    const struct oauth_options *options = &g->oauth->options;
    char storage[OAUTH_KEY_STORAGE];
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        if (!token_text_make(options->crypto, S("mtd_"), g->token.text) ||
            !token_id_of(options->crypto, slice_of(g->token.text, OAUTH_TOKEN_SIZE),
                         g->token.jti)) {
            return false;
        }
        if (store_has_place(options->store, oauth_token_key(g->token.jti, storage))) {
            break;
        }
    }
    return true;
}

/* The token lives until expires_at_ms at least: the record's exp is rounded up to a whole second,
 * and the store counts its TTL from a later moment than this one. */
static enum progress store_token(struct flow *flow) {
    struct oauth_grant *g = container_of(flow, struct oauth_grant, flow);
    const struct oauth_options *options = &g->oauth->options;
    const struct oauth_client *client = &g->authentication.client;
    uint64_t now_ms = options->wall_ms();
    char json_storage[RECORD_MAX], key_storage[OAUTH_KEY_STORAGE];
    char premise_storage[OAUTH_KEY_STORAGE];
    struct store_premise premises[STORE_PREMISES_MAX];
    struct buffer json = buffer_of(json_storage, sizeof json_storage);

    if (!make_token(g)) {
        return end(g, OAUTH_REFUSED_NO_RANDOMNESS);
    }
    g->ttl_s = granted_ttl(g, client);
    g->expires_at_ms = now_ms + (uint64_t)g->ttl_s * 1000;
    uint64_t expires_at = (g->expires_at_ms + 999) / 1000;
    token_record_write(
        &(struct token_record){
            .client_id = oauth_credentials_id(&g->authentication.credentials),
            .scope = buffer_slice(&g->granted_scope),
            .audience = buffer_slice(&g->granted_audience),
            .issued_at = expires_at - g->ttl_s,
            .expires_at = expires_at,
            .generation = client->generation,
            .global_generation = g->global_generation,
        },
        &json);
    if (json.overflow) { /* a scope of many characters that JSON escapes */
        return end(g, OAUTH_REFUSED_SCOPE_NOT_ALLOWED);
    }
    g->token_generation = client->generation;
    g->token_global_generation = g->global_generation;
    g->rounds++;
    flow->step = take_acknowledgement;
    unsigned count = oauth_authentication_premises(&g->authentication, premise_storage, premises);
    return store_set_on_premises(options->store, oauth_token_key(g->token.jti, key_storage),
                                 buffer_slice(&json), g->ttl_s, premises, count, &g->operation);
}

/* Whether the token that is stored is what would be granted now. */
static bool is_as_granted(const struct oauth_grant *g) {
    const struct oauth_client *client = &g->authentication.client;
    return g->rounds != 0 && g->grants_the_same && client->generation == g->token_generation &&
           g->global_generation == g->token_global_generation && granted_ttl(g, client) == g->ttl_s;
}

static enum progress take_generation(struct oauth_grant *g) {
    const struct oauth_side_read *read = &g->authentication.generation;
    if (read->operation.answer == STORE_UNKNOWN) {
        return end_unknown(g, read->operation.trouble);
    }
    if (!read->is_readable) {
        return end(g, OAUTH_REFUSED_RECORD_UNREADABLE);
    }
    g->global_generation = g->authentication.global_generation;
    if (is_as_granted(g)) {
        return end_minted(g);
    }
    if (g->rounds == ROUNDS_MAX) {
        return end(g, OAUTH_REFUSED_BUSY);
    }
    g->flow.step = store_token;
    return PROGRESS_DONE;
}

static enum oauth_refusal judge_grant_type(const struct oauth_grant *g) {
    if (g->grant_type.size == 0) {
        return OAUTH_REFUSED_NO_GRANT_TYPE;
    }
    if (!slice_equal(g->grant_type, S("client_credentials"))) {
        return OAUTH_REFUSED_GRANT_UNSUPPORTED;
    }
    return g->authentication.client.may_mint ? OAUTH_REFUSED_NONE : OAUTH_REFUSED_GRANT_NOT_ALLOWED;
}

static bool is_all_digits(struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return true;
}

/* However large, a number is cut to what the client may have. */
static enum oauth_refusal judge_ttl(struct oauth_grant *g) {
    unsigned long long seconds = 0;
    if (!is_all_digits(g->ttl)) {
        return OAUTH_REFUSED_TTL_MALFORMED;
    }
    if (g->ttl.size != 0 && !slice_to_number(g->ttl, OAUTH_TTL_MAX, &seconds)) {
        seconds = OAUTH_TTL_MAX;
    }
    if (g->ttl.size != 0 && seconds == 0) {
        return OAUTH_REFUSED_TTL_MALFORMED;
    }
    g->wanted_ttl_s = (unsigned)seconds;
    return OAUTH_REFUSED_NONE;
}

static enum oauth_refusal judge_request(struct oauth_grant *g) {
    const struct oauth_client *client = &g->authentication.client;
    enum oauth_refusal refusal = judge_grant_type(g);
    g->granted_scope = buffer_of(g->scope_storage, sizeof g->scope_storage);
    g->granted_audience = buffer_of(g->audience_storage, sizeof g->audience_storage);
    if (refusal == OAUTH_REFUSED_NONE) {
        refusal = oauth_scope_grant(client, g->scope, &g->granted_scope);
    }
    if (refusal == OAUTH_REFUSED_NONE) {
        refusal = oauth_audience_grant(client, g->oauth->options.own_resource, g->resources,
                                       g->audience, &g->granted_audience);
    }
    return refusal == OAUTH_REFUSED_NONE ? judge_ttl(g) : refusal;
}

/* The same once more, for a token that is stored: whether what is granted has changed. */
static enum oauth_refusal judge_again(struct oauth_grant *g) {
    char scope_storage[OAUTH_SCOPE_MAX], audience_storage[OAUTH_AUDIENCE_MAX];
    struct buffer scope = buffer_of(scope_storage, sizeof scope_storage);
    struct buffer audience = buffer_of(audience_storage, sizeof audience_storage);
    buffer_append(&scope, buffer_slice(&g->granted_scope));
    buffer_append(&audience, buffer_slice(&g->granted_audience));
    enum oauth_refusal refusal = judge_request(g);
    g->grants_the_same = slice_equal(buffer_slice(&scope), buffer_slice(&g->granted_scope)) &&
                         slice_equal(buffer_slice(&audience), buffer_slice(&g->granted_audience));
    return refusal;
}

static enum progress take_client(struct flow *flow) {
    struct oauth_grant *g = container_of(flow, struct oauth_grant, flow);
    if (g->authentication.refusal != OAUTH_REFUSED_NONE) {
        g->trouble = g->authentication.trouble;
        return end(g, g->authentication.refusal);
    }
    enum oauth_refusal refusal = g->rounds == 0 ? judge_request(g) : judge_again(g);
    if (refusal != OAUTH_REFUSED_NONE && oauth_authentication_may_be_wrong(&g->authentication)) {
        return oauth_authentication_confirm(&g->authentication);
    }
    if (refusal != OAUTH_REFUSED_NONE) {
        return end(g, refusal);
    }
    g->operation.deadline_ns = g->authentication.read.deadline_ns;
    g->operation.on_done = on_answer;
    return take_generation(g);
}

static void on_authenticated(struct flow *flow) {
    struct oauth_grant *g = container_of(flow, struct oauth_grant, authentication.flow);
    flow_resume(&g->flow);
}

static enum progress authenticate(struct flow *flow) {
    struct oauth_grant *g = container_of(flow, struct oauth_grant, flow);
    g->authentication.wants_generation = true;
    g->authentication.flow.on_done = on_authenticated;
    flow->step = take_client;
    return oauth_authentication_start(g->oauth, &g->authentication);
}

enum progress oauth_grant_start(struct oauth *oauth, struct oauth_grant *grant) {
    grant->oauth = oauth;
    grant->trouble = STORE_TROUBLE_NONE;
    grant->rounds = 0;
    grant->flow.step = authenticate;
    return flow_start(&grant->flow);
}
