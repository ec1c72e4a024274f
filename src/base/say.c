#include "mintd/say.h"

#include "base/json_text.h"
#include <stdarg.h>
#include <stdio.h>

static _Thread_local struct {
    void (*listener)(void *context, const char *line); /* NULL: standard error */
    void *context;
} here;

void say_to(void (*listener)(void *context, const char *line), void *context) {
    here.listener = listener;
    here.context = context;
}

void say(const char *format, ...) {
    va_list values;
    va_start(values, format);
    if (here.listener != NULL) {
        char line[SAY_LINE_MAX];
        vsnprintf(line, sizeof line, format, values);
        here.listener(here.context, line);
    } else {
        fflush(stdout);
        fputs("mintctl: ", stderr);
        vfprintf(stderr, format, values);
        fputc('\n', stderr);
    }
    va_end(values);
}

void say_no_memory(void) {
    say("out of memory");
}

const char *visible(struct slice text, char *storage, size_t size) {
    struct buffer out = buffer_of(storage, size - 1);
    text.size = text.size < size ? text.size : size - 1;
    json_text_append(&out, text, JSON_TEXT_VISIBLE);
    while (out.overflow) { /* an escape is longer than what it stands for */
        text.size -= text.size / 8 + 1;
        out = buffer_of(storage, size - 1);
        json_text_append(&out, text, JSON_TEXT_VISIBLE);
    }
    storage[out.size] = '\0';
    return storage;
}
