/* starve: fails allocations of a running process, as a test tells it to through a file that both
 * have mapped (tests/torture/starving.py). It is loaded ahead of libc (LD_PRELOAD), where all
 * allocations are seen but those that glibc makes inside of itself; or, where a sanitizer has an
 * allocator of its own, linked with the program (STARVE_LINKED and --wrap), where those of shared
 * libraries are seen that have been given malloc() and its like (libuv, OpenSSL).
 *
 *     MINTD_STARVE=FILE    64 words of 8 bytes, native order, made by whoever tells:
 *                          first, last: of the allocations from now on, numbered from 1, those from
 *                              first to last fail; first 0: nothing is counted and nothing fails
 *                          calls, failed: how many there were and how many failed; whoever sets
 *                              first sets these to 0 before
 *                          live: pieces of memory that have been given and not taken back
 *                          two stacks of 24 return addresses, 0 ends them: of the first that
 *                              failed, and of where a signal ended the process */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef STARVE_LINKED
#define OURS(name) __wrap_##name
#define REAL(name) __real_##name
#else
#define OURS(name) name
#define REAL(name) __libc_##name
#endif

#define STACK_MAX 24

struct control {
    _Atomic uint64_t first, last, calls, failed, live;
    _Atomic uint64_t failed_at[STACK_MAX], ended_at[STACK_MAX];
};

extern void *REAL(malloc)(size_t size);
extern void *REAL(calloc)(size_t count, size_t size);
extern void *REAL(realloc)(void *old, size_t size);
extern void REAL(free)(void *memory);
void *OURS(malloc)(size_t size);
void *OURS(calloc)(size_t count, size_t size);
void *OURS(realloc)(void *old, size_t size);
void OURS(free)(void *memory);

static struct control before_the_file;
static struct control *control = &before_the_file;

static void note_stack(_Atomic uint64_t *stack) {
    void *addresses[STACK_MAX];
    int depth = backtrace(addresses, STACK_MAX);
    for (int i = 0; i < depth; i++) {
        atomic_store(&stack[i], (uintptr_t)addresses[i]);
    }
}

static bool fails(void) {
    uint64_t first = atomic_load(&control->first);
    if (first == 0) {
        return false;
    }
    uint64_t number = atomic_fetch_add(&control->calls, 1) + 1;
    if (number < first || number > atomic_load(&control->last)) {
        return false;
    }
    if (atomic_fetch_add(&control->failed, 1) == 0) {
        note_stack(control->failed_at);
    }
    errno = ENOMEM;
    return true;
}

static void *noted(void *memory) {
    if (memory != NULL) {
        atomic_fetch_add_explicit(&control->live, 1, memory_order_relaxed);
    }
    return memory;
}

void *OURS(malloc)(size_t size) {
    return fails() ? NULL : noted(REAL(malloc)(size));
}

void *OURS(calloc)(size_t count, size_t size) {
    return fails() ? NULL : noted(REAL(calloc)(count, size));
}

void *OURS(realloc)(void *old, size_t size) {
    if (old == NULL) {
        return OURS(malloc)(size);
    }
    if (size == 0) {
        OURS(free)(old);
        return NULL;
    }
    return fails() ? NULL : REAL(realloc)(old, size);
}

void OURS(free)(void *memory) {
    if (memory != NULL) {
        atomic_fetch_sub_explicit(&control->live, 1, memory_order_relaxed);
    }
    REAL(free)(memory);
}

#ifndef STARVE_LINKED

extern void *__libc_memalign(size_t alignment, size_t size);

void *aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : noted(__libc_memalign(alignment, size));
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    void *got = fails() ? NULL : noted(__libc_memalign(alignment, size));
    if (got == NULL) {
        return ENOMEM;
    }
    *memory = got;
    return 0;
}

#endif

/* ---- the end ---- */

static void on_end(int number) {
    note_stack(control->ended_at);
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_ends(void) {
    signal(SIGABRT, on_end);
#ifndef STARVE_LINKED /* a sanitizer tells it better */
    signal(SIGSEGV, on_end);
    signal(SIGBUS, on_end);
#endif
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MINTD_STARVE");
    if (strcmp(program_invocation_short_name, "setpriv") == 0) {
        return; /* it becomes the program */
    }
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        return;
    }
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED) {
        return;
    }
    unsetenv("MINTD_STARVE"); /* for the commands that it runs */
    unsetenv("LD_PRELOAD");
    void *address;
    backtrace(&address, 1); /* its first call takes memory */
    watch_ends();
    control = mapped;
    atomic_fetch_add(&control->live, atomic_load(&before_the_file.live));
}
