/* revocation.c: a client gives a token of its own back (RFC 7009).
 *
 * A token that is not there is deleted all the same: another worker may still have a copy, and is
 * told so before the answer. So is one of the client's own that is not good any more: it may be
 * elsewhere (by another clock), or later. A good token of another client is refused, and stays; of
 * one that is not good nothing is said. That there was nothing to delete is confirmed where the
 * store may be another one: the token may live on in the right one. */
#include "oauth/oauth_internal.h"

static enum progress end(struct oauth_revocation *r, enum oauth_refusal refusal,
                         enum store_trouble trouble) {
    r->refusal = refusal;
    r->trouble = trouble;
    r->flow.step = NULL;
    return PROGRESS_DONE;
}

static void on_deleted(struct store_operation *operation) {
    struct oauth_revocation *r = container_of(operation, struct oauth_revocation, operation);
    flow_resume(&r->flow);
}

static enum progress take_confirmation(struct flow *flow) {
    struct oauth_revocation *r = container_of(flow, struct oauth_revocation, flow);
    return r->operation.answer == STORE_UNKNOWN
               ? end(r, OAUTH_REFUSED_STORE_UNKNOWN, r->operation.trouble)
               : end(r, OAUTH_REFUSED_NONE, STORE_TROUBLE_NONE);
}

static enum progress take_deletion(struct flow *flow) {
    struct oauth_revocation *r = container_of(flow, struct oauth_revocation, flow);
    if (r->operation.answer != STORE_FOUND) {
        return end(r, OAUTH_REFUSED_STORE_UNKNOWN, r->operation.trouble);
    }
    r->revoked = r->operation.number != 0;
    counter_add(&r->oauth->options.metrics->revoked, r->revoked);
    if (!r->revoked && r->operation.is_doubtful) {
        flow->step = take_confirmation;
        return store_confirm(r->oauth->options.store, NULL, 0, &r->operation);
    }
    return end(r, OAUTH_REFUSED_NONE, STORE_TROUBLE_NONE);
}

static bool is_callers(const struct oauth_inquiry *inquiry) {
    return slice_equal(oauth_credentials_id(&inquiry->authentication.credentials),
                       inquiry->verification.client_id);
}

/* Whether there is nothing that could be deleted, or nothing that this client may. */
static bool is_nobodys(const struct oauth_inquiry *inquiry) {
    const struct oauth_verification *token = &inquiry->verification;
    return !token->has_jti || (token->refusal != OAUTH_REFUSED_TOKEN_UNKNOWN &&
                               token->refusal != OAUTH_REFUSED_NONE && !is_callers(inquiry));
}

static enum progress take_inquiry(struct flow *flow) {
    struct oauth_revocation *r = container_of(flow, struct oauth_revocation, flow);
    const struct oauth_inquiry *inquiry = &r->inquiry;
    const struct oauth_verification *token = &inquiry->verification;
    char storage[OAUTH_KEY_STORAGE];
    if (inquiry->refusal != OAUTH_REFUSED_NONE || is_nobodys(inquiry)) {
        return end(r, inquiry->refusal, inquiry->trouble);
    }
    if (token->refusal == OAUTH_REFUSED_NONE && !is_callers(inquiry)) {
        return end(r, OAUTH_REFUSED_OTHERS_TOKEN, STORE_TROUBLE_NONE);
    }
    r->operation.deadline_ns = token->deadline_ns;
    r->operation.on_done = on_deleted;
    flow->step = take_deletion;
    return store_delete(r->oauth->options.store, oauth_token_key(token->jti, storage),
                        &r->operation);
}

static void on_inquired(struct flow *flow) {
    struct oauth_revocation *r = container_of(flow, struct oauth_revocation, inquiry.flow);
    flow_resume(&r->flow);
}

static enum progress inquire(struct flow *flow) {
    struct oauth_revocation *r = container_of(flow, struct oauth_revocation, flow);
    r->inquiry.flow.on_done = on_inquired;
    flow->step = take_inquiry;
    return oauth_inquiry_start(r->oauth, &r->inquiry);
}

enum progress oauth_revocation_start(struct oauth *oauth, struct oauth_revocation *r) {
    r->oauth = oauth;
    r->revoked = false;
    r->flow.step = inquire;
    return flow_start(&r->flow);
}
