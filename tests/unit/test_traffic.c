/* What a link keeps of the commands that it has sent, for who has to send them elsewhere. The
 * stream is ours. */
#include "store/link/traffic.h"
#include "unit/unit.h"

static bool is_full;

/* As over TLS: all is taken at once, and written bit by bit. */
ssize_t stream_send(struct redis_stream *stream, const char *data, size_t size) {
    (void)data;
    stream->is_writing = is_full;
    return (ssize_t)size;
}

bool stream_write(struct redis_stream *stream, const char *data, size_t size) {
    (void)stream, (void)data, (void)size;
    fail();
    return false;
}

static void on_lost(void *context, enum store_trouble trouble, const char *reason) {
    (void)context, (void)trouble;
    fail_msg("%s", reason);
}

static void on_closed(void *context) {
    (void)context;
}

static const struct traffic_events events = {.on_lost = on_lost, .on_closed = on_closed};

static size_t command_size; /* of the last one that was refused */

static void on_reply(void *context, const struct link_result *result) {
    (void)context;
    if (result->reply->type == REPLY_ERROR) {
        assert_non_null(result->command.data);
        command_size = result->command.size;
    }
}

static void get(struct traffic *traffic) {
    const struct link_handler handler = {.on_reply = on_reply, .replies = 1};
    unsigned slot;
    struct output *out = traffic_begin(traffic);
    output_command(out, 2);
    output_argument(out, S("GET"));
    output_argument(out, S("k"));
    assert_true(traffic_end(traffic, &handler, &slot));
    traffic_flush(traffic, false);
}

static unsigned kept(const struct traffic *traffic) {
    unsigned count = 0;
    for (const struct kept_commands *k = traffic->kept.first; k != NULL; k = k->next) {
        count++;
    }
    return count;
}

/* The count of commands goes round. */
static void test_what_is_answered_is_not_kept(void **state) {
    static const unsigned counts[] = {0, 0x7ffffff0u, 0x80000010u, 0xffffff00u, 0xffffffffu};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        static struct redis_stream stream;
        static struct traffic traffic;
        uv_loop_t loop;
        assert_int_equal(uv_loop_init(&loop), 0);
        stream = (struct redis_stream){.loop = &loop};
        const struct traffic_options options = {.pending_max = 64,
                                                .reply_nodes_max = 64,
                                                .reply_text_max = 4096,
                                                .keeps_commands = true,
                                                .events = &events};
        assert_true(traffic_init(&traffic, &loop, &stream, &options));
        traffic_open(&traffic);
        assert_true(traffic_start(&traffic));
        traffic_set_up(&traffic);
        traffic.oldest = traffic.newest = counts[i];
        is_full = true;
        get(&traffic);
        stream.is_writing = is_full = false;
        traffic_written(&traffic, true);
        traffic_take(&traffic, S("$1\r\nv\r\n"));
        for (unsigned more = 0; more < 3; more++) {
            get(&traffic);
            traffic_take(&traffic, S("$1\r\nv\r\n"));
            assert_true(kept(&traffic) <= 1);
        }
        command_size = 0;
        get(&traffic);
        get(&traffic);
        traffic_take(&traffic, S("$1\r\nv\r\n-MOVED 1 h:1\r\n"));
        assert_int_equal(command_size, sizeof "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" - 1);
        traffic_drop(&traffic);
        traffic_close(&traffic);
        uv_run(&loop, UV_RUN_DEFAULT);
        traffic_fini(&traffic);
        assert_int_equal(uv_loop_close(&loop), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_answered_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
