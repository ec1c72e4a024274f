#include "log_line.h"
#include "journal.h"
#include "json_text.h"

#define MESSAGE_MAX 256u /* its bytes; at six a byte it still leaves room for the rest */

static const struct slice truncated_json = SLICE(",\"truncated\":true}\n");
static const struct slice truncated_text = SLICE("  truncated=true\n");

struct slice log_level_name(enum log_level level) {
    static const struct slice names[] = {
        [LOG_DEBUG] = SLICE("debug"),
        [LOG_INFO] = SLICE("info"),
        [LOG_WARNING] = SLICE("warning"),
        [LOG_ERROR] = SLICE("error"),
    };
    return names[level];
}

static void append_quoted(struct buffer *out, struct slice s) {
    buffer_append_char(out, '"');
    json_text_append(out, s, JSON_TEXT_VISIBLE);
    buffer_append_char(out, '"');
}

static void append_integer(struct buffer *out, int64_t number) {
    if (number < 0) {
        buffer_append_char(out, '-');
    }
    buffer_append_number(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void append_number(struct buffer *out, const struct log_field *field) {
    if (!field->in_thousandths) {
        append_integer(out, field->number);
        return;
    }
    append_integer(out, field->number / 1000);
    buffer_append_format(out, ".%03u", (unsigned)(field->number % 1000));
}

/* Whether a value can stand in a text line without quotes. */
static bool is_bare(struct slice s) {
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        bool is_plain = c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
        if (!is_plain) {
            return false;
        }
    }
    return s.size != 0;
}

static void append_json_field(struct buffer *out, const struct log_field *field) {
    buffer_append_char(out, ',');
    append_quoted(out, slice_of_string(field->name));
    buffer_append_char(out, ':');
    if (field->is_number) {
        append_number(out, field);
    } else {
        append_quoted(out, field->text);
    }
}

static void append_text_field(struct buffer *out, const struct log_field *field, bool first) {
    buffer_append(out, first ? S("  ") : S(" "));
    json_text_append(out, slice_of_string(field->name), JSON_TEXT_VISIBLE);
    buffer_append_char(out, '=');
    if (field->is_number) {
        append_number(out, field);
    } else if (is_bare(field->text)) {
        buffer_append(out, field->text);
    } else {
        append_quoted(out, field->text);
    }
}

static void append_head(struct buffer *out, const struct log_line *line, struct slice message,
                        bool json) {
    if (line->to_journal) {
        buffer_append(out, journal_prefix(line->level));
    }
    if (json) {
        buffer_append(out, S("{\"time\":\""));
        buffer_append_iso8601(out, line->epoch_ms);
        buffer_append(out, S("\",\"level\":\""));
        buffer_append(out, log_level_name(line->level));
        buffer_append(out, S("\",\"message\":"));
        append_quoted(out, message);
        return;
    }
    if (!line->to_journal) {
        buffer_append_iso8601(out, line->epoch_ms);
        buffer_append_char(out, ' ');
    }
    buffer_append(out, log_level_name(line->level));
    buffer_append(out, S("  "));
    json_text_append(out, message, JSON_TEXT_VISIBLE);
}

/* Appends fields while they fit; false where one did not. */
static bool append_fields(struct buffer *out, const struct log_field *fields, bool json) {
    bool first = true;
    for (const struct log_field *field = fields; field != NULL && field->name != NULL; field++) {
        if (!field->is_number && slice_is_absent(field->text)) {
            continue;
        }
        size_t size_before = out->size;
        if (json) {
            append_json_field(out, field);
        } else {
            append_text_field(out, field, first);
        }
        if (out->overflow) {
            out->size = size_before;
            out->overflow = false;
            return false;
        }
        first = false;
    }
    return true;
}

void log_line_format(const struct log_line *line, bool json, struct buffer *out) {
    struct slice message = slice_of_string(line->message);
    bool whole = message.size <= MESSAGE_MAX;
    if (!whole) {
        message.size = MESSAGE_MAX;
    }
    /* The end of a truncated line always finds room. */
    struct slice truncated = json ? truncated_json : truncated_text;
    out->capacity -= truncated.size;
    append_head(out, line, message, json);
    whole = append_fields(out, line->fields, json) && whole;
    out->capacity += truncated.size;
    if (whole) {
        buffer_append(out, json ? S("}\n") : S("\n"));
    } else {
        buffer_append(out, truncated);
    }
}
