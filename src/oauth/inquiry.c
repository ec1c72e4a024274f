/* inquiry.c: an authenticated caller asks about a token: first who asks, then what the token is. */
#include "oauth/oauth_internal.h"

static enum progress end(struct oauth_inquiry *inquiry, enum oauth_refusal refusal,
                         enum store_trouble trouble) {
    inquiry->refusal = refusal;
    inquiry->trouble = trouble;
    inquiry->flow.step = NULL;
    oauth_credentials_wipe(&inquiry->authentication.credentials);
    return PROGRESS_DONE;
}

static bool shares_audience(struct slice ours, struct slice theirs) {
    struct slice word;
    bool any = ours.size == 0 || theirs.size == 0;
    while (!any && slice_next_word(&theirs, &word)) {
        any = slice_has_word(ours, word);
    }
    return any;
}

bool oauth_inquiry_finds_active(const struct oauth_inquiry *inquiry) {
    const struct oauth_client *caller = &inquiry->authentication.client;
    const struct oauth_verification *token = &inquiry->verification;
    struct slice caller_id = oauth_credentials_id(&inquiry->authentication.credentials);
    return token->refusal == OAUTH_REFUSED_NONE &&
           (slice_equal(caller_id, token->client_id) ||
            (caller->may_introspect && shares_audience(caller->audience, token->audience)));
}

/* A token that is no good is an answer; one that nobody can tell of is none. */
static enum progress end_with_token(struct oauth_inquiry *inquiry) {
    const struct oauth_verification *token = &inquiry->verification;
    bool unknown = oauth_refusal_error(token->refusal) == OAUTH_TEMPORARILY_UNAVAILABLE;
    return end(inquiry, unknown ? token->refusal : OAUTH_REFUSED_NONE, token->trouble);
}

static enum progress take_caller_again(struct flow *flow) {
    struct oauth_inquiry *inquiry = container_of(flow, struct oauth_inquiry, flow);
    const struct oauth_authentication *caller = &inquiry->authentication;
    if (caller->refusal != OAUTH_REFUSED_NONE) {
        return end(inquiry, caller->refusal, caller->trouble);
    }
    return end_with_token(inquiry);
}

/* The token is good, but not for the caller to know, as memory has it: that is confirmed. */
static enum progress take_token(struct flow *flow) {
    struct oauth_inquiry *inquiry = container_of(flow, struct oauth_inquiry, flow);
    bool is_good = inquiry->verification.refusal == OAUTH_REFUSED_NONE;
    if (is_good && !oauth_inquiry_finds_active(inquiry) &&
        oauth_authentication_may_be_wrong(&inquiry->authentication)) {
        flow->step = take_caller_again;
        return oauth_authentication_confirm(&inquiry->authentication);
    }
    return end_with_token(inquiry);
}

static void on_verified(struct flow *flow) {
    struct oauth_inquiry *inquiry = container_of(flow, struct oauth_inquiry, verification.flow);
    flow_resume(&inquiry->flow);
}

static enum progress take_caller(struct flow *flow) {
    struct oauth_inquiry *inquiry = container_of(flow, struct oauth_inquiry, flow);
    const struct oauth_authentication *caller = &inquiry->authentication;
    if (caller->refusal != OAUTH_REFUSED_NONE) {
        return end(inquiry, caller->refusal, caller->trouble);
    }
    if (slice_is_absent(inquiry->token)) {
        return end(inquiry, OAUTH_REFUSED_NO_TOKEN_PARAMETER, STORE_TROUBLE_NONE);
    }
    inquiry->verification.token = inquiry->token;
    inquiry->verification.deadline_ns = caller->read.deadline_ns;
    inquiry->verification.flow.on_done = on_verified;
    flow->step = take_token;
    return oauth_verification_start(inquiry->oauth, &inquiry->verification);
}

static void on_authenticated(struct flow *flow) {
    struct oauth_inquiry *inquiry = container_of(flow, struct oauth_inquiry, authentication.flow);
    flow_resume(&inquiry->flow);
}

static enum progress authenticate(struct flow *flow) {
    struct oauth_inquiry *inquiry = container_of(flow, struct oauth_inquiry, flow);
    inquiry->authentication.wants_generation = false; /* it is not kept: the token is asked for */
    inquiry->authentication.flow.on_done = on_authenticated;
    flow->step = take_caller;
    return oauth_authentication_start(inquiry->oauth, &inquiry->authentication);
}

enum progress oauth_inquiry_start(struct oauth *oauth, struct oauth_inquiry *inquiry) {
    inquiry->oauth = oauth;
    inquiry->flow.step = authenticate;
    return flow_start(&inquiry->flow);
}
