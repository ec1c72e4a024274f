/* What OpenSSL's memory goes through. */
#include "crypto/tls_internal.h"
#include "mintd/crypto.h"
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Atomic unsigned failed_allocations;
static bool are_ours; /* written before any other thread starts */

static void *noted(void *memory, size_t size) {
    if (memory == NULL && size != 0) {
        atomic_fetch_add(&failed_allocations, 1);
    }
    return memory;
}

static void *on_allocate(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return noted(malloc(size), size);
}

static void *on_resize(void *memory, size_t size, const char *file, int line) {
    (void)file, (void)line;
    return noted(realloc(memory, size), size);
}

static void on_release(void *memory, const char *file, int line) {
    (void)file, (void)line;
    tls_wipe_records(memory);
    free(memory);
}

void crypto_own_allocations(void) {
    are_ours = CRYPTO_set_mem_functions(on_allocate, on_resize, on_release) == 1;
}

bool crypto_owns_allocations(void) {
    return are_ours;
}

unsigned crypto_failed_allocations(void) {
    return atomic_load(&failed_allocations);
}
