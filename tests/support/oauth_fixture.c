#include "support/oauth_fixture.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define FINISHED_MAX 32u

uint64_t fixture_now_ms, fixture_monotonic_ms;

/* The flows whose on_done came, since a flow does not know its test. */
static struct flow *finished[FINISHED_MAX];
static unsigned finished_count;

static uint64_t monotonic_ms(void) {
    return fixture_monotonic_ms;
}

static uint64_t wall_ms(void) {
    return fixture_now_ms;
}

static void on_job_finished(void *context) {
    sem_post(context);
}

static struct oauth *oauth_on(struct oauth_fixture *f) {
    struct oauth *oauth = oauth_new(&(struct oauth_options){
        .store = &f->store.base,
        .crypto = f->crypto,
        .pool = f->pool,
        .inbox = f->inbox,
        .metrics = &f->metrics,
        .wall_ms = wall_ms,
        .monotonic_ms = monotonic_ms,
        .token_ttl_s = FIXTURE_TTL_S,
        .failure_limit = f->failure_limit,
    });
    assert_non_null(oauth);
    return oauth;
}

int oauth_fixture_set_up(void **state) {
    struct oauth_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    fixture_now_ms = FIXTURE_START_MS;
    fixture_monotonic_ms = FIXTURE_MONOTONIC_START_MS;
    finished_count = 0;
    assert_int_equal(sem_init(&f->job_finished, 0, 0), 0);
    stub_store_init(&f->store);
    f->crypto = crypto_new();
    f->pool = password_pool_new(1, 8);
    f->inbox = password_inbox_new(on_job_finished, &f->job_finished);
    assert_true(f->crypto != NULL && f->pool != NULL && f->inbox != NULL);
    f->oauth = oauth_on(f);
    *state = f;
    return 0;
}

int oauth_fixture_tear_down(void **state) {
    struct oauth_fixture *f = *state;
    assert_int_equal(f->store.pending, 0);
    password_pool_free(f->pool);
    unsigned finished_before = finished_count;
    password_inbox_drain(f->inbox);
    assert_int_equal(finished_count, finished_before);
    password_inbox_free(f->inbox);
    oauth_free(f->oauth);
    crypto_free(f->crypto);
    stub_store_fini(&f->store);
    sem_destroy(&f->job_finished);
    free(f);
    return 0;
}

void fixture_restart(struct oauth_fixture *f) {
    oauth_free(f->oauth);
    memset(&f->metrics, 0, sizeof f->metrics);
    stub_store_rewind(&f->store);
    finished_count = 0;
    f->oauth = oauth_on(f);
}

void fixture_poison(void *storage, size_t size) {
    memset(storage, 0xa5, size);
}

/* ---- clients ---- */

void fixture_put_field(struct oauth_fixture *f, const char *id, const char *name,
                       const char *value) {
    char key[STORE_KEY_MAX];
    int size = snprintf(key, sizeof key, "client:%s", id);
    assert_in_range(size, 1, sizeof key - 1);
    stub_store_put_field(&f->store, key, name, slice_of_string(value));
}

void fixture_put_fast_secret(struct oauth_fixture *f, const char *id, const char *name,
                             const char *secret) {
    char stored[PASSWORD_STORED_MAX + 1] = "";
    struct buffer text = buffer_of(stored, PASSWORD_STORED_MAX);
    assert_true(password_hash_fast(slice_of_string(secret), &text));
    fixture_put_field(f, id, name, stored);
}

void fixture_put_slow_secret(struct oauth_fixture *f, const char *id, const char *name,
                             const char *secret, char salt) {
    enum { N = 16, R = 8, P = 1, MEMORY_MAX = 1 << 20 };
    unsigned char salt_bytes[16], hash[32], encoded[64];
    char stored[PASSWORD_STORED_MAX + 1];
    memset(salt_bytes, salt, sizeof salt_bytes);
    assert_int_equal(EVP_PBE_scrypt(secret, strlen(secret), salt_bytes, sizeof salt_bytes, N, R, P,
                                    MEMORY_MAX, hash, sizeof hash),
                     1);
    EVP_EncodeBlock(encoded, salt_bytes, sizeof salt_bytes);
    int size = snprintf(stored, sizeof stored, "$scrypt$ln=4,r=8,p=1$%.22s$", (char *)encoded);
    EVP_EncodeBlock(encoded, hash, sizeof hash);
    snprintf(stored + size, sizeof stored - (size_t)size, "%.43s", (char *)encoded);
    assert_int_equal(password_kind_of(slice_of_string(stored)), PASSWORD_SLOW);
    fixture_put_field(f, id, name, stored);
}

void fixture_add_svc_a(struct oauth_fixture *f) {
    fixture_put_fast_secret(f, "svc-a", "secret:1", "s3cret-A_1.x~");
    fixture_put_field(f, "svc-a", "scope", "read write");
    fixture_put_field(f, "svc-a", "default_scope", "read");
}

void fixture_assert_wiped(const struct oauth_credentials *credentials) {
    for (unsigned i = 0; i < credentials->secret_count; i++) {
        for (size_t at = 0; at < credentials->secret_sizes[i]; at++) {
            assert_int_equal(credentials->secrets[i][at], 0);
        }
    }
}

struct slice fixture_basic(struct slice id_and_secret, char *out, size_t out_size) {
    assert_true(id_and_secret.size * 4 / 3 + 16 < out_size);
    memcpy(out, "Basic ", 6);
    int size = EVP_EncodeBlock((unsigned char *)out + 6, (const unsigned char *)id_and_secret.data,
                               (int)id_and_secret.size);
    return slice_of(out, 6 + (size_t)size);
}

void fixture_offer(struct oauth_credentials *credentials, const char *id_and_secret) {
    char header[8192];
    oauth_credentials_from_basic(
        credentials, fixture_basic(slice_of_string(id_and_secret), header, sizeof header));
}

/* ---- running ---- */

void fixture_on_done(struct flow *flow) {
    assert_true(finished_count < FINISHED_MAX);
    finished[finished_count++] = flow;
}

unsigned fixture_times_done(const struct flow *flow) {
    unsigned times = 0;
    for (unsigned i = 0; i < finished_count; i++) {
        times += finished[i] == flow;
    }
    return times;
}

void fixture_finish(struct oauth_fixture *f, struct flow *flow, enum progress started) {
    unsigned expected = started == PROGRESS_DONE ? 0 : 1;
    assert_int_equal(fixture_times_done(flow), 0);
    while (fixture_times_done(flow) < expected) {
        if (!stub_store_answer_next(&f->store)) {
            assert_int_equal(sem_wait(&f->job_finished), 0);
            password_inbox_drain(f->inbox);
        }
    }
    assert_false(stub_store_answer_next(&f->store));
    assert_int_equal(fixture_times_done(flow), expected);
    finished_count = 0;
}

void fixture_authenticate(struct oauth_fixture *f, struct oauth_authentication *a,
                          const char *id_and_secret) {
    fixture_poison(a, sizeof *a);
    fixture_offer(&a->credentials, id_and_secret);
    a->address = SLICE_ABSENT;
    a->wants_generation = false;
    a->flow.on_done = fixture_on_done;
    fixture_finish(f, &a->flow, oauth_authentication_start(f->oauth, a));
}
