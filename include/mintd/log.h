/* log.h: structured lines on standard error: text on a terminal, elsewhere one JSON object for
 * each line.
 *
 * A call formats its line on the caller's stack and puts it into a bounded queue. The log's own
 * thread writes it, so a sink that blocks never blocks an event loop. A line below LOG_WARNING
 * waits up to 5 ms for others, so that they share one write. Where the queue is full, the line is
 * dropped and counted (log_dropped()). Control bytes and bytes that are not UTF-8 are
 * escaped, so a line is always one line. Never pass a secret, a token or an Authorization header:
 * pass the token's id (jti).
 *
 * Where standard error is systemd's journal (JOURNAL_STREAM), each line begins with its priority,
 * for example "<6>" for info, and text lines have no time of their own.
 *
 *     log_info("token minted", LOG_TEXT("client", id), LOG_NUMBER("ttl_s", 3600));
 *
 * Before log_start() and after log_stop() the caller writes its lines itself. Any thread may
 * log. */
#ifndef MINTD_LOG_H
#define MINTD_LOG_H

#include "mintd/slice.h"
#include <stdint.h>

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
    LOG_SILENT /* only for log_start(): no line is written */
};
enum log_format {
    LOG_FORMAT_AUTO,
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON
}; /* AUTO: text on a terminal, else JSON */

#define LOG_LINE_MAX 2048u /* a longer line loses its last fields and says "truncated" */
#define LOG_QUEUE_BYTES (256u * 1024u) /* room for lines that wait for the sink */

struct log_field {
    struct slice name;              /* of letters, digits and "_"; absent: ends a list */
    struct slice text;              /* absent: the field is left out */
    int64_t number;                 /* where is_number, in place of text */
    bool is_number, in_thousandths; /* in_thousandths: 1234 is written as 1.234 */
};

#define LOG_TEXT(field_name, value)                                                                \
    { .name = slice_of_string(field_name), .text = (value) }
#define LOG_STRING(field_name, value)                                                              \
    { .name = slice_of_string(field_name), .text = slice_of_string(value) }
#define LOG_NUMBER(field_name, value)                                                              \
    { .name = slice_of_string(field_name), .number = (int64_t)(value), .is_number = true }

#define LOG_THOUSANDTHS(field_name, value)                                                         \
    {                                                                                              \
        .name = slice_of_string(field_name), .number = (int64_t)(value), .is_number = true,        \
        .in_thousandths = true                                                                     \
    }

/* Starts the writer. Returns 0 or an errno value; on failure the log goes on writing directly. */
int log_start(enum log_format format, enum log_level level);
/* Writes what is queued, for at most 1 s, and ends the writer. */
void log_stop(void);
/* How many lines were dropped since the start. */
uint64_t log_dropped(void);
/* "debug", "info", "warning" or "error", and the other way round. False: the name is none of
 * them. */
struct slice log_level_name(enum log_level level);
bool log_level_parse(struct slice name, enum log_level *level);
/* Replaces the level of log_start() from now on. */
void log_set_level(enum log_level level);
/* Whether a line of this level is written. Ask before costly preparation. */
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* LOG_END behind the arguments lets a call have no field at all. */
#define log_line(level, message, ...)                                                              \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            log_write((level), (message), (const struct log_field[]){__VA_ARGS__});                \
        }                                                                                          \
    } while (0)
#define LOG_END                                                                                    \
    { .name = SLICE_ABSENT }
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__, LOG_END)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__, LOG_END)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__, LOG_END)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__, LOG_END)

#endif
