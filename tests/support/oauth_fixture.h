/* oauth_fixture.h: a struct oauth on a stub store, a clock that stands still until the test moves
 * it, and the real pool of slow checks. */
#ifndef MINTD_TEST_OAUTH_FIXTURE_H
#define MINTD_TEST_OAUTH_FIXTURE_H

#include "mintd/oauth.h"
#include "support/stub_store.h"
#include "unit/unit.h"
#include <semaphore.h>

#define FIXTURE_START_MS UINT64_C(1795467600123)
#define FIXTURE_MONOTONIC_START_MS UINT64_C(70000)
#define FIXTURE_TTL_S 3600u
#define FIXTURE_STORED_MAX PASSWORD_STORED_MAX

struct oauth_fixture {
    struct stub_store store;
    struct crypto *crypto;
    struct password_pool *pool; /* one thread */
    struct password_inbox *inbox;
    sem_t job_finished;
    struct oauth_metrics metrics;
    struct oauth *oauth;
    unsigned failure_limit; /* of the next fixture_restart(); 0: none */
};

/* What wall_ms() of the fixture says; FIXTURE_START_MS after each set-up. */
extern uint64_t fixture_now_ms;
/* The same of monotonic_ms() and FIXTURE_MONOTONIC_START_MS. */
extern uint64_t fixture_monotonic_ms;

/* For cmocka: *state is the struct oauth_fixture. The tear-down asserts that nobody waits. */
int oauth_fixture_set_up(void **state);
int oauth_fixture_tear_down(void **state);

/* A new struct oauth on the same store: nothing remembered, nothing counted. */
void fixture_restart(struct oauth_fixture *f);

/* Storage as an endpoint finds it: not zero. */
void fixture_poison(void *storage, size_t size);

/* ---- clients ---- */

void fixture_put_field(struct oauth_fixture *f, const char *id, const char *name,
                       const char *value);
/* Stores a secret as `name` ("secret:1"): the fast way; the slow way at a cost of microseconds,
 * with a salt made of `salt`. */
void fixture_put_fast_secret(struct oauth_fixture *f, const char *id, const char *name,
                             const char *secret);
void fixture_put_slow_secret(struct oauth_fixture *f, const char *id, const char *name,
                             const char *secret, char salt);
/* svc-a of the conformance list: s3cret-A_1.x~, scope "read write", default "read". */
void fixture_add_svc_a(struct oauth_fixture *f);

/* Credentials as the Authorization header brings them: "id:secret", raw. */
void fixture_offer(struct oauth_credentials *credentials, const char *id_and_secret);
/* No byte of an offered secret is left. */
void fixture_assert_wiped(const struct oauth_credentials *credentials);
/* The value of that header, into out. */
struct slice fixture_basic(struct slice id_and_secret, char *out, size_t out_size);

/* ---- running ---- */

/* The on_done of whatever fixture_finish() is to see to its end. */
void fixture_on_done(struct flow *flow);
/* How often that came since the last fixture_finish(). */
unsigned fixture_times_done(const struct flow *flow);
/* Answers the store's operations and waits for the pool until the flow is done, and asserts the
 * law: DONE, or exactly one on_done and that not within the start; nothing is left waiting. */
void fixture_finish(struct oauth_fixture *f, struct flow *flow, enum progress started);

/* Runs an authentication to its end on storage that was poisoned. */
void fixture_authenticate(struct oauth_fixture *f, struct oauth_authentication *a,
                          const char *id_and_secret);

#endif
