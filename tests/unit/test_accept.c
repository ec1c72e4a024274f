/* In what form /metrics is wanted: what Prometheus sends, and what makes no sense. */
#include "api/accept.h"
#include "unit/unit.h"

static struct http_request request_with(enum http_field_id id, const char *value) {
    struct http_request request = {.field_count = 1};
    request.fields[0] = (struct http_field){id, slice_of_string(value)};
    return request;
}

static bool prefers(const char *value) {
    struct http_request request = request_with(HTTP_FIELD_ACCEPT, value);
    return accept_prefers_openmetrics(&request);
}

static bool takes_gzip(const char *value) {
    struct http_request request = request_with(HTTP_FIELD_ACCEPT_ENCODING, value);
    return accept_takes_gzip(&request);
}

static void openmetrics_is_for_those_who_name_it(void **state) {
    (void)state;
    /* Prometheus 2.42, 2.53 and 3 */
    assert_true(prefers("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                        "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
    assert_true(prefers("application/openmetrics-text;version=1.0.0;q=0.5,application/"
                        "openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,"
                        "*/*;q=0.2"));
    assert_true(prefers("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1"));
    assert_true(prefers("application/openmetrics-text"));
    assert_true(prefers(" APPLICATION/OpenMetrics-Text ; Q=0.5 , text/plain;q=0.5"));
}

static void text_is_for_all_others(void **state) {
    (void)state;
    const struct http_request none = {.field_count = 0};
    assert_false(accept_prefers_openmetrics(&none));
    assert_false(accept_takes_gzip(&none));
    static const char *const values[] = {
        "",
        "*/*",
        "text/plain",
        "application/*",
        ",;,;=,q=1",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.000",
        "application/openmetrics-text;q=",
        "application/openmetrics-text;q=x",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text;q=1.001",
        "application/openmetrics-text;q=0.1234",
        "application/openmetrics-text;q=-1",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;q=0.4,text/plain;q=0.5",
        "application/openmetrics-text;q=0.09, */*;q=0.1",
        "application/openmetrics-textual",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        assert_false(prefers(values[i]));
    }
}

static void lines_are_one_list(void **state) {
    (void)state;
    struct http_request request = {.field_count = 2};
    request.fields[0] = (struct http_field){HTTP_FIELD_ACCEPT, S("text/plain;q=0.5")};
    request.fields[1] = (struct http_field){HTTP_FIELD_ACCEPT, S("application/openmetrics-text")};
    assert_true(accept_prefers_openmetrics(&request));
    request.fields[1].id = HTTP_FIELD_ACCEPT_ENCODING; /* another field says nothing of it */
    assert_false(accept_prefers_openmetrics(&request));
}

static void gzip_is_for_those_who_name_it(void **state) {
    (void)state;
    assert_true(takes_gzip("gzip"));
    assert_true(takes_gzip("br, GZIP;q=0.1"));
    assert_true(takes_gzip("gzip;q=1.000"));
    assert_false(takes_gzip(""));
    assert_false(takes_gzip("*"));
    assert_false(takes_gzip("identity"));
    assert_false(takes_gzip("gzip;q=0"));
    assert_false(takes_gzip("gzipped"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openmetrics_is_for_those_who_name_it),
        cmocka_unit_test(text_is_for_all_others),
        cmocka_unit_test(lines_are_one_list),
        cmocka_unit_test(gzip_is_for_those_who_name_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
