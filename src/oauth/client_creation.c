/* client_creation.c: the client that --client asks for: read, hash, make where there is none of
 * that name. */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"

static bool copy_text(struct slice text, char *out, size_t out_size) {
    if (text.size >= out_size) {
        return false;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

static bool complain(struct buffer *error, const char *what) {
    buffer_append_format(error, "%s", what);
    return false;
}

static bool hash_secret(struct slice secret, char *out, size_t out_size) {
    struct buffer stored = buffer_of(out, out_size - 1);
    bool generated = token_text_is_valid(S("mts_"), secret);
    bool ok = generated ? password_hash_fast(secret, &stored) : password_hash_slow(secret, &stored);
    out[stored.size] = '\0';
    return ok && !stored.overflow;
}

bool oauth_client_seed_parse(struct slice text, struct oauth_client_seed *seed,
                             struct buffer *error) {
    struct slice rest = text;
    struct slice id = SLICE_ABSENT, secret = SLICE_ABSENT;
    slice_split(&rest, ':', &id);
    slice_split(&rest, ':', &secret);
    struct slice scope = slice_is_absent(rest) ? S("") : rest;

    if (!oauth_client_id_is_valid(id) || !copy_text(id, seed->id, sizeof seed->id)) {
        return complain(error, "the id is 1 to 255 of A-Z a-z 0-9 . _ ~ @ / -");
    }
    if (!oauth_secret_is_valid(secret)) {
        return complain(error, "it is id:secret or id:secret:scope, the secret 1 to 1024 bytes "
                               "without control characters");
    }
    if (!oauth_scope_is_valid(scope) || !copy_text(scope, seed->scope, sizeof seed->scope)) {
        return complain(error, "the scope is names of visible ASCII, one space between them, "
                               "1024 bytes at most");
    }
    if (!hash_secret(secret, seed->stored_secret, sizeof seed->stored_secret)) {
        return complain(error, "the secret could not be hashed: not enough memory");
    }
    return true;
}

static enum progress end(struct oauth_client_creation *c) {
    c->answer = c->operation.answer;
    c->trouble = c->operation.trouble;
    c->flow.step = NULL;
    return PROGRESS_DONE;
}

static void on_written(struct store_operation *operation) {
    struct oauth_client_creation *c =
        container_of(operation, struct oauth_client_creation, operation);
    flow_resume(&c->flow);
}

static enum progress take_listing(struct flow *flow) {
    return end(container_of(flow, struct oauth_client_creation, flow));
}

static enum progress list_client(struct flow *flow) {
    struct oauth_client_creation *c = container_of(flow, struct oauth_client_creation, flow);
    if (c->operation.answer == STORE_UNKNOWN) {
        return end(c);
    }
    c->made = c->operation.number == 1;
    flow->step = take_listing;
    return store_add_member(c->oauth->options.store, S(OAUTH_KEY_CLIENTS),
                            slice_of_string(c->seed->id), &c->operation);
}

/* Random, so that a client removed and made again does not revive its old tokens. */
static bool append_random_generation(struct crypto *crypto, struct buffer *text) {
    uint32_t generation = 0;
    bool ok = crypto_random(crypto, &generation, sizeof generation);
    buffer_append_number(text, generation);
    return ok;
}

static enum progress make_client(struct flow *flow) {
    struct oauth_client_creation *c = container_of(flow, struct oauth_client_creation, flow);
    char generation_storage[24], created_storage[32], key_storage[OAUTH_KEY_STORAGE];
    struct buffer generation = buffer_of(generation_storage, sizeof generation_storage);
    struct buffer created = buffer_of(created_storage, sizeof created_storage);
    buffer_append_number(&created, c->oauth->options.wall_ms() / 1000);
    if (!append_random_generation(c->oauth->options.crypto, &generation)) {
        c->operation.answer = STORE_UNKNOWN;
        c->operation.trouble = STORE_TROUBLE_NONE;
        return end(c);
    }
    const struct store_field fields[] = {
        {S("secret:1"), slice_of_string(c->seed->stored_secret)},
        {S("secret:1:made"), buffer_slice(&created)},
        {S("scope"), slice_of_string(c->seed->scope)},
        {S("gen"), buffer_slice(&generation)},
        {S("created"), buffer_slice(&created)},
    };
    flow->step = list_client;
    return store_create_hash(c->oauth->options.store,
                             oauth_client_key(slice_of_string(c->seed->id), key_storage), fields,
                             sizeof fields / sizeof fields[0], &c->operation);
}

enum progress oauth_client_creation_start(struct oauth *oauth, struct oauth_client_creation *c,
                                          const struct oauth_client_seed *seed) {
    c->oauth = oauth;
    c->seed = seed;
    c->made = false;
    c->operation.on_done = on_written;
    c->operation.deadline_ns = 0;
    c->flow.step = make_client;
    return flow_start(&c->flow);
}
