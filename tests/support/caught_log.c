#include "support/caught_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int log_file;
static int standard_error;

void caught_log_start(enum log_level level) {
    char path[] = "/tmp/mintd-log.XXXXXX";
    log_stop();
    standard_error = dup(STDERR_FILENO);
    log_file = mkstemp(path);
    assert_true(log_file >= 0);
    unlink(path);
    dup2(log_file, STDERR_FILENO);
    log_start(LOG_FORMAT_TEXT, level);
}

const char *caught_log_end(void) {
    static char text[65536];
    log_stop();
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    ssize_t size = pread(log_file, text, sizeof text - 1, 0);
    close(log_file);
    log_start(LOG_FORMAT_TEXT, LOG_SILENT);
    assert_true(size >= 0);
    text[size] = '\0';
    return text;
}

unsigned caught_log_count(const char *text, const char *words) {
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++) {
        count++;
    }
    return count;
}
