/* top.c: mintctl top: the instances and what they do, from their heartbeats, again and again. */
#include "mintd/clock.h"
#include "mintd/quantity.h"
#include "output.h"
#include "screen.h"
#include "settings.h"
#include "top_rows.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_DEFAULT 2u
#define INTERVAL_MAX 3600u
#define OTHER_LINES 5u /* of the screen, besides the rows and their head */
#define LATE_S 10u     /* an instance has missed a beat */
#define WORDS_MAX 1024u

static const char keys[] = "q quits; sort: name minted validated refused answered connections "
                           "age(g) workers caching(h) uptime";

struct top {
    struct redis *redis;
    struct instances instances;
    struct top_rows rows;
    enum top_column sort;
    unsigned interval_s;
    bool may_look;
    char trouble[WORDS_MAX]; /* why the rows are those of before; empty: they are not */
};

static enum status read_rows(struct top *top) {
    instances_fini(&top->instances);
    enum status status = redis_again(top->redis);
    if (status == STATUS_DONE) {
        status = instances_read(top->redis, INSTANCES_LOOK, &top->instances, &top->may_look);
    }
    top_rows_make(&top->rows, &top->instances, top->sort);
    if (status == STATUS_DONE && !top->may_look && !top->instances.is_no_set) {
        say("the user of --redis may not read the list of instances");
    }
    instances_say_flaws(top->redis, &top->instances);
    return status != STATUS_DONE                        ? status
           : top->instances.unanswered != 0             ? STATUS_REDIS
           : !top->may_look || top->instances.is_no_set ? STATUS_REFUSED
                                                        : STATUS_DONE;
}

/* ---- on a screen ---- */

struct frame {
    FILE *out;
    const struct top *top;
    unsigned columns;
};

static void put_row(void *context, const struct top_row *row, const char *line) {
    const struct frame *frame = context;
    const char *before = "", *after = "";
    if (row == NULL) {
        before = "\033[7m", after = "\033[0m"; /* bright on dark is no colour */
    } else if (output_has_colours() && (row->is_draining || row->numbers[TOP_AGE] > LATE_S)) {
        before = row->is_draining ? "\033[33m" : "\033[31m", after = "\033[0m";
    }
    fprintf(frame->out, "%s%-*s%s\033[K\r\n", before, row == NULL ? (int)frame->columns : 0, line,
            after);
}

static void put_words(const struct frame *frame, const char *words) {
    fprintf(frame->out, "%.*s\033[K\r\n", (int)frame->columns, words);
}

static void put_head(const struct frame *frame) {
    const struct top *top = frame->top;
    const struct redis_target *target = redis_target_of(top->redis);
    char words[2 * WORDS_MAX], time[TIME_TEXT];
    snprintf(words, sizeof words, "%zu instance%s  by %s, every %u s  %s  %s, prefix %.*s",
             top->rows.count, top->rows.count == 1 ? "" : "s", top_column_word(top->sort),
             top->interval_s, time_text(clock_wall_ms() / 1000, time), target->address,
             (int)target->prefix.size, target->prefix.data);
    put_words(frame, words);
    snprintf(words, sizeof words,
             "minted %.1f/s, validated %.1f/s, refused %.1f/s, answered %.1f/s, "
             "%.0f connection%s",
             top->rows.sums[TOP_MINTED], top->rows.sums[TOP_VALIDATED], top->rows.sums[TOP_REFUSED],
             top->rows.sums[TOP_ANSWERED], top->rows.sums[TOP_CONNECTIONS],
             top->rows.sums[TOP_CONNECTIONS] == 1 ? "" : "s");
    put_words(frame, words);
    put_words(frame, top->trouble);
}

/* One write for all of it, so that nothing flickers. */
static void draw(const struct top *top) {
    struct screen_size size = screen_size();
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return; /* the screen stays as it was */
    }
    struct frame frame = {out, top, size.columns};
    size_t room = size.rows > OTHER_LINES ? size.rows - OTHER_LINES : 1;
    fputs("\033[H", out);
    put_head(&frame);
    top_rows_print(&top->rows, size.columns, room, put_row, &frame);
    fprintf(out, "\033[J\033[%u;1H", size.rows);
    if (top->rows.count > room) {
        fprintf(out, "%zu more below; ", top->rows.count - room);
    }
    unsigned left = top->rows.count > room ? size.columns / 2 : size.columns;
    fprintf(out, "%.*s\033[K", (int)left, keys);
    if (fclose(out) == 0) {
        fwrite(text, 1, bytes, stdout);
        fflush(stdout);
    }
    free(text);
}

static void on_trouble(void *context, const char *line) {
    struct top *top = context;
    snprintf(top->trouble, sizeof top->trouble, "%s", line);
}

/* What is said meanwhile has its line on the screen. Rows that cannot be read are those that have
 * none, and the trouble says why. */
static void refresh(struct top *top) {
    top->trouble[0] = '\0';
    say_to(on_trouble, top);
    read_rows(top);
    say_to(NULL, NULL);
}

static enum status show(struct top *top) {
    uint64_t next = 0;
    for (;;) {
        uint64_t now = clock_monotonic_ms();
        if (now >= next) {
            refresh(top);
            next = clock_monotonic_ms() + 1000u * top->interval_s;
        }
        draw(top);
        now = clock_monotonic_ms();
        char key = '\0';
        switch (screen_wait(next > now ? (unsigned)(next - now) : 0, &key)) {
        case SCREEN_GONE:
            return STATUS_REFUSED;
        case SCREEN_KEY:
            if (key == 'q') {
                return STATUS_DONE;
            }
            if (top_column_of_key(key, &top->sort)) {
                top_rows_make(&top->rows, &top->instances, top->sort);
            }
            break;
        case SCREEN_TIME:
        case SCREEN_AGAIN:
            break;
        }
    }
}

static enum status show_on_screen(struct top *top) {
    if (!screen_start()) {
        say("there is no terminal: say --once, --json or --csv");
        return STATUS_USAGE;
    }
    enum status status = show(top);
    screen_end();
    return status;
}

/* ---- for programs ---- */

static void print_line(void *context, const struct top_row *row, const char *line) {
    (void)context;
    printf("%s%s\n", line, row != NULL && row->is_draining ? "  (draining)" : "");
}

static enum status print_rows(const struct top *top, const struct arguments *arguments) {
    uint64_t now_s = clock_shared_ms() / 1000;
    if (arguments_has(arguments, "--csv")) {
        top_rows_print_csv(&top->rows, now_s);
    } else if (arguments_has(arguments, "--json")) {
        cJSON *json = top_rows_json(&top->rows, &top->instances, now_s);
        if (!json_print_line(json)) {
            return STATUS_REFUSED;
        }
    } else {
        top_rows_print(&top->rows, 200, INSTANCES_MAX, print_line, NULL);
    }
    return fflush(stdout) == 0 ? STATUS_DONE : STATUS_REFUSED;
}

/* Once, or until the reader goes or somebody ends it. */
static enum status print_all(struct top *top, const struct arguments *arguments) {
    bool once = arguments_has(arguments, "--once");
    enum status status;
    if (arguments_has(arguments, "--csv")) {
        top_rows_print_csv_head();
    }
    do {
        status = read_rows(top);
        bool has_rows = status == STATUS_DONE || top->rows.count != 0;
        enum status printed = has_rows ? print_rows(top, arguments) : STATUS_DONE;
        status = status == STATUS_DONE ? printed : status;
        if (printed != STATUS_DONE) {
            return printed;
        }
        if (!once) {
            nanosleep(&(struct timespec){.tv_sec = top->interval_s}, NULL);
        }
    } while (!once);
    return status;
}

/* ---- the command ---- */

static enum status read_arguments(struct top *top, const struct arguments *arguments) {
    const char *sort = arguments_value(arguments, "--sort");
    const char *interval = arguments_value(arguments, "--interval");
    unsigned long long seconds = INTERVAL_DEFAULT;
    top->sort = TOP_ANSWERED;
    if (sort != NULL && !top_column_of(sort, &top->sort)) {
        say("--sort: there is no such column (mintctl top -h lists all)");
        return STATUS_USAGE;
    }
    if (interval != NULL &&
        (!quantity_seconds(slice_of_string(interval), INTERVAL_MAX, &seconds) || seconds == 0)) {
        say("--interval: it is 1s to 1h");
        return STATUS_USAGE;
    }
    top->interval_s = (unsigned)seconds;
    if (arguments_has(arguments, "--json") && arguments_has(arguments, "--csv")) {
        say("--json: --csv is given too: keep one");
        return STATUS_USAGE;
    }
    return STATUS_DONE;
}

static enum status run(struct top *top, const struct arguments *arguments) {
    bool for_programs = arguments_has(arguments, "--once") || arguments_has(arguments, "--json") ||
                        arguments_has(arguments, "--csv");
    enum status status = read_arguments(top, arguments);
    if (status == STATUS_DONE) {
        status = open_redis(arguments, REDIS_SOME_NODES, &top->redis);
    }
    if (status == STATUS_DONE) {
        status = for_programs ? print_all(top, arguments) : show_on_screen(top);
    }
    instances_fini(&top->instances);
    redis_close(top->redis);
    return status;
}

enum status show_top(const struct arguments *arguments) {
    struct top *top = calloc(1, sizeof *top);
    if (top == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    enum status status = run(top, arguments);
    free(top);
    return status;
}
