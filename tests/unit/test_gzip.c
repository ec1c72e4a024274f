#include "mintd/gzip.h"
#include "support/fault.h"
#include "unit/unit.h"
#include <zlib.h>

#define TEXT_SIZE 100000u

static char text[TEXT_SIZE], packed_storage[2 * TEXT_SIZE], unpacked[TEXT_SIZE + 1];

static struct slice some_text(size_t size) {
    for (size_t i = 0; i < size; i++) {
        text[i] = "mintd_tokens_total 0123456789\n"[(i * i / 7 + i) % 30];
    }
    return slice_of(text, size);
}

/* As gzip, not as zlib's own form. */
static size_t unpack(struct slice packed) {
    z_stream stream = {.next_in = (Bytef *)packed.data,
                       .avail_in = (uInt)packed.size,
                       .next_out = (Bytef *)unpacked,
                       .avail_out = sizeof unpacked};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t size = stream.total_out;
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    return size;
}

static void what_is_packed_is_unpacked_again(void **state) {
    static const size_t sizes[] = {0, 1, 1000, TEXT_SIZE};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buffer packed = buffer_of(packed_storage, sizeof packed_storage);
        struct slice plain = some_text(sizes[i]);
        assert_true(gzip_pack(plain, &packed));
        assert_true(slice_equal(slice_of(unpacked, unpack(buffer_slice(&packed))), plain));
        assert_true(plain.size < 1000 || packed.size < plain.size);
    }
}

static void it_is_appended(void **state) {
    (void)state;
    struct buffer packed = buffer_of(packed_storage, sizeof packed_storage);
    buffer_append(&packed, S("head"));
    assert_true(gzip_pack(some_text(50), &packed));
    assert_int_equal(unpack(slice_skip(buffer_slice(&packed), 4)), 50);
}

/* One byte too little, and none at all: nothing is written. */
static void without_room_nothing_is_written(void **state) {
    (void)state;
    struct buffer packed = buffer_of(packed_storage, sizeof packed_storage);
    assert_true(gzip_pack(some_text(1000), &packed));
    size_t sizes[] = {0, 10, packed.size - 1};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buffer small = buffer_of(packed_storage, sizes[i]);
        assert_false(gzip_pack(some_text(1000), &small));
        assert_int_equal(small.size, 0);
    }
}

static void without_memory_nothing_is_written(void **state) {
    (void)state;
    bool done = false;
    for (unsigned n = 1; !done; n++) {
        struct buffer packed = buffer_of(packed_storage, sizeof packed_storage);
        fault_fail_at(n);
        bool ok = gzip_pack(some_text(1000), &packed);
        done = fault_count() < n;
        fault_disarm();
        assert_true(done == ok && ok == (packed.size != 0));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_is_unpacked_again),
        cmocka_unit_test(it_is_appended),
        cmocka_unit_test(without_room_nothing_is_written),
        cmocka_unit_test(without_memory_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
