/* A body of application/x-www-form-urlencoded (RFC 6749 3.2, appendix B). */
#include "api/form.h"
#include "unit/unit.h"
#include <stdio.h>
#include <stdlib.h>

enum { GRANT, SCOPE, RESOURCE, TOKEN, COUNT };

struct form {
    struct form_parameter parameters[COUNT];
    char grant[32], scope[32], resource[64], token[8];
};

static struct form form;

static enum form_result read_slice(struct slice body) {
    char *exact = malloc(body.size + 1); /* ends where the memory ends */
    assert_non_null(exact);
    if (body.size != 0) {
        memcpy(exact + 1, body.data, body.size);
    }
    memset(&form, 0xa5, sizeof form);
    form.parameters[GRANT] = (struct form_parameter){
        .name = S("grant_type"), .value = buffer_of(form.grant, sizeof form.grant)};
    form.parameters[SCOPE] = (struct form_parameter){
        .name = S("scope"), .value = buffer_of(form.scope, sizeof form.scope)};
    form.parameters[RESOURCE] =
        (struct form_parameter){.name = S("resource"),
                                .repeatable = true,
                                .value = buffer_of(form.resource, sizeof form.resource)};
    form.parameters[TOKEN] = (struct form_parameter){
        .name = S("token"), .any_length = true, .value = buffer_of(form.token, sizeof form.token)};
    enum form_result result = form_read(slice_of(exact + 1, body.size), form.parameters, COUNT);
    free(exact);
    return result;
}

static enum form_result read_text(const char *body) {
    return read_slice(slice_of_string(body));
}

static struct slice value(int which) {
    return buffer_slice(&form.parameters[which].value);
}

static void assert_form(const char *body, const char *grant, const char *scope,
                        const char *resource) {
    assert_int_equal(read_text(body), FORM_OK);
    assert_slice(value(GRANT), slice_of_string(grant));
    assert_slice(value(SCOPE), slice_of_string(scope));
    assert_slice(value(RESOURCE), slice_of_string(resource));
}

static void values_are_found(void **state) {
    (void)state;
    assert_form("grant_type=client_credentials", "client_credentials", "", "");
    assert_form("scope=read&grant_type=x", "x", "read", "");
    assert_form("resource=a&scope=b&grant_type=c", "c", "b", "a");
    assert_form("scope=a=b==", "", "a=b==", "");
}

/* T-16. */
static void names_and_values_are_decoded(void **state) {
    (void)state;
    assert_form("grant%5Ftype=client%5Fcredentials&scope=read+write", "client_credentials",
                "read write", "");
    assert_form("scope=read%20write", "", "read write", "");
    assert_form("scope=read%2Bwrite", "", "read+write", "");
    assert_form("%73%63%6f%70%65=%41", "", "A", "");
    assert_form("scope=%26%3D%25", "", "&=%", "");
    assert_form("scope=\xc3\xa9%C3%a9", "", "\xc3\xa9\xc3\xa9", "");
    assert_int_equal(read_text("scope=a%00b"), FORM_OK);
    assert_slice(value(SCOPE), S("a\0b"));
}

/* T-10, T-11. */
static void empty_value_is_no_value(void **state) {
    (void)state;
    assert_form("", "", "", "");
    assert_form("grant_type=", "", "", "");
    assert_form("grant_type", "", "", "");
    assert_form("grant_type&scope=&resource=", "", "", "");
    assert_form("scope=&scope=read", "", "read", "");
    assert_form("scope=read&scope=&scope", "", "read", "");
    assert_form("resource=&resource=a&resource=&resource=b&resource", "", "", "a\nb");
}

/* T-12, T-18. */
static void unknown_parameters_are_ignored(void **state) {
    (void)state;
    assert_form("foo=1&foo=2&x&scope=read", "", "read", "");
    assert_form("&&scope=read&=x&", "", "read", "");
    assert_form("&", "", "", "");
    assert_form("=", "", "", "");
    assert_form("Scope=a&SCOPE=b&scope =c&scop=d&scopes=e", "", "", "");
    assert_form("foo=%zz&%zz=1&%=&scope=read", "", "read", "");
    assert_form("scope%zz=a&scope=b&scope%=c", "", "b", "");
    assert_form("grant_type=x;scope=read", "x;scope=read", "", "");
    assert_int_equal(read_slice(S("scope\0=a&scope=b")), FORM_OK);
    assert_slice(value(SCOPE), S("b"));
}

static void long_names_are_unknown(void **state) {
    static char body[400];
    (void)state;
    memset(body, 'n', sizeof body);
    memcpy(body + 300, "=x&scope=read", 13);
    assert_int_equal(read_slice(slice_of(body, 313)), FORM_OK);
    assert_slice(value(SCOPE), S("read"));
}

/* T-13. */
static void known_parameter_may_stand_once(void **state) {
    (void)state;
    assert_int_equal(read_text("scope=a&scope=b"), FORM_REPEATED);
    assert_int_equal(read_text("scope=a&scope=a"), FORM_REPEATED);
    assert_int_equal(read_text("grant%5Ftype=x&grant_type=client_credentials"), FORM_REPEATED);
    assert_int_equal(read_text("grant_type=x&foo=1&scope=a&grant_type=x"), FORM_REPEATED);
}

static void resource_may_be_repeated(void **state) {
    (void)state;
    assert_form("resource=a&resource=b&resource=c", "", "", "a\nb\nc");
    assert_form("resource=a&scope=x&resource=a", "", "x", "a\na");
}

/* The newline between two values is ours alone: one value must not pass for two. */
static void one_value_never_becomes_two(void **state) {
    (void)state;
    assert_int_not_equal(read_text("resource=a%0Ab"), FORM_OK);
    assert_int_not_equal(read_text("resource=a%0A"), FORM_OK);
    assert_int_not_equal(read_text("resource=x&resource=%0Ab"), FORM_OK);
    assert_int_not_equal(read_text("resource=a\nb"), FORM_OK);
}

/* T-17. */
static void malformed_escapes_are_said_to_be(void **state) {
    static const char *const bodies[] = {"grant_type=%zz",
                                         "grant_type=%2",
                                         "grant_type=%",
                                         "scope=a%",
                                         "scope=a%4",
                                         "scope=%4g",
                                         "scope=%g4",
                                         "scope=%%41",
                                         "scope=%+1",
                                         "scope=% 1",
                                         "resource=a&resource=%",
                                         "scope=%-1",
                                         "scope=%0x",
                                         "scope=%u0041"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        assert_int_equal(read_text(bodies[i]), FORM_MALFORMED);
    }
}

static void what_fills_its_room_is_taken(void **state) {
    char body[128] = "scope=";
    (void)state;
    memset(body + 6, 's', 33);
    assert_int_equal(read_slice(slice_of(body, 6 + 32)), FORM_OK);
    assert_int_equal(value(SCOPE).size, 32);
    assert_int_equal(read_slice(slice_of(body, 6 + 33)), FORM_TOO_LONG);
    assert_int_equal(read_text("scope=%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41"
                               "%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41"),
                     FORM_OK);
    assert_int_equal(value(SCOPE).size, 32);
}

static void repeated_values_share_their_room(void **state) {
    char body[256];
    (void)state;
    for (int second = 30; second < 36; second++) {
        int size = snprintf(body, sizeof body, "resource=%.*s&resource=%.*s", 30,
                            "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", second,
                            "ssssssssssssssssssssssssssssssssssssssss");
        enum form_result expected = 30 + 1 + second <= 64 ? FORM_OK : FORM_TOO_LONG;
        assert_int_equal(read_slice(slice_of(body, (size_t)size)), expected);
    }
    int size = snprintf(body, sizeof body, "resource=%.*s&resource=x", 64,
                        "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr");
    assert_int_equal(read_slice(slice_of(body, (size_t)size)), FORM_TOO_LONG);
}

static void any_length_is_no_error(void **state) {
    (void)state;
    assert_int_equal(read_text("token=12345678"), FORM_OK);
    assert_slice(value(TOKEN), S("12345678"));
    assert_false(form.parameters[TOKEN].value.overflow);
    assert_int_equal(read_text("token=123456789&scope=read"), FORM_OK);
    assert_true(form.parameters[TOKEN].value.overflow);
    assert_slice(value(SCOPE), S("read"));
    assert_int_equal(read_text("token=%zz"), FORM_MALFORMED);
}

/* Long or short, it may stand once. */
static void long_value_repeated_is_repeated(void **state) {
    (void)state;
    assert_int_equal(read_text("token=12&token=123456789"), FORM_REPEATED);
    assert_int_equal(read_text("token=123456789&token=123456789"), FORM_REPEATED);
    assert_int_equal(read_text("token=123456789&token=12"), FORM_REPEATED);
}

static void absent_body_is_empty(void **state) {
    (void)state;
    read_text("");
    assert_int_equal(form_read(SLICE_ABSENT, form.parameters, COUNT), FORM_OK);
    assert_int_equal(form_read(S("scope=a"), NULL, 0), FORM_OK);
}

/* Every cut of a body is a body too, and is read without looking behind it. */
static void every_truncation_is_read(void **state) {
    static const char body[] = "grant%5Ftype=client%5Fcredentials&scope=read+write&&=&x%41=%4"
                               "&resource=a%3A%2F%2Fb&resource=c";
    (void)state;
    for (size_t size = 0; size < sizeof body; size++) {
        enum form_result result = read_slice(slice_of(body, size));
        assert_true(result == FORM_OK || result == FORM_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found),
        cmocka_unit_test(names_and_values_are_decoded),
        cmocka_unit_test(empty_value_is_no_value),
        cmocka_unit_test(unknown_parameters_are_ignored),
        cmocka_unit_test(long_names_are_unknown),
        cmocka_unit_test(known_parameter_may_stand_once),
        cmocka_unit_test(resource_may_be_repeated),
        cmocka_unit_test(one_value_never_becomes_two),
        cmocka_unit_test(malformed_escapes_are_said_to_be),
        cmocka_unit_test(what_fills_its_room_is_taken),
        cmocka_unit_test(repeated_values_share_their_room),
        cmocka_unit_test(any_length_is_no_error),
        cmocka_unit_test(long_value_repeated_is_repeated),
        cmocka_unit_test(absent_body_is_empty),
        cmocka_unit_test(every_truncation_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
