#include "mintd/clock.h"
#include "mintd/log.h"
#include "support/fault.h"
#include "unit/unit.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

/* Standard error becomes the test's pipe; the real one comes back in the teardown. */
struct sink {
    int real_stderr;
    int read_end; /* -1: closed by the test */
    uint64_t dropped_before;
};

static void redirect(struct sink *sink, int target) {
    assert_true(dup2(target, STDERR_FILENO) >= 0);
    close(target);
    sink->dropped_before = log_dropped();
}

/* What another test lost is told here, and not in this one's output. */
static void forget_losses(void) {
    redirect(&(struct sink){0}, open("/dev/null", O_WRONLY | O_CLOEXEC));
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    log_info("line");
    log_stop();
}

static int set_up(void **state) {
    struct sink *sink = calloc(1, sizeof(*sink));
    int ends[2];
    if (sink == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    sink->real_stderr = dup(STDERR_FILENO);
    forget_losses();
    sink->read_end = ends[0];
    redirect(sink, ends[1]);
    *state = sink;
    return 0;
}

static int tear_down(void **state) {
    struct sink *sink = *state;
    log_stop();
    dup2(sink->real_stderr, STDERR_FILENO);
    close(sink->real_stderr);
    if (sink->read_end >= 0) {
        close(sink->read_end);
    }
    free(sink);
    return 0;
}

static uint64_t dropped_here(const struct sink *sink) {
    return log_dropped() - sink->dropped_before;
}

/* The writing end goes, so that reading meets an end. */
static void close_stderr(const struct sink *sink) {
    assert_true(dup2(sink->real_stderr, STDERR_FILENO) >= 0);
}

struct output {
    char *text;
    size_t size;
};

/* Reads to the end; the caller frees the text. */
static struct output read_all(int fd) {
    const size_t capacity = 4u << 20;
    struct output out = {malloc(capacity + 1), 0};
    assert_non_null(out.text);
    ssize_t size;
    while ((size = read(fd, out.text + out.size, capacity - out.size)) > 0) {
        out.size += (size_t)size;
    }
    assert_int_equal(size, 0);
    assert_true(out.size < capacity);
    out.text[out.size] = '\0';
    return out;
}

struct tally {
    uint64_t lines; /* of ours: not those that tell of a loss */
    uint64_t told;  /* lines that were said to be lost */
};

/* Every line that is not empty must be one JSON object with a message. */
static struct tally tally_lines(struct slice text) {
    struct tally tally = {0, 0};
    struct slice line;
    while (slice_split(&text, '\n', &line)) {
        if (line.size == 0) {
            continue;
        }
        const char *end = NULL;
        cJSON *object = cJSON_ParseWithLengthOpts(line.data, line.size, &end, 0);
        assert_non_null(object);
        assert_ptr_equal(end, line.data + line.size);
        const char *message = cJSON_GetStringValue(cJSON_GetObjectItem(object, "message"));
        assert_non_null(message);
        if (strcmp(message, "log lines dropped") == 0) {
            tally.told += (uint64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(object, "lines"));
        } else {
            tally.lines++;
        }
        cJSON_Delete(object);
    }
    return tally;
}

static struct tally tally_sink(const struct sink *sink) {
    close_stderr(sink);
    struct output out = read_all(sink->read_end);
    struct tally tally = tally_lines(slice_of(out.text, out.size));
    free(out.text);
    return tally;
}

/* ---- the happy path ---- */

static void lines_come_in_order(void **state) {
    struct sink *sink = *state;
    assert_int_equal(log_start(LOG_FORMAT_AUTO, LOG_INFO), 0);
    log_info("one");
    log_warning("two", LOG_STRING("k", "v"));
    log_error("three", LOG_NUMBER("n", 3), LOG_TEXT("t", S("x")));
    log_stop();
    close_stderr(sink);
    struct output out = read_all(sink->read_end);
    const char *one = strstr(out.text, "\"level\":\"info\",\"message\":\"one\"}\n{");
    const char *two = strstr(out.text, "\"level\":\"warning\",\"message\":\"two\",\"k\":\"v\"}\n{");
    const char *three =
        strstr(out.text, "\"level\":\"error\",\"message\":\"three\",\"n\":3,\"t\":\"x\"}\n");
    assert_true(one != NULL && two > one && three > two);
    assert_int_equal(dropped_here(sink), 0);
    free(out.text);
}

static void text_is_written_where_asked_for(void **state) {
    struct sink *sink = *state;
    assert_int_equal(log_start(LOG_FORMAT_TEXT, LOG_INFO), 0);
    log_info("one", LOG_STRING("k", "v"));
    log_stop();
    close_stderr(sink);
    struct output out = read_all(sink->read_end);
    assert_string_equal(out.text + strlen("2026-11-23T21:02:37.272Z"), " info  one  k=v\n");
    free(out.text);
}

static void levels_below_the_threshold_are_silent(void **state) {
    struct sink *sink = *state;
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_WARNING), 0);
    assert_false(log_enabled(LOG_DEBUG));
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARNING));
    assert_true(log_enabled(LOG_ERROR));
    log_info("no");
    log_write(LOG_DEBUG, "no", NULL);
    log_error("yes");
    log_stop();
    assert_int_equal(tally_sink(sink).lines, 1);
}

static void lines_before_and_after_are_written_directly(void **state) {
    struct sink *sink = *state;
    char text[1024];
    log_error("before");
    assert_true(read(sink->read_end, text, sizeof(text)) > 0);
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    log_stop();
    log_info("after");
    assert_true(read(sink->read_end, text, sizeof(text)) > 0);
}

static void it_starts_again_after_a_stop(void **state) {
    struct sink *sink = *state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
        assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), EALREADY);
        log_info("line");
        log_stop();
        log_stop();
    }
    assert_int_equal(tally_sink(sink).lines, 20);
}

/* Standard error is a pipe that keeps each write apart. */
static void keep_writes_apart(void) {
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | O_DIRECT), 0);
}

static uint64_t lines_of_one_write(const struct sink *sink) {
    char text[4096];
    ssize_t size = read(sink->read_end, text, sizeof(text));
    assert_true(size > 0);
    return tally_lines(slice_of(text, (size_t)size)).lines;
}

static uint64_t log_with_pauses(const struct sink *sink, uint64_t lines) {
    for (uint64_t i = 0; i < lines; i++) {
        log_info("line", LOG_NUMBER("i", i));
        usleep(500);
    }
    uint64_t first = lines_of_one_write(sink);
    for (uint64_t seen = first; seen < lines;) {
        seen += lines_of_one_write(sink);
    }
    return first;
}

/* Where the machine is so busy that the pauses are long there is another try. */
static void lines_of_some_milliseconds_share_a_write(void **state) {
    struct sink *sink = *state;
    keep_writes_apart();
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    uint64_t most = 0;
    for (int i = 0; i < 500 && most < 3; i++) {
        uint64_t together = log_with_pauses(sink, 3);
        most = together > most ? together : most;
    }
    assert_int_equal(most, 3);
}

static void a_warning_takes_what_waits_with_it(void **state) {
    struct sink *sink = *state;
    keep_writes_apart();
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    uint64_t together = 0;
    for (int i = 0; i < 500 && together < 2; i++) {
        log_info("line");
        log_warning("line");
        together = lines_of_one_write(sink);
        if (together < 2) {
            assert_int_equal(lines_of_one_write(sink), 1);
        }
    }
    assert_int_equal(together, 2);
}

static void *log_thousands(void *argument) {
    for (int i = 0; i < 5000; i++) {
        log_info("line", LOG_NUMBER("thread", (intptr_t)argument), LOG_NUMBER("i", i));
    }
    return NULL;
}

static void *read_to_the_end(void *argument) {
    struct sink *sink = argument;
    struct output out = read_all(sink->read_end);
    struct tally *tally = malloc(sizeof(*tally));
    assert_non_null(tally);
    *tally = tally_lines(slice_of(out.text, out.size));
    free(out.text);
    return tally;
}

static void threads_share_it_and_every_line_is_accounted_for(void **state) {
    struct sink *sink = *state;
    pthread_t loggers[4], reader;
    void *result;
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    pthread_create(&reader, NULL, read_to_the_end, sink);
    for (intptr_t i = 0; i < 4; i++) {
        pthread_create(&loggers[i], NULL, log_thousands, (void *)i);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(loggers[i], NULL);
    }
    log_stop();
    close_stderr(sink);
    pthread_join(reader, &result);
    struct tally *tally = result;
    assert_int_equal(tally->lines + dropped_here(sink), 4 * 5000);
    assert_true(tally->told <= dropped_here(sink));
    free(tally);
}

/* ---- a sink that blocks ---- */

/* Fills the pipe with empty lines. */
static void block_sink(void) {
    char newlines[4096];
    memset(newlines, '\n', sizeof(newlines));
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK), 0);
    while (write(STDERR_FILENO, newlines, sizeof(newlines)) > 0) {
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, flags), 0);
}

static void write_until_dropping(const struct sink *sink, uint64_t *written) {
    while (dropped_here(sink) < 100) {
        log_info("line", LOG_NUMBER("i", *written));
        ++*written;
        assert_true(*written < 1000000);
    }
}

static void a_blocked_sink_blocks_nobody(void **state) {
    struct sink *sink = *state;
    uint64_t written = 0;
    block_sink();
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    write_until_dropping(sink, &written);
    /* Full, but for a batch that the writer may take out: a call formats a line and counts it. */
    uint64_t started = clock_monotonic_ns();
    for (int i = 0; i < 1000; i++) {
        log_info("line", LOG_NUMBER("i", i));
    }
    assert_true(clock_monotonic_ns() - started < SECOND);
    assert_true(dropped_here(sink) >= 1000);

    started = clock_monotonic_ns();
    log_stop();
    uint64_t took = clock_monotonic_ns() - started;
    assert_true(took >= 900 * MS && took < 20 * SECOND);
    /* A line that tells of a loss may have been lost itself. */
    assert_in_range(tally_sink(sink).lines + dropped_here(sink), written + 1000, written + 1001);
}

static void a_loss_is_told_with_the_next_line(void **state) {
    struct sink *sink = *state;
    uint64_t written = 0;
    pthread_t reader;
    void *result;
    block_sink();
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    write_until_dropping(sink, &written);
    pthread_create(&reader, NULL, read_to_the_end, sink);
    /* The reader makes room; sooner or later a line gets in, and the loss before it. */
    uint64_t dropped;
    do {
        dropped = dropped_here(sink);
        log_info("line", LOG_NUMBER("i", written));
        written++;
        usleep(100);
    } while (dropped_here(sink) != dropped);
    log_stop();
    close_stderr(sink);
    pthread_join(reader, &result);
    struct tally *tally = result;
    assert_int_equal(tally->told, dropped);
    assert_int_equal(tally->lines + dropped, written);
    free(tally);
}

static void make_raw(int fd) {
    struct termios mode;
    assert_int_equal(tcgetattr(fd, &mode), 0);
    cfmakeraw(&mode);
    assert_int_equal(tcsetattr(fd, TCSANOW, &mode), 0);
}

/* A terminal that nobody reads says "ready" and then blocks inside write(2). */
static void a_stuck_terminal_does_not_hold_up_the_stop(void **state) {
    struct sink *sink = *state;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) {
        print_message("this machine lends no terminal\n");
        skip();
    }
    int line = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(line >= 0);
    make_raw(line);
    redirect(sink, line);
    uint64_t written = 0;
    assert_int_equal(log_start(LOG_FORMAT_AUTO, LOG_INFO), 0);
    write_until_dropping(sink, &written);
    uint64_t started = clock_monotonic_ns();
    log_stop();
    assert_true(clock_monotonic_ns() - started < 2 * SECOND);

    assert_true(dup2(sink->real_stderr, STDERR_FILENO) >= 0);
    assert_int_equal(log_start(LOG_FORMAT_AUTO, LOG_ERROR), 0);
    log_stop();
    close(terminal); /* lets a writer that was left behind go */
}

/* ---- a sink that fails ---- */

static void lines_for_a_closed_pipe_are_counted(void **state) {
    struct sink *sink = *state;
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    close(sink->read_end);
    sink->read_end = -1;
    for (int i = 0; i < 50; i++) {
        log_info("line");
    }
    log_stop(); /* and nobody died of SIGPIPE */
    assert_true(dropped_here(sink) >= 50);
}

static void limit_files_to(rlim_t size) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int open_nameless(void) {
    char name[] = "/tmp/test_log.XXXXXX";
    int file = mkstemp(name);
    assert_true(file >= 0);
    assert_int_equal(unlink(name), 0);
    return file;
}

static void log_into_a_small_file(const struct sink *sink) {
    limit_files_to(1000);
    for (int i = 0; i < 30; i++) {
        log_info("line", LOG_NUMBER("i", i));
    }
    while (dropped_here(sink) == 0) {
        usleep(1000);
    }
    limit_files_to(RLIM_INFINITY);
    log_info("after");
}

/* The line that was cut off is ended, and what comes when there is room again is whole. */
static void a_full_disk_tears_one_line_alone(void **state) {
    struct sink *sink = *state;
    int file = open_nameless();
    redirect(sink, dup(file));
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    log_into_a_small_file(sink);
    log_stop();
    close_stderr(sink);
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    struct output out = read_all(file);
    assert_true(out.size > 1001);
    size_t whole = 1000;
    while (out.text[whole - 1] != '\n') {
        whole--;
    }
    assert_true(whole != 1000 && out.text[1000] == '\n');
    struct tally before = tally_lines(slice_of(out.text, whole));
    struct tally after = tally_lines(slice_of(out.text + 1001, out.size - 1001));
    assert_true(after.lines != 0 && after.told != 0);
    /* Lines that told of a loss were lost too. */
    assert_in_range(before.lines + after.lines + dropped_here(sink), 31, 62);
    free(out.text);
    close(file);
}

static void wait_until_dropped(const struct sink *sink, uint64_t lines) {
    while (dropped_here(sink) < lines) {
        usleep(1000);
    }
    assert_int_equal(dropped_here(sink), lines);
}

/* With each line goes one that tells of the loss. */
static void what_a_full_disk_loses_is_counted_once(void **state) {
    struct sink *sink = *state;
    int file = open_nameless();
    redirect(sink, file);
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), 0);
    limit_files_to(10);
    log_warning("torn");
    wait_until_dropped(sink, 1);
    for (uint64_t lines = 3; lines < 9; lines += 2) {
        log_warning("lost");
        wait_until_dropped(sink, lines);
    }
    limit_files_to(RLIM_INFINITY);
    log_stop();
    close_stderr(sink);
}

static void without_memory_or_thread_it_writes_directly(void **state) {
    struct sink *sink = *state;
    fault_fail_at(1);
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), ENOMEM);
    fault_disarm();
    log_info("line");
    fault_fail_threads(true);
    assert_int_equal(log_start(LOG_FORMAT_JSON, LOG_INFO), EAGAIN);
    fault_fail_threads(false);
    log_info("line");
    assert_int_equal(tally_sink(sink).lines, 2);
}

static void a_direct_line_waits_a_second_at_most(void **state) {
    struct sink *sink = *state;
    block_sink();
    uint64_t started = clock_monotonic_ns();
    log_error("line");
    assert_in_range(clock_monotonic_ns() - started, 900 * MS, 20 * SECOND);
    assert_int_equal(dropped_here(sink), 1);
}

static void a_direct_line_for_a_closed_pipe_is_counted(void **state) {
    struct sink *sink = *state;
    close(sink->read_end);
    sink->read_end = -1;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    log_error("line");
    signal(SIGPIPE, before);
    assert_int_equal(dropped_here(sink), 1);
}

#define log_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        log_test(lines_come_in_order),
        log_test(text_is_written_where_asked_for),
        log_test(levels_below_the_threshold_are_silent),
        log_test(lines_before_and_after_are_written_directly),
        log_test(it_starts_again_after_a_stop),
        log_test(threads_share_it_and_every_line_is_accounted_for),
        log_test(lines_of_some_milliseconds_share_a_write),
        log_test(a_warning_takes_what_waits_with_it),
        log_test(a_blocked_sink_blocks_nobody),
        log_test(a_loss_is_told_with_the_next_line),
        log_test(a_stuck_terminal_does_not_hold_up_the_stop),
        log_test(lines_for_a_closed_pipe_are_counted),
        log_test(a_full_disk_tears_one_line_alone),
        log_test(what_a_full_disk_loses_is_counted_once),
        log_test(a_direct_line_waits_a_second_at_most),
        log_test(a_direct_line_for_a_closed_pipe_is_counted),
        log_test(without_memory_or_thread_it_writes_directly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
