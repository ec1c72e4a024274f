/* The record of an instance in the store: when it beats, what the record says, how it ends. */
#include "api/heartbeat_record.h"
#include "support/caught_log.h"
#include "support/stub_store.h"
#include "unit/unit.h"
#include <cjson/cJSON.h>

#define KEY "instance:one"
#define SECOND UINT64_C(1000000000)
#define WALL_MS UINT64_C(1795467600123)

struct world {
    struct stub_store stub;
    struct worker_metrics metrics[2];
    struct slice listen[8];
    struct api_process process;
    struct heartbeat heartbeat;
    uint64_t now_ns;
};

static uint64_t wall_ms(void) {
    return WALL_MS;
}

static int open_world(void **state) {
    struct world *world = test_calloc(1, sizeof *world);
    stub_store_init(&world->stub);
    world->listen[0] = S("127.0.0.1:4001");
    world->listen[1] = S("unix:/run/\"mintd\"");
    world->process = (struct api_process){
        .name = "one",
        .run = "0123456789abcdef",
        .host = "machine",
        .started_ms = WALL_MS - 7000,
        .started_ns = SECOND,
        .issuer = S("https://mintd.example"),
        .listen = world->listen,
        .listen_count = 2,
        .worker_count = 1,
        .metrics = world->metrics,
        .metrics_count = 2,
    };
    world->now_ns = SECOND;
    heartbeat_init(&world->heartbeat,
                   &(struct heartbeat_options){&world->process, &world->stub.base, wall_ms});
    *state = world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    stub_store_fini(&world->stub);
    test_free(world);
    return 0;
}

/* What it asked the store for, so many seconds later. */
static unsigned beat_after(struct world *world, unsigned seconds) {
    stub_store_rewind(&world->stub);
    world->now_ns += seconds * SECOND;
    heartbeat_tick(&world->heartbeat, world->now_ns);
    return world->stub.request_count;
}

static unsigned beat(struct world *world) {
    return beat_after(world, HEARTBEAT_EVERY_S);
}

static cJSON *record_of(const struct world *world) {
    struct slice text = stub_store_text(&world->stub, KEY);
    assert_false(slice_is_absent(text));
    cJSON *record = cJSON_ParseWithLength(text.data, text.size);
    assert_non_null(record);
    return record;
}

static void assert_number(const cJSON *record, const char *object, const char *name, double value) {
    const cJSON *parent = object == NULL ? record : cJSON_GetObjectItem(record, object);
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(parent, name)) == value);
}

static void assert_text(const cJSON *record, const char *name, const char *value) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(record, name));
    assert_non_null(text);
    assert_string_equal(text, value);
}

/* ---- a beat ---- */

static void beats_every_five_seconds(void **state) {
    struct world *world = *state;
    assert_int_equal(beat_after(world, 0), 2);
    assert_int_equal(world->stub.requests[0].verb, STUB_SET);
    assert_int_equal(world->stub.requests[0].ttl_s, HEARTBEAT_TTL_S);
    assert_string_equal(world->stub.requests[0].key, KEY);
    assert_int_equal(world->stub.requests[1].verb, STUB_ADD_MEMBER);
    assert_true(stub_store_has_member(&world->stub, "instances", "one"));
    assert_int_equal(beat_after(world, 4), 0);
    assert_true(beat_after(world, 1) >= 2);
}

static void record_says_what_runs(void **state) {
    struct world *world = *state;
    world->process.client = "codecademy";
    counter_set(&world->metrics[0].store.link_up, 1);
    counter_set(&world->metrics[0].http.open, 3);
    counter_set(&world->metrics[1].http.open, 4);
    api_notice(&world->process, API_NOTICE_CLIENT_DIFFERS);
    beat(world);
    cJSON *record = record_of(world);
    assert_text(record, "version", MINTD_VERSION);
    assert_text(record, "run", "0123456789abcdef");
    assert_text(record, "host", "machine");
    assert_text(record, "issuer", "https://mintd.example");
    assert_text(record, "client", "codecademy");
    assert_number(record, NULL, "started", (double)((WALL_MS - 7000) / 1000));
    assert_number(record, NULL, "seen", (double)(WALL_MS / 1000));
    assert_number(record, NULL, "workers", 1);
    assert_number(record, NULL, "links", 1);
    assert_number(record, NULL, "caching", 0);
    assert_number(record, NULL, "connections", 7);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(record, "tls")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(record, "draining")));
    const cJSON *listen = cJSON_GetObjectItem(record, "listen");
    assert_int_equal(cJSON_GetArraySize(listen), 2);
    assert_string_equal(cJSON_GetArrayItem(listen, 1)->valuestring, "unix:/run/\"mintd\"");
    const cJSON *notices = cJSON_GetObjectItem(record, "notices");
    assert_int_equal(cJSON_GetArraySize(notices), 1);
    assert_string_equal(cJSON_GetArrayItem(notices, 0)->valuestring, "client differs");
    cJSON_Delete(record);
}

static void rates_are_of_the_last_beat(void **state) {
    struct world *world = *state;
    beat(world);
    counter_add(&world->metrics[0].oauth.minted, 50);
    counter_add(&world->metrics[1].oauth.validated, 7);
    counter_add(&world->metrics[0].oauth.refusals[OAUTH_REFUSED_WRONG_SECRET], 1);
    counter_add(&world->metrics[0].http.responses[1][0], 58);
    beat(world);
    cJSON *record = record_of(world);
    assert_number(record, "rates", "minted", 10);
    assert_number(record, "rates", "validated", 1.4);
    assert_number(record, "rates", "refused", 0.2);
    assert_number(record, "rates", "answered", 11.6);
    assert_number(record, "totals", "minted", 50);
    cJSON_Delete(record);
    beat(world);
    record = record_of(world);
    assert_number(record, "rates", "minted", 0);
    assert_number(record, "totals", "minted", 50);
    assert_number(record, "totals", "answered", 58);
    cJSON_Delete(record);
}

/* As long as it can be, it fits and is JSON. */
static void longest_record_fits(void **state) {
    static char name[65], host[65], issuer[API_ISSUER_MAX], client[OAUTH_CLIENT_ID_MAX + 1];
    static char address[256], storage[HEARTBEAT_TEXT_MAX];
    struct world *world = *state;
    struct buffer json = buffer_of(storage, sizeof storage);
    memset(name, 'n', sizeof name - 1);
    memset(host, '\1', sizeof host - 1);
    memset(issuer, '"', sizeof issuer - 1);
    memset(client, 'c', sizeof client - 1);
    memset(address, '\1', sizeof address - 1);
    world->process.name = name;
    world->process.host = host;
    world->process.issuer = slice_of_string(issuer);
    world->process.client = client;
    world->process.listen_count = 8;
    for (unsigned i = 0; i < 8; i++) {
        world->listen[i] = slice_of_string(address);
    }
    for (unsigned i = 0; i < 2; i++) {
        counter_set(&world->metrics[i].oauth.minted, UINT64_MAX / 2);
    }
    heartbeat_write(&world->process, UINT64_MAX, &json);
    assert_false(json.overflow);
    cJSON *record = cJSON_ParseWithLength(json.data, json.size);
    assert_non_null(record);
    cJSON_Delete(record);
    assert_int_equal(heartbeat_key(&world->process, storage).size, strlen("instance:") + 64);
}

/* ---- trouble ---- */

static void record_that_was_not_written_is_due_in_a_second(void **state) {
    struct world *world = *state;
    stub_store_fail(&world->stub, 1, STORE_TROUBLE_OOM);
    heartbeat_tick(&world->heartbeat, world->now_ns);
    assert_int_equal(world->stub.request_count, 1);
    assert_int_equal(beat_after(world, 0), 0);
    assert_int_equal(beat_after(world, 1), 2);
}

static void answers_may_come_late(void **state) {
    struct world *world = *state;
    stub_store_delay(&world->stub, 0);
    heartbeat_tick(&world->heartbeat, world->now_ns);
    heartbeat_tick(&world->heartbeat, world->now_ns + 60 * SECOND);
    assert_int_equal(world->stub.request_count, 1); /* one beat at a time */
    assert_true(stub_store_answer_next(&world->stub));
    assert_true(stub_store_answer_next(&world->stub));
    assert_false(stub_store_answer_next(&world->stub));
    assert_true(stub_store_has_member(&world->stub, "instances", "one"));
}

/* Told once, tried again after a minute; the record is written meanwhile. */
static void list_that_may_not_be_written(void **state) {
    struct world *world = *state;
    unsigned tries = 0;
    caught_log_start(LOG_WARNING);
    for (unsigned i = 0; i < 25; i++) {
        stub_store_rewind(&world->stub);
        bool looks = i == 1 || i == 2; /* which is one operation more, ahead of the others */
        stub_store_fail(&world->stub, looks ? 3 : 2, STORE_TROUBLE_NOPERM);
        world->now_ns += HEARTBEAT_EVERY_S * SECOND;
        heartbeat_tick(&world->heartbeat, world->now_ns);
        for (unsigned n = 0; n < world->stub.request_count; n++) {
            tries += world->stub.requests[n].verb == STUB_ADD_MEMBER;
        }
        assert_false(slice_is_absent(stub_store_text(&world->stub, KEY)));
    }
    assert_int_equal(tries, 3);
    assert_int_equal(caught_log_count(caught_log_end(), "SADD and SREM"), 1);
    assert_false(stub_store_has_member(&world->stub, "instances", "one"));
    world->now_ns += 60 * SECOND; /* the right is given */
    beat(world);
    assert_true(stub_store_has_member(&world->stub, "instances", "one"));
}

/* ---- two of one name ---- */

static unsigned warnings_of(struct world *world, unsigned beats, unsigned stranger_beats) {
    caught_log_start(LOG_WARNING);
    for (unsigned i = 0; i < beats; i++) {
        if (i < stranger_beats) {
            stub_store_put(&world->stub, KEY, S("{\"run\":\"another\"}"));
        }
        beat(world);
    }
    return caught_log_count(caught_log_end(), "the same name");
}

static void another_of_our_name_is_told_once(void **state) {
    assert_int_equal(warnings_of(*state, 20, 20), 1);
}

/* The one before us, which has ended since, or is about to. */
static void last_run_is_no_stranger(void **state) {
    assert_int_equal(warnings_of(*state, 20, 1), 0);
}

static void one_that_ends_soon_is_no_stranger(void **state) {
    assert_int_equal(warnings_of(*state, 20, 2), 0);
}

/* Only soon after the start: a steady instance reads nothing. */
static void looks_twice(void **state) {
    struct world *world = *state;
    unsigned looks = 0;
    for (unsigned i = 0; i < 20; i++) {
        beat(world);
        looks += world->stub.requests[0].verb == STUB_GET;
    }
    assert_int_equal(looks, 2);
}

/* ---- the end ---- */

static void leaves_nothing(void **state) {
    struct world *world = *state;
    beat(world);
    heartbeat_leave(&world->heartbeat);
    assert_true(heartbeat_has_left(&world->heartbeat));
    assert_true(slice_is_absent(stub_store_text(&world->stub, KEY)));
    assert_false(stub_store_has_member(&world->stub, "instances", "one"));
    assert_int_equal(beat(world), 0);
}

/* Two bear one name for a while, as one program follows another on its port. */
static void leaves_what_is_anothers(void **state) {
    struct world *world = *state;
    beat(world);
    stub_store_put(&world->stub, KEY, S("{\"run\":\"another\"}"));
    heartbeat_leave(&world->heartbeat);
    assert_true(heartbeat_has_left(&world->heartbeat));
    assert_false(slice_is_absent(stub_store_text(&world->stub, KEY)));
    assert_true(stub_store_has_member(&world->stub, "instances", "one"));
}

static void leaves_after_the_beat_that_is_under_way(void **state) {
    struct world *world = *state;
    stub_store_delay(&world->stub, 0);
    heartbeat_tick(&world->heartbeat, world->now_ns);
    assert_true(stub_store_answer_next(&world->stub));
    heartbeat_leave(&world->heartbeat);
    assert_false(heartbeat_has_left(&world->heartbeat));
    while (stub_store_answer_next(&world->stub)) {
    }
    assert_true(heartbeat_has_left(&world->heartbeat));
    assert_true(slice_is_absent(stub_store_text(&world->stub, KEY)));
    assert_false(stub_store_has_member(&world->stub, "instances", "one"));
}

static void store_that_is_away_holds_nobody(void **state) {
    struct world *world = *state;
    beat(world);
    stub_store_rewind(&world->stub);
    stub_store_fail(&world->stub, 1, STORE_TROUBLE_DISCONNECTED);
    stub_store_fail(&world->stub, 2, STORE_TROUBLE_DISCONNECTED);
    heartbeat_leave(&world->heartbeat);
    assert_true(heartbeat_has_left(&world->heartbeat));
}

static void who_never_beat_has_nothing_to_take_away(void **state) {
    struct world *world = *state;
    heartbeat_leave(&world->heartbeat);
    assert_true(heartbeat_has_left(&world->heartbeat));
    assert_int_equal(world->stub.request_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
        TEST(beats_every_five_seconds),
        TEST(record_says_what_runs),
        TEST(rates_are_of_the_last_beat),
        TEST(longest_record_fits),
        TEST(record_that_was_not_written_is_due_in_a_second),
        TEST(answers_may_come_late),
        TEST(list_that_may_not_be_written),
        TEST(another_of_our_name_is_told_once),
        TEST(last_run_is_no_stranger),
        TEST(one_that_ends_soon_is_no_stranger),
        TEST(looks_twice),
        TEST(leaves_nothing),
        TEST(leaves_what_is_anothers),
        TEST(leaves_after_the_beat_that_is_under_way),
        TEST(store_that_is_away_holds_nobody),
        TEST(who_never_beat_has_nothing_to_take_away),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
