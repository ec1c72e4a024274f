#include "log_line.h"
#include "ascii_word.h"
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

/* Copies less than a word's bytes; the same bytes and spaces come back as a word. */
static uint64_t copy_short(char *out, struct slice s) {
    uint64_t word = EACH_BYTE(' ');
    if (s.size >= sizeof(uint32_t)) { /* in two halves, which may overlap */
        uint32_t halves[2];
        memcpy(&halves[0], s.data, sizeof halves[0]);
        memcpy(&halves[1], s.data + s.size - sizeof halves[1], sizeof halves[1]);
        memcpy(out, &halves[0], sizeof halves[0]);
        memcpy(out + s.size - sizeof halves[1], &halves[1], sizeof halves[1]);
        memcpy(&word, halves, sizeof word);
        return word;
    }
    for (size_t i = 0; i < s.size; i++) {
        out[i] = s.data[i];
        word = word << 8 | (uint8_t)s.data[i];
    }
    return word;
}

static uint64_t copy_word(char *out, const char *from) {
    uint64_t word;
    memcpy(&word, from, sizeof word);
    memcpy(out, &word, sizeof word);
    return word;
}

/* As memcpy(), of a name: a call would take longer. */
static void copy_name(char *out, struct slice name) {
    if (name.size < sizeof(uint64_t)) {
        copy_short(out, name);
        return;
    }
    const size_t last = name.size - sizeof(uint64_t);
    for (size_t i = 0; i < last; i += sizeof(uint64_t)) {
        copy_word(out + i, name.data + i);
    }
    copy_word(out + last, name.data + last);
}

/* Copies s by words; false where some of it needs an escape. */
static bool copy_if_plain(char *out, struct slice s) {
    if (s.size < sizeof(uint64_t)) {
        return word_specials(copy_short(out, s)) == 0;
    }
    const size_t last = s.size - sizeof(uint64_t);
    for (size_t i = 0; i < last; i += sizeof(uint64_t)) {
        if (word_specials(copy_word(out + i, s.data + i)) != 0) {
            return false;
        }
    }
    return word_specials(copy_word(out + last, s.data + last)) == 0;
}

static void append_quoted(struct buffer *out, struct slice s) {
    char *at = out->data + out->size;
    if (out->capacity - out->size >= s.size + 2 && copy_if_plain(at + 1, s)) {
        at[0] = at[s.size + 1] = '"';
        out->size += s.size + 2;
        return;
    }
    buffer_append_char(out, '"');
    json_text_append(out, s, JSON_TEXT_VISIBLE);
    buffer_append_char(out, '"');
}

/* As buffer_append_iso8601(). Most lines are of the same second as the one before. */
static void append_time(struct buffer *out, uint64_t epoch_ms) {
    static _Thread_local char text[] = "2026-11-23T21:02:37.272Z";
    static _Thread_local uint64_t second = UINT64_MAX;
    if (epoch_ms / 1000 != second) {
        struct buffer made = buffer_of(text, sizeof(text) - 1);
        buffer_append_iso8601(&made, epoch_ms);
        second = epoch_ms / 1000;
    }
    unsigned ms = (unsigned)(epoch_ms % 1000);
    char *digits = text + sizeof("2026-11-23T21:02:37.") - 1;
    digits[0] = (char)('0' + ms / 100);
    digits[1] = (char)('0' + ms / 10 % 10);
    digits[2] = (char)('0' + ms % 10);
    buffer_append(out, slice_of(text, sizeof(text) - 1));
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

static void append_json_name(struct buffer *out, struct slice name) {
    char *at = out->data + out->size;
    if (out->capacity - out->size < name.size + 4) {
        out->overflow = true;
        return;
    }
    at[0] = ',';
    at[1] = '"';
    copy_name(at + 2, name);
    at[name.size + 2] = '"';
    at[name.size + 3] = ':';
    out->size += name.size + 4;
}

static void append_json_field(struct buffer *out, const struct log_field *field) {
    append_json_name(out, field->name);
    if (field->is_number) {
        append_number(out, field);
    } else {
        append_quoted(out, field->text);
    }
}

static void append_text_field(struct buffer *out, const struct log_field *field, bool first) {
    buffer_append(out, first ? S("  ") : S(" "));
    buffer_append(out, field->name);
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
        append_time(out, line->epoch_ms);
        buffer_append(out, S("\",\"level\":\""));
        buffer_append(out, log_level_name(line->level));
        buffer_append(out, S("\",\"message\":"));
        append_quoted(out, message);
        return;
    }
    if (!line->to_journal) {
        append_time(out, line->epoch_ms);
        buffer_append_char(out, ' ');
    }
    buffer_append(out, log_level_name(line->level));
    buffer_append(out, S("  "));
    json_text_append(out, message, JSON_TEXT_VISIBLE);
}

/* Appends fields while they fit; false where one did not. */
static bool append_fields(struct buffer *out, const struct log_field *fields, bool json) {
    bool first = true;
    for (const struct log_field *field = fields; field != NULL && field->name.data != NULL;
         field++) {
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
