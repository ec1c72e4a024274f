/* client_comparison.c: whether a client is what --client says.
 *
 * Happy path: the client is authenticated with the secret of --client, as a request would be: a
 * fast secret is compared at once, a slow one goes to the pool. What is read for it tells the scope
 * too. */
#include "oauth/oauth_internal.h"

static bool has_all_of(struct slice list, struct slice wanted) {
    struct slice word;
    while (slice_next_word(&wanted, &word)) {
        if (!slice_has_word(list, word)) {
            return false;
        }
    }
    return true;
}

static void judge(struct oauth_client_comparison *c) {
    struct slice scope = slice_of_string(c->seed->scope);
    struct slice has = c->authentication.client.scope;
    c->scope_differs = !has_all_of(has, scope) || !has_all_of(scope, has);
}

static void take_verdict(struct oauth_client_comparison *c) {
    switch (c->authentication.refusal) {
    case OAUTH_REFUSED_WRONG_SECRET:
    case OAUTH_REFUSED_SECRET_EXPIRED:
        c->secret_differs = true;
        judge(c);
        break;
    case OAUTH_REFUSED_NONE:
    case OAUTH_REFUSED_CLIENT_DISABLED:
        judge(c);
        break;
    case OAUTH_REFUSED_UNKNOWN_CLIENT:
        break;
    default:
        c->trouble = c->authentication.refusal;
    }
    oauth_credentials_wipe(&c->authentication.credentials);
}

static void on_authenticated(struct flow *flow) {
    struct oauth_client_comparison *c =
        container_of(flow, struct oauth_client_comparison, authentication.flow);
    take_verdict(c);
    c->flow.on_done(&c->flow);
}

enum progress oauth_client_comparison_start(struct oauth *oauth, struct oauth_client_comparison *c,
                                            const struct oauth_client_seed *seed) {
    c->seed = seed;
    c->trouble = OAUTH_REFUSED_NONE;
    c->secret_differs = false;
    c->scope_differs = false;
    c->flow.step = NULL;
    c->authentication.address = SLICE_ABSENT;
    c->authentication.wants_generation = false;
    c->authentication.read.deadline_ns = 0;
    c->authentication.flow.on_done = on_authenticated;
    oauth_credentials_from_body(&c->authentication.credentials, slice_of_string(seed->id),
                                slice_of_string(seed->secret));
    enum progress progress = oauth_authentication_rehearse(oauth, &c->authentication);
    if (progress == PROGRESS_DONE) {
        take_verdict(c);
    }
    return progress;
}
