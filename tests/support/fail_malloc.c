/* fail_malloc: loaded ahead of libc (LD_PRELOAD), it lets one allocation fail, or all from one on:
 *
 *     MINTD_FAIL_AT=N      the Nth call of malloc() and its like since the start returns NULL, and
 *                          a line on standard error says so
 *     MINTD_FAIL_ON=1      and so does every one after it
 *
 * Linux and glibc: its allocator is called by its inner names, so nothing has to be looked up
 * before the first allocation. Calls before this library's constructor (the loader's) are not
 * counted. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static unsigned long fail_at; /* 0: never */
static bool goes_on;
static _Atomic unsigned long calls;

__attribute__((constructor)) static void read_environment(void) {
    const char *at = getenv("MINTD_FAIL_AT");
    goes_on = getenv("MINTD_FAIL_ON") != NULL;
    fail_at = at == NULL ? 0 : strtoul(at, NULL, 10);
}

static bool fails(void) {
    static const char said[] = "fail_malloc: failed\n";
    if (fail_at == 0) {
        return false;
    }
    unsigned long call = atomic_fetch_add(&calls, 1) + 1;
    if (call == fail_at && write(STDERR_FILENO, said, sizeof said - 1) < 0) {
        _exit(99); /* the test would not know */
    }
    if (call == fail_at || (goes_on && call > fail_at)) {
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    return fails() ? NULL : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    return fails() ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    void *got = fails() ? NULL : __libc_memalign(alignment, size);
    if (got == NULL) {
        return ENOMEM;
    }
    *memory = got;
    return 0;
}
