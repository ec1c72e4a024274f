/* What is read of an instance's record: what is there, and nothing of what is strange. */
#include "mintd/api.h"
#include "mintd/heartbeat_view.h"
#include "unit/unit.h"
#include <cjson/cJSON.h>
#include <stdlib.h>

static cJSON *parse(const char *text) {
    return heartbeat_parse(slice_of_string(text));
}

static void members_are_read(void **state) {
    (void)state;
    cJSON *record =
        parse("{\"version\":\"1.2\",\"seen\":1700000000,\"workers\":2.9,\"draining\":true,"
              "\"tls\":false,\"rates\":{\"minted\":1.5},"
              "\"notices\":[\"client differs\",\"redis changed\"]}");
    assert_non_null(record);
    assert_string_equal(heartbeat_text(record, "version"), "1.2");
    assert_int_equal(heartbeat_number(record, "seen"), 1700000000);
    assert_int_equal(heartbeat_number(record, "workers"), 2);
    assert_true(heartbeat_is(record, "draining"));
    assert_false(heartbeat_is(record, "tls"));
    assert_true(heartbeat_rate(record, "minted") == 1.5);
    assert_string_equal(heartbeat_notice(record, 0), "client differs");
    assert_string_equal(heartbeat_notice(record, 1), "redis changed");
    assert_null(heartbeat_notice(record, 2));
    cJSON_Delete(record);
}

static void check_empty(const char *text) {
    cJSON *record = parse(text);
    assert_non_null(record);
    assert_string_equal(heartbeat_text(record, "version"), "");
    assert_int_equal(heartbeat_number(record, "seen"), 0);
    assert_false(heartbeat_is(record, "draining"));
    assert_true(heartbeat_rate(record, "minted") == 0);
    cJSON_Delete(record);
}

static void what_is_strange_is_as_good_as_empty(void **state) {
    (void)state;
    check_empty("{}");
    check_empty("{\"version\":7,\"seen\":\"x\",\"draining\":1,\"rates\":{\"minted\":\"1\"}}");
    check_empty("{\"version\":null,\"seen\":-1,\"draining\":\"true\",\"rates\":{\"minted\":-0.5}}");
    check_empty("{\"version\":[],\"seen\":1e300,\"draining\":{},\"rates\":7}");
    check_empty("{\"VERSION\":\"1\",\"SEEN\":1,\"Draining\":true,\"rates\":[1]}");
    cJSON *record = parse("{\"notices\":[7]}");
    assert_string_equal(heartbeat_notice(record, 0), "");
    assert_null(heartbeat_notice(record, 1));
    cJSON_Delete(record);
}

static void more_notices_than_there_are_end_early(void **state) {
    (void)state;
    assert_true(API_NOTICE_COUNT <= HEARTBEAT_NOTICES_MAX);
    cJSON *record = parse("{\"notices\":[0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,"
                          "7,8,9,0,1,2]}");
    assert_string_equal(heartbeat_notice(record, HEARTBEAT_NOTICES_MAX - 1), "");
    assert_null(heartbeat_notice(record, HEARTBEAT_NOTICES_MAX));
    cJSON_Delete(record);
}

static void what_is_no_object_is_no_record(void **state) {
    (void)state;
    static const char *const texts[] = {"", "}{", "[]", "7", "\"x\"", "null", "{\"version\":"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_null(parse(texts[i]));
    }
    assert_null(heartbeat_parse(slice_of("{}", 1)));
}

static unsigned allocations_left;

static void *allocate(size_t size) {
    return allocations_left-- == 0 ? NULL : malloc(size);
}

static void without_memory_there_is_no_record(void **state) {
    (void)state;
    cJSON_Hooks hooks = {allocate, free};
    cJSON *record = NULL;
    unsigned tries = 0;
    cJSON_InitHooks(&hooks);
    while (record == NULL && tries < 20) {
        allocations_left = tries++;
        record = parse("{\"version\":\"1\"}");
    }
    cJSON_InitHooks(NULL);
    assert_non_null(record);
    assert_in_range(tries, 3, 10);
    cJSON_Delete(record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read),
        cmocka_unit_test(what_is_strange_is_as_good_as_empty),
        cmocka_unit_test(more_notices_than_there_are_end_early),
        cmocka_unit_test(what_is_no_object_is_no_record),
        cmocka_unit_test(without_memory_there_is_no_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
