/* client_creation.c: the client that --client asks for: hash, make where there is none of that
 * name.
 *
 * Happy path: one command makes the hash, one lists the client.
 *
 * Failure: there is a hash, but without a secret, which is no client. Late notes of when a secret
 * was used can be all that is left of a client that was removed: they are taken away one by one,
 * and the client is made. Not with the whole hash: what another instance, or mintctl, has made of
 * it in the same moment would be gone, while of a client a note is no loss. Any other field was put
 * there by somebody, and stays. */
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
    if (!oauth_secret_is_valid(secret) || !copy_text(secret, seed->secret, sizeof seed->secret)) {
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
    flow->step = take_listing;
    return store_add_member(c->oauth->options.store, S(OAUTH_KEY_CLIENTS),
                            slice_of_string(c->seed->id), &c->operation);
}

static struct slice key_of(const struct oauth_client_creation *c, char *storage) {
    return oauth_client_key(slice_of_string(c->seed->id), storage);
}

/* ---- a hash is there ---- */

static enum progress make_client(struct flow *flow);

/* A client whose record cannot be read is one: it is not ours to change. */
static bool is_client(const struct store_operation *answer) {
    struct oauth_client_standing standing;
    return !oauth_client_read_standing(answer, &standing) || standing.is_client;
}

/* The name of a field that says when a secret was used; absent where there is none. */
static struct slice find_note(const struct store_operation *answer) {
    static const struct slice names[OAUTH_SECRETS_MAX] = {
        SLICE("secret:1:used"), SLICE("secret:2:used"), SLICE("secret:3:used"),
        SLICE("secret:4:used")};
    for (size_t i = 0; i < answer->field_count; i++) {
        for (unsigned n = 0; n < OAUTH_SECRETS_MAX; n++) {
            if (slice_equal(answer->fields[i].name, names[n])) {
                return names[n];
            }
        }
    }
    return SLICE_ABSENT;
}

static enum progress take_removal(struct flow *flow) {
    struct oauth_client_creation *c = container_of(flow, struct oauth_client_creation, flow);
    if (c->operation.answer == STORE_UNKNOWN) {
        return end(c);
    }
    flow->step = make_client;
    return PROGRESS_DONE;
}

static enum progress remove_remains(struct oauth_client_creation *c) {
    char storage[OAUTH_KEY_STORAGE];
    struct slice note = find_note(&c->operation);
    if (slice_is_absent(note)) {
        c->operation.answer = STORE_ABSENT;
        return end(c);
    }
    c->flow.step = take_removal;
    return store_remove_field(c->oauth->options.store, key_of(c, storage), note, &c->operation);
}

static enum progress take_hash(struct flow *flow) {
    struct oauth_client_creation *c = container_of(flow, struct oauth_client_creation, flow);
    switch (c->operation.answer) {
    case STORE_UNKNOWN:
        return end(c);
    case STORE_ABSENT: /* gone meanwhile */
        flow->step = make_client;
        return PROGRESS_DONE;
    case STORE_FOUND:
        break;
    }
    if (!is_client(&c->operation)) {
        return remove_remains(c);
    }
    flow->step = list_client;
    return PROGRESS_DONE;
}

static enum progress read_hash(struct flow *flow) {
    struct oauth_client_creation *c = container_of(flow, struct oauth_client_creation, flow);
    char storage[OAUTH_KEY_STORAGE];
    if (c->operation.answer == STORE_UNKNOWN) {
        return end(c);
    }
    flow->step = take_hash;
    return store_read_hash(c->oauth->options.store, key_of(c, storage), &c->operation);
}

/* ---- making it ---- */

/* What is remembered of it may be older than what was in the way: hence the confirmation. */
static enum progress take_making(struct flow *flow) {
    struct oauth_client_creation *c = container_of(flow, struct oauth_client_creation, flow);
    if (c->operation.answer == STORE_UNKNOWN) {
        return end(c);
    }
    c->made = c->operation.number == 1;
    if (c->made) {
        flow->step = list_client;
        return PROGRESS_DONE;
    }
    char storage[OAUTH_KEY_STORAGE];
    const struct store_premise premise = {.key = key_of(c, storage)};
    flow->step = read_hash;
    return store_confirm(c->oauth->options.store, &premise, 1, &c->operation);
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
    flow->step = take_making;
    return store_create_hash(c->oauth->options.store, key_of(c, key_storage), fields,
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
