/* /readyz over time: how old the probe may be that an answer rests on, and how long it tells that
 * Redis is another one. The clock is the test's: nothing is waited for. */
#include "api/heartbeat_record.h"
#include "mintd/api.h"
#include "mintd/clock.h"
#include "mintd/networks.h"
#include "support/http_fixture.h"
#include "support/stub_store.h"
#include "unit/unit.h"

#define WARNING "\"warning\":\"redis was emptied, or is another one than before\""
#define NOTICE "\"notices\":[\"redis changed\"]"
#define PROBE "instance:one"
#define NS_PER_MS UINT64_C(1000000)
#define BEGIN_MS UINT64_C(5000000)

/* ---- the clock ---- */

static uint64_t now_ms;

uint64_t __wrap_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ns(void);

uint64_t __wrap_clock_monotonic_ms(void) {
    return now_ms;
}

uint64_t __wrap_clock_monotonic_ns(void) {
    return now_ms * NS_PER_MS;
}

/* ---- an instance of that one endpoint ---- */

struct world {
    struct http_fixture http;
    struct stub_store stub;
    struct worker_metrics metrics[1];
    struct networks trusted;
    struct api_process process;
    struct api *api;
};

static int open_world(void **state) {
    struct world *world = test_calloc(1, sizeof *world);
    now_ms = BEGIN_MS;
    stub_store_init(&world->stub);
    world->process = (struct api_process){
        .name = "one",
        .host = "machine",
        .started_ns = now_ms * NS_PER_MS,
        .issuer = S("https://mintd.example"),
        .worker_count = 1,
        .metrics = world->metrics,
        .metrics_count = 1,
    };
    world->api = api_new(&(struct api_options){
        .issuer = world->process.issuer,
        .process = &world->process,
        .trusted_proxies = &world->trusted,
        .store = &world->stub.base,
        .wall_ms = clock_wall_ms,
    });
    assert_non_null(world->api);
    http_fixture_open(
        &world->http, "127.0.0.1:0",
        &(struct http_server_options){.handler = api_handler(false), .context = world->api});
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    http_fixture_close(&world->http);
    api_free(world->api);
    stub_store_fini(&world->stub);
    test_free(world);
    return 0;
}

/* Asks; true: the body has these words. */
static bool says(struct world *world, unsigned status, const char *words) {
    struct client client;
    client_connect(&client, world->http.address);
    client_send(&client, S("GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n"));
    struct client_response response = http_fixture_expect(&world->http, &client, status);
    bool has_them = memmem(response.body.data, response.body.size, words, strlen(words)) != NULL;
    client_close(&client);
    return has_them;
}

/* From now on each probe fails. */
static void break_the_store(struct world *world) {
    stub_store_rewind(&world->stub);
    for (unsigned n = 1; n <= STUB_OPERATIONS_MAX; n++) {
        stub_store_fail(&world->stub, n, STORE_TROUBLE_OOM);
    }
}

static void mend_the_store(struct world *world) {
    stub_store_rewind(&world->stub);
}

/* ---- the age of a probe ---- */

static void a_yes_is_a_second_old_at_most(void **state) {
    struct world *world = *state;
    assert_true(says(world, 200, "\"ready\""));
    assert_int_equal(world->stub.request_count, 1);
    assert_string_equal(world->stub.requests[0].key, PROBE);
    break_the_store(world);
    now_ms = BEGIN_MS + 999;
    assert_true(says(world, 200, "\"ready\""));
    assert_int_equal(world->stub.request_count, 0);
    now_ms = BEGIN_MS + 1000;
    assert_true(says(world, 503, "\"reason\":\"oom\""));
    assert_int_equal(world->stub.request_count, 1);
}

static void a_no_is_a_fifth_of_a_second_old_at_most(void **state) {
    struct world *world = *state;
    break_the_store(world);
    assert_true(says(world, 503, "\"reason\":\"oom\""));
    mend_the_store(world);
    now_ms = BEGIN_MS + 199;
    assert_true(says(world, 503, "\"reason\":\"oom\""));
    assert_int_equal(world->stub.request_count, 0);
    now_ms = BEGIN_MS + 200;
    assert_true(says(world, 200, "\"ready\""));
}

/* However often it is asked. */
static void a_probe_a_second_is_enough(void **state) {
    struct world *world = *state;
    for (unsigned ms = 0; ms < 5000; ms += 20) {
        now_ms = BEGIN_MS + ms;
        assert_true(says(world, 200, "\"ready\""));
    }
    assert_int_equal(world->stub.request_count, 5);
}

/* ---- another Redis ---- */

static bool record_has_notice(const struct world *world) {
    struct slice record = stub_store_text(&world->stub, PROBE);
    assert_false(slice_is_absent(record));
    return memmem(record.data, record.size, NOTICE, strlen(NOTICE)) != NULL;
}

/* In the answer, be it a yes or a no, and in the instance's record, which `mintctl doctor` reads.
 */
static void another_redis_is_told_of_for_a_minute(void **state) {
    struct world *world = *state;
    assert_false(says(world, 200, WARNING));
    assert_false(record_has_notice(world));
    now_ms += 2000;
    atomic_store(&world->process.identity_changed_ms, now_ms);
    assert_true(says(world, 200, WARNING));
    assert_true(record_has_notice(world));
    now_ms += 59999;
    assert_true(says(world, 200, WARNING));
    assert_true(record_has_notice(world));
    break_the_store(world);
    atomic_store(&world->process.draining, true);
    assert_true(says(world, 503, WARNING));
    now_ms += 1;
    assert_false(says(world, 503, WARNING));
    atomic_store(&world->process.draining, false);
    mend_the_store(world);
    now_ms += 1000;
    assert_false(says(world, 200, WARNING));
    assert_false(record_has_notice(world));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_yes_is_a_second_old_at_most),
        TEST(a_no_is_a_fifth_of_a_second_old_at_most),
        TEST(a_probe_a_second_is_enough),
        TEST(another_redis_is_told_of_for_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
