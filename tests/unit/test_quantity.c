#include "mintd/quantity.h"
#include "unit/unit.h"

typedef bool (*reader)(struct slice, unsigned long long, unsigned long long *);

#define REFUSED (~0ull - 1)

static unsigned long long read_with(reader read, const char *text, unsigned long long max) {
    unsigned long long value = REFUSED;
    bool ok = read(slice_of_string(text), max, &value);
    assert_int_equal(ok, value != REFUSED); /* nothing is written where it is refused */
    return value;
}

static unsigned long long seconds(const char *text) {
    return read_with(quantity_seconds, text, 100000000);
}

static unsigned long long ms(const char *text) {
    return read_with(quantity_milliseconds, text, 100000000);
}

static unsigned long long bytes(const char *text) {
    return read_with(quantity_bytes, text, 1ull << 40);
}

/* N-26 */
static void durations_are_written_in_one_way(void **state) {
    (void)state;
    assert_int_equal(seconds("90"), 90);
    assert_int_equal(seconds("90s"), 90);
    assert_int_equal(seconds("10m"), 600);
    assert_int_equal(seconds("24h"), 86400);
    assert_int_equal(seconds("7d"), 604800);
    assert_int_equal(seconds("2000ms"), 2);
    assert_int_equal(seconds("0"), 0);
    assert_int_equal(seconds("1500ms"), REFUSED);
    assert_int_equal(ms("250"), 250);
    assert_int_equal(ms("250ms"), 250);
    assert_int_equal(ms("2s"), 2000);
    assert_int_equal(ms("1m"), 60000);
}

static void sizes_are_bytes_or_have_a_letter(void **state) {
    (void)state;
    assert_int_equal(bytes("0"), 0);
    assert_int_equal(bytes("4096"), 4096);
    assert_int_equal(bytes("64k"), 65536);
    assert_int_equal(bytes("64M"), 64u << 20);
    assert_int_equal(bytes("2g"), 2ull << 30);
}

static void anything_else_is_refused(void **state) {
    static const char *const wrong[] = {"",      " ",  "s",   "ms",   "-1",  "+1", "1.5h", "1 h",
                                        "1h30m", "h1", "1w",  "1y",   "1ss", "1x", "0x1",  "1e3",
                                        " 1",    "1 ", "1\n", "1kib", "1kb", "k"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(seconds(wrong[i]), REFUSED);
        assert_int_equal(ms(wrong[i]), REFUSED);
        assert_int_equal(bytes(wrong[i]), REFUSED);
    }
    assert_int_equal(seconds("1k"), REFUSED);
    assert_int_equal(bytes("1s"), REFUSED);
    assert_int_equal(bytes("1ms"), REFUSED);
    assert_false(quantity_seconds(SLICE_ABSENT, 10, &(unsigned long long){0}));
}

static void bounds_hold_in_every_unit(void **state) {
    (void)state;
    assert_int_equal(read_with(quantity_seconds, "60", 60), 60);
    assert_int_equal(read_with(quantity_seconds, "1m", 60), 60);
    assert_int_equal(read_with(quantity_seconds, "60000ms", 60), 60);
    assert_int_equal(read_with(quantity_seconds, "61", 60), REFUSED);
    assert_int_equal(read_with(quantity_seconds, "2m", 60), REFUSED);
    assert_int_equal(read_with(quantity_seconds, "1d", 86399), REFUSED);
    assert_int_equal(read_with(quantity_bytes, "1g", 1u << 30), 1u << 30);
    assert_int_equal(read_with(quantity_bytes, "2g", 1u << 30), REFUSED);
    assert_int_equal(read_with(quantity_seconds, "18446744073709551615", ~0ull), REFUSED);
    assert_int_equal(read_with(quantity_seconds, "99999999999999999999", ~0ull), REFUSED);
    assert_int_equal(read_with(quantity_bytes, "18446744073709551615k", ~0ull), REFUSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_written_in_one_way),
        cmocka_unit_test(sizes_are_bytes_or_have_a_letter),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(bounds_hold_in_every_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
