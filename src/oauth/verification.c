/* verification.c: is this token good.
 *
 * Happy path: the form (checksum included), the token's record, its client, the global generation:
 * the record has not expired, the client is there and enabled, and both generations are those the
 * token was minted in. Failure modes: what has not our form is refused without asking the store;
 * what the store does not answer is unknown, never a no; and a client or a generation that memory
 * says no about is asked for again behind a confirmation, since a token may have been minted a
 * moment after it changed. (A token that is absent in memory needs no such care: none comes to life
 * again.) What a store says no about that may be another one is confirmed too.
 *
 * Where the record has to be fetched, the global generation is fetched along with it, and so is its
 * client where it can be guessed (token_owners.h): a verdict takes one round trip, or two, and not
 * three. All are asked for after the request has come, so that none is older than the token. */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"

/* ---- what is asked for beside the record ---- */

static enum progress await(struct oauth_verification *v, struct oauth_side_read *read) {
    bool under_way = read->progress == SIDE_READ_ASKED;
    v->awaited = under_way ? read : NULL;
    return under_way ? PROGRESS_PENDING : PROGRESS_DONE;
}

static void resume_from(struct oauth_verification *v, const struct oauth_side_read *read) {
    if (v->awaited == read) {
        v->awaited = NULL;
        flow_resume(&v->flow);
    }
}

/* Their slices are gone with the callback, so they are read there. */
static void take_generation(struct oauth_verification *v) {
    struct oauth_side_read *read = &v->generation;
    read->progress = SIDE_READ_ANSWERED;
    read->is_readable = read->operation.answer != STORE_UNKNOWN &&
                        oauth_generation_read(&read->operation, &v->current_generation);
}

static void take_client(struct oauth_verification *v) {
    struct oauth_side_read *read = &v->client;
    read->progress = SIDE_READ_ANSWERED;
    read->is_readable = read->operation.answer != STORE_UNKNOWN &&
                        oauth_client_read_standing(&read->operation, &v->standing);
}

static void on_generation(struct store_operation *operation) {
    struct oauth_verification *v =
        container_of(operation, struct oauth_verification, generation.operation);
    take_generation(v);
    resume_from(v, &v->generation);
}

static void on_client(struct store_operation *operation) {
    struct oauth_verification *v =
        container_of(operation, struct oauth_verification, client.operation);
    take_client(v);
    resume_from(v, &v->client);
}

static void ask_generation(struct oauth_verification *v) {
    struct oauth_side_read *read = &v->generation;
    read->operation.on_done = on_generation;
    read->operation.deadline_ns = v->deadline_ns;
    read->progress = SIDE_READ_ASKED;
    if (store_get(v->oauth->options.store, S(OAUTH_KEY_GENERATION), &read->operation) ==
        PROGRESS_DONE) {
        take_generation(v);
    }
    v->deadline_ns = read->operation.deadline_ns;
}

static void ask_client(struct oauth_verification *v, struct slice id) {
    struct oauth_side_read *read = &v->client;
    char storage[OAUTH_KEY_STORAGE];
    read->operation.on_done = on_client;
    read->operation.deadline_ns = v->deadline_ns;
    read->progress = SIDE_READ_ASKED;
    if (store_read_hash(v->oauth->options.store, oauth_client_key(id, storage), &read->operation) ==
        PROGRESS_DONE) {
        take_client(v);
    }
    v->deadline_ns = read->operation.deadline_ns;
}

static void guess_client(struct oauth_verification *v) {
    struct slice guess = token_owners_find(&v->oauth->owners, v->jti);
    if (guess.size != 0) {
        memcpy(v->guess, guess.data, guess.size);
        v->guess_size = guess.size;
        ask_client(v, guess);
    }
}

/* ---- the verdict ---- */

/* Not before each operation has ended. */
static enum progress settle(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    if (await(v, &v->client) == PROGRESS_PENDING) {
        return PROGRESS_PENDING;
    }
    flow->step = NULL;
    return await(v, &v->generation);
}

static enum progress end(struct oauth_verification *v, enum oauth_refusal refusal) {
    v->refusal = refusal;
    v->flow.step = settle;
    return settle(&v->flow);
}

static enum progress end_unknown(struct oauth_verification *v, enum store_trouble trouble) {
    v->trouble = trouble;
    return end(v, OAUTH_REFUSED_STORE_UNKNOWN);
}

static enum progress get_client(struct flow *flow);

static enum progress take_confirmation(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    if (v->operation.answer == STORE_UNKNOWN) {
        return end_unknown(v, v->operation.trouble);
    }
    v->confirmed->is_confirmed = true;
    v->client.progress = SIDE_READ_NOT_ASKED;
    v->generation.progress = SIDE_READ_NOT_ASKED;
    flow->step = get_client;
    return PROGRESS_DONE;
}

static enum progress confirm(struct oauth_verification *v, struct oauth_side_read *read,
                             const struct store_premise *premise) {
    v->confirmed = read;
    v->flow.step = take_confirmation;
    v->operation.deadline_ns = v->deadline_ns;
    return store_confirm(v->oauth->options.store, premise, 1, &v->operation);
}

static enum progress confirm_client(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    char storage[OAUTH_KEY_STORAGE];
    return confirm(
        v, &v->client,
        &(struct store_premise){oauth_client_key(v->client_id, storage), v->client.operation.copy});
}

static enum progress confirm_generation(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    return confirm(v, &v->generation,
                   &(struct store_premise){S(OAUTH_KEY_GENERATION), v->generation.operation.copy});
}

/* The client or a generation speaks against the token. That one of them was confirmed says nothing
 * of the other, which may lie on another node. */
static enum progress refuse(struct oauth_verification *v, enum oauth_refusal refusal,
                            const struct oauth_side_read *read) {
    if (!store_no_may_be_wrong(&read->operation) || read->is_confirmed) {
        return end(v, refusal);
    }
    v->flow.step = read == &v->client ? confirm_client : confirm_generation;
    return await(v, &v->generation);
}

static void count(const struct oauth_verification *v) {
    const struct oauth_options *options = &v->oauth->options;
    counter_add(&options->metrics->validated, 1);
    if (options->client_names != NULL) {
        unsigned client = client_names_find(options->client_names, v->client_id);
        counter_add(&options->metrics->clients[client].validated, 1);
    }
}

static enum progress judge_generation(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    const struct oauth_side_read *read = &v->generation;
    if (read->operation.answer == STORE_UNKNOWN) {
        return end_unknown(v, read->operation.trouble);
    }
    if (!read->is_readable) {
        return end(v, OAUTH_REFUSED_RECORD_UNREADABLE);
    }
    if (v->current_generation != v->token_global_generation) {
        return refuse(v, OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION, read);
    }
    count(v);
    return end(v, OAUTH_REFUSED_NONE);
}

static enum progress get_generation(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    if (v->generation.progress == SIDE_READ_NOT_ASKED) {
        ask_generation(v);
    }
    flow->step = judge_generation;
    return await(v, &v->generation);
}

static enum progress judge_client(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    const struct oauth_side_read *read = &v->client;
    if (read->operation.answer == STORE_UNKNOWN) {
        return end_unknown(v, read->operation.trouble);
    }
    if (!read->is_readable) {
        return end(v, OAUTH_REFUSED_RECORD_UNREADABLE);
    }
    if (!v->standing.is_client) {
        return refuse(v, OAUTH_REFUSED_TOKEN_WITHOUT_CLIENT, read);
    }
    if (v->standing.is_disabled) {
        return refuse(v, OAUTH_REFUSED_TOKEN_OF_DISABLED_CLIENT, read);
    }
    if (v->standing.generation != v->token_generation) {
        return refuse(v, OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION, read);
    }
    flow->step = get_generation;
    return PROGRESS_DONE;
}

static enum progress get_client(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    if (v->client.progress == SIDE_READ_NOT_ASKED) {
        ask_client(v, v->client_id);
    }
    flow->step = judge_client;
    return await(v, &v->client);
}

/* The answer is another client's. */
static enum progress discard_guess(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    v->client.progress = SIDE_READ_NOT_ASKED;
    flow->step = get_client;
    return PROGRESS_DONE;
}

static enum progress check_guess(struct oauth_verification *v) {
    bool is_right = slice_equal(v->client_id, slice_of(v->guess, v->guess_size));
    if (!is_right) {
        token_owners_put(&v->oauth->owners, v->jti, v->client_id);
    }
    if (!is_right && v->guess_size != 0) {
        v->flow.step = discard_guess;
        return await(v, &v->client);
    }
    v->flow.step = get_client;
    return PROGRESS_DONE;
}

/* ---- its record ---- */

static void on_read(struct store_operation *operation) {
    struct oauth_verification *v = container_of(operation, struct oauth_verification, operation);
    flow_resume(&v->flow);
}

static enum progress take_absence(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    return v->operation.answer == STORE_UNKNOWN ? end_unknown(v, v->operation.trouble)
                                                : end(v, OAUTH_REFUSED_TOKEN_UNKNOWN);
}

static enum progress refuse_absent(struct oauth_verification *v) {
    if (!v->operation.is_doubtful) {
        return end(v, OAUTH_REFUSED_TOKEN_UNKNOWN);
    }
    v->flow.step = take_absence;
    return store_confirm(v->oauth->options.store, NULL, 0, &v->operation);
}

static enum progress take_record(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    struct buffer text = buffer_of(v->text, sizeof v->text);
    struct token_record record;
    if (v->operation.answer == STORE_UNKNOWN) {
        return end_unknown(v, v->operation.trouble);
    }
    if (v->operation.answer == STORE_ABSENT) {
        return refuse_absent(v);
    }
    if (!token_record_read(v->operation.value, &record, &text) ||
        !oauth_client_id_is_valid(record.client_id)) {
        return end(v, OAUTH_REFUSED_RECORD_UNREADABLE);
    }
    v->client_id = record.client_id;
    v->scope = record.scope;
    v->audience = record.audience;
    v->issued_at = record.issued_at;
    v->expires_at = record.expires_at;
    v->token_generation = record.generation;
    v->token_global_generation = record.global_generation;
    if (v->expires_at * 1000 <= v->oauth->options.wall_ms()) {
        return end(v, OAUTH_REFUSED_TOKEN_EXPIRED);
    }
    if (v->is_fetched) {
        return check_guess(v);
    }
    flow->step = get_client;
    return PROGRESS_DONE;
}

static enum progress read_record(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    const struct oauth_options *options = &v->oauth->options;
    char storage[OAUTH_KEY_STORAGE];
    if (!token_text_is_valid(S("mtd_"), v->token)) {
        return end(v, OAUTH_REFUSED_TOKEN_MALFORMED);
    }
    v->has_jti = token_id_of(options->crypto, v->token, v->jti);
    if (!v->has_jti) {
        return end(v, OAUTH_REFUSED_BUSY);
    }
    v->operation.on_done = on_read;
    v->operation.deadline_ns = v->deadline_ns;
    flow->step = take_record;
    enum progress progress =
        store_get(options->store, oauth_token_key(v->jti, storage), &v->operation);
    v->deadline_ns = v->operation.deadline_ns;
    if (progress == PROGRESS_PENDING) {
        v->is_fetched = true;
        ask_generation(v);
        guess_client(v);
    }
    return progress;
}

enum progress oauth_verification_start(struct oauth *oauth, struct oauth_verification *v) {
    v->oauth = oauth;
    v->trouble = STORE_TROUBLE_NONE;
    v->has_jti = false;
    v->client.is_confirmed = false;
    v->generation.is_confirmed = false;
    v->is_fetched = false;
    v->client.progress = SIDE_READ_NOT_ASKED;
    v->generation.progress = SIDE_READ_NOT_ASKED;
    v->awaited = NULL;
    v->guess_size = 0;
    v->client_id = SLICE_ABSENT;
    v->flow.step = read_record;
    return flow_start(&v->flow);
}
