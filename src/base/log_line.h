/* log_line.h: one log line as text or as a JSON object. */
#ifndef MINTD_BASE_LOG_LINE_H
#define MINTD_BASE_LOG_LINE_H

#include "mintd/buffer.h"
#include "mintd/log.h"

struct log_line {
    uint64_t epoch_ms;
    enum log_level level;
    const char *message;
    const struct log_field *fields; /* ends with an absent name; may be NULL */
    bool to_journal;                /* "<N>" first; it notes the time itself, so text has none */
};

/* Appends the line with its newline to an empty buffer of LOG_LINE_MAX bytes; it always fits. */
void log_line_format(const struct log_line *line, bool json, struct buffer *out);

#endif
