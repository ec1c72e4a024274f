/* grant_fixture.h: what tests of the grant share: one grant, and ways to run it. */
#ifndef MINTD_TEST_GRANT_FIXTURE_H
#define MINTD_TEST_GRANT_FIXTURE_H

#include "oauth/oauth_internal.h"
#include "oauth/token.h"
#include "support/failing_crypto.h"
#include "support/oauth_fixture.h"

/* What a grant asks of the store, in this order. */
enum { READ_GENERATION = 1, READ_CLIENT, STORE_TOKEN, OPERATIONS = STORE_TOKEN };

#define SVC_A "svc-a:s3cret-A_1.x~"

static struct oauth_grant grant;

static inline void prepare(struct oauth_grant *g, const char *id_and_secret) {
    fixture_poison(g, sizeof *g);
    fixture_offer(&g->authentication.credentials, id_and_secret);
    g->authentication.address = SLICE_ABSENT;
    g->flow.on_done = fixture_on_done;
    g->grant_type = S("client_credentials");
    g->scope = g->resources = g->audience = g->ttl = S("");
}

static inline enum oauth_refusal run(struct oauth_fixture *f) {
    fixture_finish(f, &grant.flow, oauth_grant_start(f->oauth, &grant));
    fixture_assert_wiped(&grant.authentication.credentials);
    return grant.refusal;
}

static inline enum oauth_refusal mint(struct oauth_fixture *f, const char *id_and_secret) {
    prepare(&grant, id_and_secret);
    return run(f);
}

static inline enum oauth_refusal mint_with_scope(struct oauth_fixture *f, const char *scope) {
    prepare(&grant, SVC_A);
    grant.scope = slice_of_string(scope);
    return run(f);
}

static inline enum oauth_refusal mint_with_ttl(struct oauth_fixture *f, const char *ttl) {
    prepare(&grant, SVC_A);
    grant.ttl = slice_of_string(ttl);
    return run(f);
}

static inline uint64_t minted(const struct oauth_fixture *f) {
    return counter_read(&f->metrics.minted);
}

static inline const struct stub_request *last_request(const struct oauth_fixture *f) {
    assert_true(f->store.request_count != 0);
    return &f->store.requests[f->store.request_count - 1];
}

/* The record that was stored last. The slices are good until the next call. */
static inline struct token_record stored_record(const struct oauth_fixture *f) {
    static char storage[OAUTH_CLIENT_ID_MAX + OAUTH_SCOPE_MAX + OAUTH_AUDIENCE_MAX];
    struct buffer text = buffer_of(storage, sizeof storage);
    struct token_record record;
    const struct stub_request *request = last_request(f);
    assert_int_equal(request->verb, STUB_SET);
    assert_true(token_record_read(slice_of(request->value, request->value_size), &record, &text));
    return record;
}

static inline void assert_token_wiped(void) {
    for (size_t i = 0; i < sizeof grant.token.text; i++) {
        assert_int_equal(grant.token.text[i], 0);
    }
}

static inline int tear_down(void **state) {
    failing_crypto = (struct failing_crypto){0};
    return oauth_fixture_tear_down(state);
}

#endif
