#include "fault.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The linker's names: --wrap=malloc sends malloc to __wrap_malloc, and __real_malloc to malloc. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);

static _Atomic bool armed;
static _Atomic unsigned fail_at;
static _Atomic unsigned allocations;
static _Atomic bool threads_fail;

void fault_fail_at(unsigned n) {
    fail_at = n;
    allocations = 0;
    armed = true;
}

void fault_disarm(void) {
    armed = false;
}

void fault_rearm(void) {
    armed = true;
}

unsigned fault_count(void) {
    return allocations;
}

static bool fails_now(void) {
    if (!armed || ++allocations != fail_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) {
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return fails_now() ? NULL : __real_realloc(old, size);
}

void fault_fail_threads(bool fail) {
    threads_fail = fail;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument) {
    return threads_fail ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}
