/* verification.c: is this token good.
 *
 * Happy path: the form (checksum included), the token's record, its client, the global generation:
 * the record has not expired, the client is there and enabled, and both generations are those the
 * token was minted in. Failure modes: what has not our form is refused without asking the store;
 * what the store does not answer is unknown, never a no; and a client or a generation that memory
 * says no about is asked for again behind a fence, since a token may have been minted a moment
 * after it changed. (A token that is absent in memory needs no such care: none comes to life
 * again.)
 *
 * Where the record has to be fetched, the global generation is fetched along with it: a verdict
 * takes two round trips, not three. It is asked for behind the record, so that it is not the older
 * of the two: a token minted after a bump does not meet the generation before. */
#include "oauth/oauth_internal.h"
#include "oauth/token.h"

static enum progress wait_for_generation(struct oauth_verification *v) {
    v->generation_is_awaited = true;
    return v->generation_progress == GENERATION_ASKED ? PROGRESS_PENDING : PROGRESS_DONE;
}

/* Not before each operation has ended. */
static enum progress end(struct oauth_verification *v, enum oauth_refusal refusal) {
    v->refusal = refusal;
    v->flow.step = NULL;
    return wait_for_generation(v);
}

static enum progress end_unknown(struct oauth_verification *v, enum store_trouble trouble) {
    v->trouble = trouble;
    return end(v, OAUTH_REFUSED_STORE_UNKNOWN);
}

static void on_read(struct store_operation *operation) {
    struct oauth_verification *v = container_of(operation, struct oauth_verification, operation);
    flow_resume(&v->flow);
}

static enum progress read_client(struct flow *flow);

static enum progress take_fence(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    if (v->operation.answer == STORE_UNKNOWN) {
        return end_unknown(v, v->operation.trouble);
    }
    v->is_confirmed = true;
    v->generation_progress = GENERATION_NOT_ASKED;
    flow->step = read_client;
    return PROGRESS_DONE;
}

/* The client or a generation speaks against the token. */
static enum progress refuse(struct oauth_verification *v, enum oauth_refusal refusal,
                            bool from_memory) {
    if (!from_memory || v->is_confirmed) {
        return end(v, refusal);
    }
    v->flow.step = take_fence;
    return store_fence(v->oauth->options.store, &v->operation);
}

/* ---- the global generation ---- */

static void take_generation(struct oauth_verification *v) {
    const struct store_operation *operation = &v->generation_operation;
    v->generation_progress = GENERATION_ANSWERED;
    v->generation_is_readable = operation->answer != STORE_UNKNOWN &&
                                oauth_generation_read(operation, &v->current_generation);
}

static void on_generation(struct store_operation *operation) {
    struct oauth_verification *v =
        container_of(operation, struct oauth_verification, generation_operation);
    take_generation(v);
    if (v->generation_is_awaited) {
        flow_resume(&v->flow);
    }
}

static void read_generation(struct oauth_verification *v) {
    v->generation_is_awaited = false;
    v->generation_operation.on_done = on_generation;
    v->generation_operation.deadline_ns = v->operation.deadline_ns;
    if (store_get(v->oauth->options.store, S(OAUTH_KEY_GENERATION), &v->generation_operation) ==
        PROGRESS_PENDING) {
        v->generation_progress = GENERATION_ASKED;
    } else {
        take_generation(v);
    }
}

static enum progress judge_generation(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    if (v->generation_operation.answer == STORE_UNKNOWN) {
        return end_unknown(v, v->generation_operation.trouble);
    }
    if (!v->generation_is_readable) {
        return end(v, OAUTH_REFUSED_RECORD_UNREADABLE);
    }
    if (v->current_generation != v->global_generation) {
        return refuse(v, OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION,
                      v->generation_operation.from_memory);
    }
    counter_add(&v->oauth->options.metrics->validated, 1);
    return end(v, OAUTH_REFUSED_NONE);
}

static enum progress get_generation(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    if (v->generation_progress == GENERATION_NOT_ASKED) {
        read_generation(v);
    }
    flow->step = judge_generation;
    return wait_for_generation(v);
}

/* ---- its client ---- */

static enum progress take_client(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    bool from_memory = v->operation.from_memory;
    struct oauth_client_standing client;
    if (v->operation.answer == STORE_UNKNOWN) {
        return end_unknown(v, v->operation.trouble);
    }
    if (!oauth_client_read_standing(&v->operation, &client)) {
        return end(v, OAUTH_REFUSED_RECORD_UNREADABLE);
    }
    if (!client.is_client) {
        return refuse(v, OAUTH_REFUSED_TOKEN_WITHOUT_CLIENT, from_memory);
    }
    if (client.is_disabled) {
        return refuse(v, OAUTH_REFUSED_TOKEN_OF_DISABLED_CLIENT, from_memory);
    }
    if (client.generation != v->generation) {
        return refuse(v, OAUTH_REFUSED_TOKEN_OF_OLD_GENERATION, from_memory);
    }
    flow->step = get_generation;
    return PROGRESS_DONE;
}

static enum progress read_client(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    char storage[OAUTH_KEY_STORAGE];
    flow->step = take_client;
    return store_read_hash(v->oauth->options.store, oauth_client_key(v->client_id, storage),
                           &v->operation);
}

/* ---- its record ---- */

static enum progress take_record(struct flow *flow) {
    struct oauth_verification *v = container_of(flow, struct oauth_verification, flow);
    struct buffer text = buffer_of(v->text, sizeof v->text);
    struct token_record record;
    if (v->operation.answer == STORE_UNKNOWN) {
        return end_unknown(v, v->operation.trouble);
    }
    if (v->operation.answer == STORE_ABSENT) {
        return end(v, OAUTH_REFUSED_TOKEN_UNKNOWN);
    }
    if (!token_record_read(v->operation.value, &record, &text) ||
        !oauth_client_id_is_valid(record.client_id)) {
        return end(v, OAUTH_REFUSED_RECORD_UNREADABLE);
    }
    if (record.expires_at * 1000 <= v->oauth->options.wall_ms()) {
        return end(v, OAUTH_REFUSED_TOKEN_EXPIRED);
    }
    v->client_id = record.client_id;
    v->scope = record.scope;
    v->audience = record.audience;
    v->issued_at = record.issued_at;
    v->expires_at = record.expires_at;
    v->generation = record.generation;
    v->global_generation = record.global_generation;
    flow->step = read_client;
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
    flow->step = take_record;
    enum progress progress =
        store_get(options->store, oauth_token_key(v->jti, storage), &v->operation);
    if (progress == PROGRESS_PENDING) {
        read_generation(v);
    }
    return progress;
}

enum progress oauth_verification_start(struct oauth *oauth, struct oauth_verification *v) {
    v->oauth = oauth;
    v->trouble = STORE_TROUBLE_NONE;
    v->has_jti = false;
    v->is_confirmed = false;
    v->generation_progress = GENERATION_NOT_ASKED;
    v->client_id = SLICE_ABSENT;
    v->flow.step = read_record;
    return flow_start(&v->flow);
}
