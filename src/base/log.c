/* The queue of log lines and the thread that writes them.
 *
 * Happy path: log_write() formats on its stack, takes the mutex, and copies the line into the
 * writer's ring. The first line wakes the writer, which lets others gather for GATHER_NS (a warning
 * or much text ends that), takes as many whole lines as one write carries, lets go of the mutex and
 * writes them, until the ring is empty. Where lines go on coming it gathers them again at once: to
 * be woken costs the caller more than its line does.
 * Failure modes: the ring is full (the line is dropped and counted); the sink is slow (the writer
 * waits in poll, nobody else does); the sink fails (the batch is dropped and counted); the sink
 * blocks at log_stop() (the rest is dropped after 1 s; a writer caught inside write(2) is left
 * behind with its ring, and frees it if it ever returns). */
#include "mintd/log.h"
#include "journal.h"
#include "log_line.h"
#include "log_ring.h"
#include "mintd/clock.h"
#include "mintd/thread.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SINK STDERR_FILENO
#define PIPE_BATCH PIPE_BUF      /* a pipe takes that much whole, and without blocking after poll */
#define FILE_BATCH (32u * 1024u) /* a file takes any, and is always ready */
#define GATHER_NS UINT64_C(5000000)
#define GATHER_BYTES (LOG_QUEUE_BYTES / 4u) /* so many are enough */
#define STOP_WAIT_NS UINT64_C(1000000000)
#define STUCK_WAIT_NS UINT64_C(200000000) /* for a writer that overran STOP_WAIT_NS */
#define DIRECT_WAIT_NS UINT64_C(1000000000)
#define POLL_MS 50 /* how soon a writer before a blocked sink sees log_stop() */
#define WRITER_STACK (64u * 1024u)

_Static_assert(LOG_LINE_MAX < PIPE_BATCH, "a batch has room for any line");

/* The writer sets IDLE and GATHERS; a line that shall end its wait sets what comes next, and
 * signals. */
enum writer_state {
    WRITER_IDLE,    /* waits for a line */
    WRITER_GATHERS, /* lets more lines come */
    WRITER_WRITES   /* until the ring is empty */
};

struct log_writer {
    pthread_t thread;
    enum writer_state state;
    uint64_t stop_at; /* monotonic; 0: not stopping */
    bool ended;
    bool abandoned; /* then the thread owns the struct */
    bool torn;      /* the thread's: the sink failed inside a line */
    bool to_file;
    size_t batch_max;
    char batch[FILE_BATCH]; /* the thread's */
    struct log_ring ring;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* The writer's state was set, stop was asked for, or the writer ended. */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct log_writer *writer; /* under the mutex; NULL: lines are written directly */
static uint64_t dropped_untold;   /* under the mutex */
static _Atomic uint64_t dropped;
static _Atomic int threshold = LOG_INFO;
static _Atomic int chosen_format = LOG_FORMAT_AUTO;
static _Atomic bool to_journal;

bool log_enabled(enum log_level level) {
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_level(enum log_level level) {
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool log_level_parse(struct slice name, enum log_level *level) {
    for (enum log_level l = LOG_DEBUG; l < LOG_SILENT; l++) {
        if (slice_equal(name, log_level_name(l))) {
            *level = l;
            return true;
        }
    }
    return false;
}

uint64_t log_dropped(void) {
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

/* With the mutex. */
static void count_dropped(uint64_t lines) {
    atomic_fetch_add_explicit(&dropped, lines, memory_order_relaxed);
    dropped_untold += lines;
}

static uint64_t count_lines(struct slice lines) {
    uint64_t count = 0;
    for (size_t i = 0; i < lines.size; i++) {
        count += lines.data[i] == '\n' ? 1 : 0;
    }
    return count;
}

/* ---- the sink ---- */

/* Whether a write can be tried now, or after at most wait_ms. A sink in error is: the write tells.
 */
static bool sink_is_ready(int wait_ms) {
    struct pollfd sink = {.fd = SINK, .events = POLLOUT};
    return poll(&sink, 1, wait_ms) > 0;
}

/* One write of at most a batch, after sink_is_ready(). Returns the bytes written, 0 where
 * it is to be tried again, or -1 where the sink fails. */
static ssize_t sink_write(struct slice lines) {
    ssize_t written = write(SINK, lines.data, lines.size);
    bool again = written < 0 && (errno == EINTR || errno == EAGAIN);
    return again ? 0 : written;
}

static void write_directly(struct slice line) {
    uint64_t give_up_at = clock_monotonic_ns() + DIRECT_WAIT_NS;
    while (line.size != 0) {
        ssize_t written = sink_is_ready(POLL_MS) ? sink_write(line) : 0;
        if (written < 0 || (written == 0 && clock_monotonic_ns() >= give_up_at)) {
            pthread_mutex_lock(&mutex);
            count_dropped(1);
            pthread_mutex_unlock(&mutex);
            return;
        }
        line = slice_skip(line, (size_t)written);
    }
}

/* Drops what is queued. With the mutex. */
static void drop_all(struct log_writer *w) {
    char batch[PIPE_BATCH];
    while (w->ring.size != 0) {
        count_dropped(count_lines(log_ring_take(&w->ring, batch, sizeof(batch))));
    }
}

/* ---- the writer's thread ---- */

/* With the mutex. */
static bool is_overdue(const struct log_writer *w) {
    return w->stop_at != 0 && clock_monotonic_ns() >= w->stop_at;
}

static bool must_give_up(const struct log_writer *w) {
    pthread_mutex_lock(&mutex);
    bool overdue = is_overdue(w);
    pthread_mutex_unlock(&mutex);
    return overdue;
}

/* Returns what could not be written. */
static struct slice write_batch(struct log_writer *w, struct slice batch) {
    struct slice rest = batch;
    while (rest.size != 0 && !must_give_up(w)) {
        ssize_t written = w->to_file || sink_is_ready(POLL_MS) ? sink_write(rest) : 0;
        if (written < 0) {
            break;
        }
        rest = slice_skip(rest, (size_t)written);
    }
    if (rest.size != batch.size) {
        w->torn = rest.data[-1] != '\n';
    }
    return rest;
}

static struct timespec timespec_of(uint64_t ns) {
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

/* Until that time (monotonic), or until there is a signal; false: it is time. With the mutex: gives
 * it up while waiting. */
static bool wait_until(uint64_t ns) {
    struct timespec until = timespec_of(ns);
    return pthread_cond_clockwait(&changed, &mutex, CLOCK_MONOTONIC, &until) != ETIMEDOUT;
}

/* With the mutex: gives it up while waiting. */
static void gather(struct log_writer *w) {
    uint64_t until = clock_monotonic_ns() + GATHER_NS;
    while (w->state == WRITER_GATHERS && w->stop_at == 0 && wait_until(until)) {
    }
}

/* Waits for lines; false where the writer has nothing left to do. With the mutex. */
static bool wait_for_lines(struct log_writer *w) {
    if (w->ring.size == 0) {
        w->state = WRITER_GATHERS;
        gather(w);
    }
    if (w->ring.size == 0) {
        w->state = WRITER_IDLE;
        while (w->state == WRITER_IDLE && w->stop_at == 0) {
            pthread_cond_wait(&changed, &mutex);
        }
        gather(w);
    }
    w->state = WRITER_WRITES;
    return w->ring.size != 0 && !is_overdue(w);
}

/* The next batch; a newline before it ends a line that was torn. With the mutex. */
static struct slice take_batch(struct log_writer *w) {
    w->batch[0] = '\n';
    struct slice lines = log_ring_take(&w->ring, w->batch + 1, w->batch_max - 1);
    return w->torn ? slice_of(w->batch, lines.size + 1) : lines;
}

static void *run_writer(void *argument) {
    struct log_writer *w = argument;
    thread_name("log");
    pthread_mutex_lock(&mutex);
    while (wait_for_lines(w)) {
        struct slice batch = take_batch(w);
        pthread_mutex_unlock(&mutex);
        struct slice unwritten = write_batch(w, batch);
        pthread_mutex_lock(&mutex);
        bool has_newline_before = unwritten.data == w->batch; /* see take_batch() */
        count_dropped(count_lines(unwritten) - (has_newline_before ? 1 : 0));
    }
    drop_all(w);
    w->ended = true;
    bool is_mine = w->abandoned;
    if (!is_mine) {
        writer = NULL; /* at once: a later line would find nobody to write it */
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&mutex);
    if (is_mine) {
        free(w);
    }
    return NULL;
}

/* ---- lines ---- */

static bool format_is_json(void) {
    int format = atomic_load_explicit(&chosen_format, memory_order_relaxed);
    return format == LOG_FORMAT_AUTO ? isatty(SINK) == 0 : format == LOG_FORMAT_JSON;
}

static struct slice format_line(char storage[LOG_LINE_MAX], enum log_level level,
                                const char *message, const struct log_field *fields) {
    struct buffer out = buffer_of(storage, LOG_LINE_MAX);
    struct log_line line = {clock_wall_ms(), level, message, fields,
                            atomic_load_explicit(&to_journal, memory_order_relaxed)};
    log_line_format(&line, format_is_json(), &out);
    return buffer_slice(&out);
}

/* What tells of the lines dropped since the last such line; empty where there were none. With the
 * mutex. */
static struct slice format_loss(char storage[LOG_LINE_MAX]) {
    if (dropped_untold == 0) {
        return S("");
    }
    const struct log_field fields[] = {LOG_NUMBER("lines", dropped_untold), LOG_END};
    return format_line(storage, LOG_WARNING, "log lines dropped", fields);
}

/* Whether a line that has come ends the writer's wait, and sets what it does then. With the mutex.
 */
static bool ends_the_wait(struct log_writer *w, enum log_level level) {
    enum writer_state state = w->state;
    if (level >= LOG_WARNING || w->ring.size >= GATHER_BYTES) {
        w->state = WRITER_WRITES;
    } else if (state == WRITER_IDLE) {
        w->state = WRITER_GATHERS;
    }
    return w->state != state;
}

/* Whether the writer is to be told. With the mutex. */
static bool enqueue(struct log_writer *w, enum log_level level, struct slice line) {
    char storage[LOG_LINE_MAX];
    struct slice loss = format_loss(storage);
    if (loss.size + line.size > log_ring_room(&w->ring)) {
        count_dropped(1);
        return false;
    }
    if (loss.size != 0) {
        log_ring_put(&w->ring, loss);
        dropped_untold = 0;
    }
    log_ring_put(&w->ring, line);
    return ends_the_wait(w, level);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
    if (!log_enabled(level)) {
        return;
    }
    char storage[LOG_LINE_MAX];
    struct slice line = format_line(storage, level, message, fields);
    pthread_mutex_lock(&mutex);
    bool direct = writer == NULL;
    bool is_awaited = !direct && enqueue(writer, level, line);
    pthread_mutex_unlock(&mutex);
    if (is_awaited) {
        pthread_cond_signal(&changed); /* the writer needs the mutex first of all */
    }
    if (direct) {
        write_directly(line);
    }
}

/* ---- start and stop ---- */

static bool is_file(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static int writer_start(struct log_writer *w) {
    w->to_file = is_file(SINK);
    w->batch_max = w->to_file ? FILE_BATCH : PIPE_BATCH;
    return thread_start(&w->thread, WRITER_STACK, run_writer, w);
}

int log_start(enum log_format format, enum log_level level) {
    log_set_level(level);
    atomic_store_explicit(&to_journal, journal_is_behind(SINK), memory_order_relaxed);
    atomic_store_explicit(&chosen_format, (int)format, memory_order_relaxed);
    atomic_store_explicit(&chosen_format, format_is_json() ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
                          memory_order_relaxed);
    pthread_mutex_lock(&mutex);
    bool runs = writer != NULL;
    pthread_mutex_unlock(&mutex);
    if (runs) {
        return EALREADY;
    }
    struct log_writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return ENOMEM;
    }
    int error = writer_start(w);
    if (error != 0) {
        free(w);
        return error;
    }
    pthread_mutex_lock(&mutex);
    writer = w;
    pthread_mutex_unlock(&mutex);
    return 0;
}

/* With the mutex: gives it up while waiting. False where the writer is stuck inside write(2). */
static bool wait_for_end(struct log_writer *w) {
    uint64_t until = w->stop_at + STUCK_WAIT_NS;
    while (!w->ended && wait_until(until)) {
    }
    return w->ended;
}

void log_stop(void) {
    pthread_mutex_lock(&mutex);
    struct log_writer *w = writer;
    if (w == NULL) {
        pthread_mutex_unlock(&mutex);
        return;
    }
    w->stop_at = clock_monotonic_ns() + STOP_WAIT_NS;
    pthread_cond_signal(&changed);
    pthread_t thread = w->thread;
    bool ended = wait_for_end(w);
    if (!ended) {
        w->abandoned = true;
        writer = NULL;
        drop_all(w);
    }
    pthread_mutex_unlock(&mutex);
    if (!ended) {
        pthread_detach(thread);
        return;
    }
    pthread_join(thread, NULL);
    free(w);
}
