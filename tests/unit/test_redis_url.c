#include "mintd/redis_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char words[512];

static bool parse(struct slice text, struct redis_url *url) {
    struct buffer error = buffer_of(words, sizeof words - 1);
    bool parsed = redis_url_parse(text, url, &error);
    words[error.size] = '\0';
    assert_false(error.overflow);
    assert_int_equal(parsed, error.size == 0);
    return parsed;
}

#define PLACE(unix, the_host, the_port, db, the_user, pw)                                          \
    {                                                                                              \
        .is_unix = unix, .host = the_host, .port = the_port, .database = db, .user = the_user,     \
        .password = pw                                                                             \
    }

#define TLS_PLACE(the_host, the_port, db, the_user, pw)                                            \
    {                                                                                              \
        .host = the_host, .port = the_port, .database = db, .user = the_user, .password = pw,      \
        .is_tls = true                                                                             \
    }

static void test_good_urls(void **state) {
    static const struct {
        struct slice text;
        struct redis_url url;
    } cases[] = {
        {SLICE("redis://localhost"), PLACE(false, "localhost", 6379, 0, "", "")},
        {SLICE("redis://localhost/"), PLACE(false, "localhost", 6379, 0, "", "")},
        {SLICE("REDIS://h:1"), PLACE(false, "h", 1, 0, "", "")},
        {SLICE("redis://127.0.0.1:6380/3"), PLACE(false, "127.0.0.1", 6380, 3, "", "")},
        {SLICE("redis://[::1]:7000/0"), PLACE(false, "::1", 7000, 0, "", "")},
        {SLICE("redis://[fe80::1]"), PLACE(false, "fe80::1", 6379, 0, "", "")},
        {SLICE("redis://:secret@h"), PLACE(false, "h", 6379, 0, "", "secret")},
        {SLICE("redis://svc:secret@h:65535/15"), PLACE(false, "h", 65535, 15, "svc", "secret")},
        {SLICE("redis://s%40c:p%3A%2f%25@h"), PLACE(false, "h", 6379, 0, "s@c", "p:/%")},
        {SLICE("redis://svc:p@ss:word@h"), PLACE(false, "h", 6379, 0, "svc", "p@ss:word")},
        {SLICE("redis://svc:p+w@h"), PLACE(false, "h", 6379, 0, "svc", "p+w")},
        {SLICE("rediss://h"), TLS_PLACE("h", 6379, 0, "", "")},
        {SLICE("Rediss://svc:secret@[::1]:6380/3"), TLS_PLACE("::1", 6380, 3, "svc", "secret")},
        {SLICE("unix:///run/redis.sock"), PLACE(true, "/run/redis.sock", 0, 0, "", "")},
        {SLICE("unix:///run/redis.sock?db=7"), PLACE(true, "/run/redis.sock", 0, 7, "", "")},
        {SLICE("unix://:pw@/r@d/s"), PLACE(true, "/r@d/s", 0, 0, "", "pw")},
        {SLICE("unix://u:pw@/r?db=0"), PLACE(true, "/r", 0, 0, "u", "pw")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url;
        assert_true(parse(cases[i].text, &url));
        assert_int_equal(url.is_unix, cases[i].url.is_unix);
        assert_string_equal(url.host, cases[i].url.host);
        assert_int_equal(url.port, cases[i].url.port);
        assert_int_equal(url.database, cases[i].url.database);
        assert_string_equal(url.user, cases[i].url.user);
        assert_string_equal(url.password, cases[i].url.password);
        assert_int_equal(url.is_tls, cases[i].url.is_tls);
        assert_int_equal(url.seed_count, 0);
    }
}

static void test_seeds(void **state) {
    static const struct {
        struct slice text;
        const char *described, *user, *password;
        unsigned database;
        bool is_tls;
    } cases[] = {
        {SLICE("redis+sentinel://h/m"), "m of h:26379", "", "", 0, false},
        {SLICE("rediss+sentinel://u:p@h1,h2:1/m/2"), "m of h1:26379,h2:1", "u", "p", 2, true},
        {SLICE("Redis+Sentinel://h1,h2:1,[::1],[::2]:7/my.master/"),
         "my.master of h1:26379,h2:1,[::1]:26379,[::2]:7", "", "", 0, false},
        {SLICE("redis+sentinel://u%2C:p%40,w@h1,10.0.0.2/m/15"), "m of h1:26379,10.0.0.2:26379",
         "u,", "p@,w", 15, false},
        {SLICE("redis+cluster://h"), "cluster of h:6379", "", "", 0, false},
        {SLICE("rediss+cluster://u:p@h1,[::1]:7/0"), "cluster of h1:6379,[::1]:7", "u", "p", 0,
         true},
        {SLICE("redis+sentinel://1,2,3,4,5,6,7,8/m"),
         "m of 1:26379,2:26379,3:26379,4:26379,5:26379,6:26379,7:26379,8:26379", "", "", 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url;
        char described[200];
        assert_true(parse(cases[i].text, &url));
        redis_url_describe(&url, described, sizeof described);
        assert_string_equal(described, cases[i].described);
        assert_string_equal(url.user, cases[i].user);
        assert_string_equal(url.password, cases[i].password);
        assert_int_equal(url.database, cases[i].database);
        assert_string_equal(url.host, "");
        assert_int_equal(url.is_tls, cases[i].is_tls);
        redis_url_describe(&url, described, 8); /* cut, within its room */
        assert_true(strlen(described) < 8);
    }
}

static void test_passwords_from_elsewhere(void **state) {
    static const struct {
        struct slice text;
        bool has_source;
        const char *says; /* NULL: it is well */
    } cases[] = {
        {SLICE("redis://h"), false, NULL},
        {SLICE("redis://h"), true, NULL},
        {SLICE("redis://u:secret@h"), false, NULL},
        {SLICE("redis://:secret@h"), true, "keep one"},
        {SLICE("redis://user@h"), true, NULL},
        {SLICE("redis://user@h"), false, "without a password"},
        {SLICE("unix://user@/r"), true, NULL},
        {SLICE("redis+sentinel://user@h/m"), false, "without a password"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url;
        assert_true(parse(cases[i].text, &url));
        const char *what = redis_url_misses_password(&url, cases[i].has_source);
        assert_int_equal(what == NULL, cases[i].says == NULL);
        assert_true(what == NULL || strstr(what, cases[i].says) != NULL);
    }
}

static void test_described_places(void **state) {
    static const struct {
        struct slice text;
        const char *described;
    } cases[] = {
        {SLICE("redis://user:secret@h"), "h:6379"},
        {SLICE("redis://[::1]:7000/3"), "[::1]:7000"},
        {SLICE("unix://:secret@/run/redis.sock?db=7"), "/run/redis.sock"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url;
        char described[64];
        assert_true(parse(cases[i].text, &url));
        redis_url_describe(&url, described, sizeof described);
        assert_string_equal(described, cases[i].described);
    }
}

static void test_bad_urls_say_why(void **state) {
    static const struct {
        struct slice text;
        const char *says;
    } cases[] = {
        {SLICE(""), "it must be redis://"},
        {SLICE("localhost:6379"), "it must be redis://"},
        {SLICE("http://h"), "it must be redis://"},
        {SLICE("redis:/h"), "it must be redis://"},
        {SLICE("rediss:///run/redis.sock"), "host is missing"},
        {SLICE("redis+sentinel://a,b"), "what they call the master"},
        {SLICE("redis+sentinel://a,b/"), "what they call the master"},
        {SLICE("redis+sentinel:///m"), "host is missing"},
        {SLICE("redis+sentinel://a,,b/m"), "host is missing"},
        {SLICE("redis+sentinel://a,/m"), "comes no host"},
        {SLICE("redis+sentinel://a:0/m"), "port"},
        {SLICE("redis+sentinel://a/m/x"), "database is not a number"},
        {SLICE("redis+sentinel://a/m?db=1"), "may follow the master's name"},
        {SLICE("redis+sentinel://a/m/1/2"), "database is not a number"},
        {SLICE("redis+sentinel://a/m%"), "what they call the master"},
        {SLICE("redis+sentinel://1,2,3,4,5,6,7,8,9/m"), "8 hosts at most"},
        {SLICE("redis+sentinel://u:secret%zz@a/m"), "malformed %XX"},
        {SLICE("redis+cluster://"), "host is missing"},
        {SLICE("redis+cluster://a,"), "comes no host"},
        {SLICE("redis+cluster://a,b/1"), "no databases but 0"},
        {SLICE("rediss+cluster://a/name"), "no databases but 0"},
        {SLICE("redis+cluster://1,2,3,4,5,6,7,8,9"), "8 hosts at most"},
        {SLICE("rediss+sentinel://a"), "what they call the master"},
        {SLICE("redis://"), "host is missing"},
        {SLICE("redis://:6379"), "host is missing"},
        {SLICE("redis:///3"), "host is missing"},
        {SLICE("redis://[::1"), "no closing ']'"},
        {SLICE("redis://[]"), "host is missing"},
        {SLICE("redis://[::1]x"), "behind the host"},
        {SLICE("redis://h:"), "port"},
        {SLICE("redis://h:0"), "port"},
        {SLICE("redis://h:65536"), "port"},
        {SLICE("redis://h:12a"), "port"},
        {SLICE("redis://h/x"), "database is not a number"},
        {SLICE("redis://h/-1"), "database is not a number"},
        {SLICE("redis://h/1/2"), "database is not a number"},
        {SLICE("redis://h/99999999999999999999"), "database is not a number"},
        {SLICE("redis://h?db=1"), "may follow the host"},
        {SLICE("redis://secret-user:@h"), "a password is missing"},
        {SLICE("redis://@h"), "a password is missing"},
        {SLICE("redis://u:secret-pw%@h"), "malformed %XX"},
        {SLICE("redis://u:secret-pw%4@h"), "malformed %XX"},
        {SLICE("redis://u:secret-pw%zz@h"), "malformed %XX"},
        {SLICE("redis://u:secret-pw%00@h"), "malformed %XX"},
        {SLICE("redis://u:secret-pw/x@h"), "port"}, /* a '/' that is not written %2F */
        {SLICE("redis://h\0x"), "host is missing"},
        {SLICE("unix://"), "path of the socket"},
        {SLICE("unix:///"), "path of the socket"},
        {SLICE("unix://run/redis.sock"), "must begin with '/'"},
        {SLICE("unix:///r?x=1"), "?db=N"},
        {SLICE("unix:///r?db="), "database is not a number"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url;
        assert_false(parse(cases[i].text, &url));
        if (strstr(words, cases[i].says) == NULL) {
            fail_msg("%.*s: %s", (int)cases[i].text.size, cases[i].text.data, words);
        }
        assert_null(strstr(words, "secret"));
    }
}

static void test_lengths(void **state) {
    char text[1024] = "redis://";
    struct redis_url url;
    (void)state;
    memset(text + 8, 'h', REDIS_NAME_MAX);
    assert_true(parse(slice_of(text, 8 + REDIS_NAME_MAX - 1), &url));
    assert_int_equal(strlen(url.host), REDIS_NAME_MAX - 1);
    assert_false(parse(slice_of(text, 8 + REDIS_NAME_MAX), &url));

    memcpy(text, "unix:///", 8);
    assert_true(parse(slice_of(text, 7 + 107), &url));
    assert_false(parse(slice_of(text, 7 + 108), &url));

    memcpy(text, "redis://:", 9);
    memset(text + 9, 'p', REDIS_NAME_MAX);
    memcpy(text + 9 + REDIS_NAME_MAX - 1, "@h", 2);
    assert_true(parse(slice_of(text, 9 + REDIS_NAME_MAX - 1 + 2), &url));
    memset(text + 9, 'p', REDIS_NAME_MAX);
    memcpy(text + 9 + REDIS_NAME_MAX, "@h", 2);
    assert_false(parse(slice_of(text, 9 + REDIS_NAME_MAX + 2), &url));
}

/* Every beginning of a good text: it says yes or no, and reads nothing behind its end. */
static void test_every_prefix(void **state) {
    static const char *const texts[] = {"redis://us%41er:pa%42ss@[::1]:6379/12",
                                        "unix://user:pass@/run/redis.sock?db=3",
                                        "redis+sentinel://us%41er:pa%42ss@h:1,[::1],h3/m/3"};
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        for (size_t size = 0; size <= strlen(texts[t]); size++) {
            struct redis_url url;
            char *copy = test_malloc(size + 1);
            memcpy(copy, texts[t], size);
            char *exact = copy + 1; /* so that its end is the block's */
            memmove(exact, copy, size);
            parse(slice_of(exact, size), &url);
            test_free(copy);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_urls),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_passwords_from_elsewhere),
        cmocka_unit_test(test_described_places),
        cmocka_unit_test(test_bad_urls_say_why),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
