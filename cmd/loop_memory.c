#include "loop_memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* Only tables are resized. No stream, which would need memory, and no exit handlers: other threads
 * run. */
static void *resize(void *memory, size_t size) {
    static const char why[] = ": not enough memory for an event loop\n";
    const char *program = program_invocation_short_name;
    void *resized = realloc(memory, size);
    if (resized == NULL && size != 0) {
        ssize_t ignored = write(STDERR_FILENO, program, strlen(program));
        ignored += write(STDERR_FILENO, why, sizeof why - 1);
        (void)ignored;
        _exit(1);
    }
    return resized;
}

void loop_memory_watch(void) {
    uv_replace_allocator(malloc, resize, calloc, free); /* fails only without one of these */
}
