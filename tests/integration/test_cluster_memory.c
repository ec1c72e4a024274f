/* A cluster of three where memory is short: each allocation of the store, its links and src/oauth
 * fails once, from the store's making on, through mints, verifications and a revocation. Nothing
 * breaks, nobody gets a wrong answer, not for a secret that was replaced a moment ago either, and
 * once there is memory again all works.
 *
 * The nodes are those of support/model_cluster.h, and allocate what they need: the fault is armed
 * while the product runs. Time moves where the test moves it. */
#include "mintd/clock.h"
#include "mintd/log.h"
#include "mintd/redis_store.h"
#include "oauth/oauth_internal.h"
#include "store/redis/redis_store_internal.h"
#include "support/fault.h"
#include "support/model_cluster.h"
#include "support/still_clock.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#define PREFIX "mintd:"
#define CLIENT "svc-a"
#define SECRET "s3cret-A_1.x~"
#define TURN_MS 10u
#define TURNS_MAX 2000u /* 20 s: a link that has failed waits, and the scout */
#define RUNS_MAX 5000u
#define SLOW_TURNS 10u

enum { A, B, C };

/* What happens to the client's slot once the store is up. */
enum move { STAYS, IS_GIVEN_AWAY, IS_BEING_MOVED };

struct world {
    uv_loop_t loop;
    struct model_cluster cluster;
    struct store *store;
    struct store_metrics metrics;
    struct oauth *oauth;
    struct oauth_metrics oauth_metrics;
    struct crypto *crypto;
    unsigned slow_turns; /* so long what the client's node says stays there */
    bool is_done;        /* the flow that was started last */
    struct oauth_grant grant;
    struct oauth_verification verification;
    struct oauth_revocation revocation;
    unsigned unknown; /* answers */
};

static struct world world;

/* ---- turns ---- */

static void let_all_speak(void) {
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        struct model_node *node = &world.cluster.nodes[n];
        while (model_can_execute(node)) {
            model_execute(&world.cluster, node);
        }
        while (model_can_deliver(node) && (n != B || world.slow_turns == 0)) {
            model_deliver(&world.cluster, node);
        }
    }
    world.slow_turns -= world.slow_turns != 0;
}

/* The fault is armed again behind it, and so before it. */
static void turn(void) {
    fault_disarm();
    still_clock_move(TURN_MS);
    model_take(&world.cluster);
    let_all_speak();
    fault_rearm();
    uv_run(&world.loop, UV_RUN_NOWAIT);
    store_flush(world.store);
    store_flush(world.store);
}

static void on_done(struct flow *flow) {
    (void)flow;
    world.is_done = true;
}

static void run_to_the_end(enum progress started) {
    unsigned turns = 0;
    world.is_done = started == PROGRESS_DONE;
    while (!world.is_done) {
        assert_true(++turns < TURNS_MAX);
        turn();
    }
}

static bool is_whole(void) {
    const struct redis_store *store = (const struct redis_store *)world.store;
    unsigned up = 0;
    for (unsigned i = 0; i < store->node_count; i++) {
        up += store->nodes[i] != NULL && node_is_up(store->nodes[i]);
    }
    return up == MODEL_NODES && store_trouble_now(world.store) == STORE_TROUBLE_NONE;
}

static void wait_until_up(void) {
    for (unsigned turns = 0; !is_whole(); turns++) {
        assert_true(turns < TURNS_MAX);
        turn();
    }
}

/* ---- requests ---- */

static bool is_unknown(enum oauth_refusal refusal) {
    bool unknown = oauth_refusal_error(refusal) == OAUTH_TEMPORARILY_UNAVAILABLE;
    world.unknown += unknown;
    return unknown;
}

static void offer(struct oauth_credentials *credentials) {
    oauth_credentials_from_body(credentials, S(CLIENT), S(SECRET));
}

static enum oauth_refusal mint_at_all(void) {
    struct oauth_grant *grant = &world.grant;
    memset(grant, 0, sizeof *grant);
    offer(&grant->authentication.credentials);
    grant->grant_type = S("client_credentials");
    grant->scope = grant->resources = grant->audience = grant->ttl = S("");
    grant->flow.on_done = on_done;
    run_to_the_end(oauth_grant_start(world.oauth, grant));
    return grant->refusal;
}

/* True: there is a token. */
static bool mint(void) {
    enum oauth_refusal refusal = mint_at_all();
    if (is_unknown(refusal)) {
        return false;
    }
    assert_int_equal(refusal, OAUTH_REFUSED_NONE);
    return true;
}

static struct slice token(void) {
    return slice_of(world.grant.token.text, OAUTH_TOKEN_SIZE);
}

static void verify(enum oauth_refusal expected) {
    struct oauth_verification *v = &world.verification;
    memset(v, 0, sizeof *v);
    v->token = token();
    v->flow.on_done = on_done;
    run_to_the_end(oauth_verification_start(world.oauth, v));
    if (!is_unknown(v->refusal)) {
        assert_int_equal(v->refusal, expected);
    }
}

/* True: it is acknowledged. */
static bool give_back(void) {
    struct oauth_revocation *revocation = &world.revocation;
    memset(revocation, 0, sizeof *revocation);
    offer(&revocation->inquiry.authentication.credentials);
    revocation->inquiry.token = token();
    revocation->flow.on_done = on_done;
    run_to_the_end(oauth_revocation_start(world.oauth, revocation));
    if (is_unknown(revocation->refusal)) {
        return false;
    }
    assert_int_equal(revocation->refusal, OAUTH_REFUSED_NONE);
    return true;
}

static void use_a_token(void) {
    if (mint()) {
        verify(OAUTH_REFUSED_NONE);
        verify(OAUTH_REFUSED_NONE); /* from memory, where there was some */
        if (give_back()) {
            verify(OAUTH_REFUSED_TOKEN_UNKNOWN);
        }
    }
}

/* ---- life ---- */

static const unsigned home[MODEL_CLASSES] = {
    [MODEL_TOKENS] = A, [MODEL_CLIENT] = B, [MODEL_GENERATION] = C};

static void put_client(struct slice secret) {
    char stored[PASSWORD_STORED_MAX + 1] = "", reply[MODEL_REPLY_MAX];
    struct buffer text = buffer_of(stored, PASSWORD_STORED_MAX);
    assert_true(password_hash_fast(secret, &text));
    snprintf(reply, sizeof reply,
             "%%3\r\n$8\r\nsecret:1\r\n$%zu\r\n%s\r\n$5\r\nscope\r\n$4\r\nread\r\n$3\r\ngen\r\n"
             "$1\r\n1\r\n",
             strlen(stored), stored);
    model_put(&world.cluster, world.cluster.client_key, reply);
}

static void fill_nodes(void) {
    model_reset(&world.cluster, home);
    put_client(S(SECRET));
    model_put(&world.cluster, world.cluster.generation_key, "$1\r\n1\r\n");
}

/* Its secret is another one; the store hears of it late, and of what it asked for earlier. */
static void mint_with_an_old_secret(void) {
    fault_disarm();
    put_client(S("another"));
    fault_rearm();
    world.slow_turns = SLOW_TURNS;
    enum oauth_refusal refusal = mint_at_all();
    if (!is_unknown(refusal)) {
        assert_int_equal(refusal, OAUTH_REFUSED_WRONG_SECRET);
    }
    fault_disarm();
    put_client(S(SECRET));
    fault_rearm();
}

static void move(enum move move) {
    if (move == IS_BEING_MOVED) {
        model_begin_move(&world.cluster, MODEL_CLIENT, A);
        model_move_keys(&world.cluster, MODEL_CLIENT, A, true);
    } else if (move == IS_GIVEN_AWAY) {
        model_move_keys(&world.cluster, MODEL_CLIENT, A, false);
        model_set_owner(&world.cluster, A, MODEL_CLIENT, A);
        model_set_owner(&world.cluster, B, MODEL_CLIENT, A);
    }
}

static struct store *new_store(void) {
    struct redis_store_options options = {
        .url = {.topology = REDIS_CLUSTER, .is_unix = true, .seed_count = 1},
        .prefix = S(PREFIX),
        .name = S("test"),
        .timeout_ms = 600,
        .metrics = &world.metrics,
        .cache_size = 65536,
        .cache_seed = {{5, 6}},
    };
    snprintf(options.url.seeds[0].host, sizeof options.url.seeds[0].host, "%s",
             world.cluster.nodes[A].path);
    return redis_store_new(&world.loop, &options);
}

static void on_closed(void *context) {
    *(bool *)context = true;
}

static void close_store(void) {
    bool closed = false;
    store_close(world.store, on_closed, &closed);
    while (!closed) {
        uv_run(&world.loop, UV_RUN_NOWAIT);
        model_take(&world.cluster);
    }
    store_free(world.store);
}

/* False: the store could not be made. */
static bool live(enum move how) {
    world.store = new_store();
    if (world.store == NULL) {
        return false;
    }
    world.oauth->options.store = world.store;
    wait_until_up();
    fault_disarm();
    move(how);
    fault_rearm();
    use_a_token();
    mint_with_an_old_secret();
    use_a_token();
    return true;
}

/* True: it had as many allocations. */
static bool run(enum move how, unsigned number) {
    memset(&world, 0, sizeof world);
    assert_int_equal(uv_loop_init(&world.loop), 0);
    model_open(&world.cluster, S(PREFIX), S("client:" CLIENT), S(OAUTH_KEY_GENERATION));
    fill_nodes();
    world.crypto = crypto_new();
    world.oauth = oauth_new(&(struct oauth_options){.crypto = world.crypto,
                                                    .metrics = &world.oauth_metrics,
                                                    .wall_ms = clock_wall_ms,
                                                    .monotonic_ms = clock_monotonic_ms,
                                                    .token_ttl_s = 3600});
    assert_true(world.crypto != NULL && world.oauth != NULL);
    fault_fail_at(number);
    bool lives = live(how);
    bool had = fault_count() >= number;
    fault_disarm();
    assert_true(lives || had);
    assert_true(had || world.unknown == 0); /* nothing failed, nobody was away */
    if (lives) {
        fault_fail_at(0);
        wait_until_up();
        assert_true(mint()); /* as if nothing had been */
        verify(OAUTH_REFUSED_NONE);
        assert_int_equal(world.verification.refusal, OAUTH_REFUSED_NONE);
        fault_disarm();
        close_store();
    }
    oauth_free(world.oauth);
    crypto_free(world.crypto);
    model_close(&world.cluster);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    return had;
}

static void each_fails_once(enum move how) {
    unsigned number = 1;
    while (run(how, number)) {
        assert_true(++number < RUNS_MAX);
    }
    print_message("%u allocations\n", number - 1);
    assert_true(number > 50);
}

static void test_slots_stay(void **state) {
    (void)state;
    each_fails_once(STAYS);
}

static void test_slot_is_given_away(void **state) {
    (void)state;
    each_fails_once(IS_GIVEN_AWAY);
}

static void test_slot_is_being_moved(void **state) {
    (void)state;
    each_fails_once(IS_BEING_MOVED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_stay),
        cmocka_unit_test(test_slot_is_given_away),
        cmocka_unit_test(test_slot_is_being_moved),
    };
    signal(SIGPIPE, SIG_IGN);
    log_start(LOG_FORMAT_TEXT, LOG_SILENT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    log_stop();
    return failed;
}
