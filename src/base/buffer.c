#include "mintd/buffer.h"
#include "json_text.h"
#include <stdarg.h>
#include <stdio.h>

static const char digit_pairs[] = "00010203040506070809"
                                  "10111213141516171819"
                                  "20212223242526272829"
                                  "30313233343536373839"
                                  "40414243444546474849"
                                  "50515253545556575859"
                                  "60616263646566676869"
                                  "70717273747576777879"
                                  "80818283848586878889"
                                  "90919293949596979899";

void buffer_append_number(struct buffer *b, uint64_t number) {
    if (number < 10) {
        buffer_append_char(b, (char)('0' + number));
        return;
    }
    char digits[20]; /* of 2^64 - 1 */
    size_t first = sizeof(digits);
    for (; number >= 10; number /= 100) {
        first -= 2;
        memcpy(digits + first, digit_pairs + 2 * (number % 100), 2);
    }
    if (number != 0 || first == sizeof(digits)) {
        digits[--first] = (char)('0' + number);
    }
    buffer_append(b, slice_of(digits + first, sizeof(digits) - first));
}

void buffer_append_json(struct buffer *b, struct slice s) {
    size_t size_before = b->size;
    bool overflow_before = b->overflow;
    b->overflow = false;
    buffer_append_char(b, '"');
    json_text_append(b, s, JSON_TEXT_PLAIN);
    buffer_append_char(b, '"');
    if (b->overflow) {
        b->size = size_before;
    }
    b->overflow |= overflow_before;
}

static void set_digits(char *out, uint64_t number, size_t width) {
    while (width != 0) {
        out[--width] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Days since 1970-01-01 as a date of the Gregorian calendar, in years that begin in March, so that
 * the leap day is the last of its year. */
static void set_date(char *out, uint64_t days) {
    uint64_t shifted = days + 719468; /* since 0000-03-01 */
    uint64_t era = shifted / 146097;  /* of 400 years */
    uint64_t day_of_era = shifted % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t march_month = (5 * day_of_year + 2) / 153;
    uint64_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
    uint64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
    uint64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
    set_digits(out, year, 4);
    set_digits(out + 5, month, 2);
    set_digits(out + 8, day, 2);
}

void buffer_append_iso8601(struct buffer *b, uint64_t epoch_ms) {
    const uint64_t end_of_9999 = UINT64_C(253402300799999);
    uint64_t ms = epoch_ms < end_of_9999 ? epoch_ms : end_of_9999;
    uint64_t seconds = ms / 1000;
    char text[] = "0000-00-00T00:00:00.000Z";
    set_date(text, seconds / 86400);
    set_digits(text + 11, seconds / 3600 % 24, 2);
    set_digits(text + 14, seconds / 60 % 60, 2);
    set_digits(text + 17, seconds % 60, 2);
    set_digits(text + 20, ms % 1000, 3);
    buffer_append(b, slice_of(text, sizeof(text) - 1));
}

void buffer_append_format(struct buffer *b, const char *format, ...) {
    size_t room = b->capacity - b->size;
    char none[1];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(room == 0 ? none : b->data + b->size, room, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= room) {
        b->overflow = true;
        return;
    }
    b->size += (size_t)size;
}
