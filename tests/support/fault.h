/* fault.h: lets a test make one allocation fail, or the start of threads.
 *
 * A program that links mintd_test_fault has malloc, calloc, realloc and pthread_create of its own
 * objects and of the static libraries behind these calls; shared libraries (OpenSSL, cJSON, libuv)
 * are untouched.
 *
 *      for (unsigned n = 1; !done; n++) {
 *          fault_fail_at(n);
 *          thing = thing_new();            either works or returns NULL, and leaks nothing
 *          done = fault_count() < n;       fewer allocations than n: each has failed once
 *          fault_disarm();
 *          thing_free(thing);
 *      } */
#ifndef MINTD_TEST_FAULT_H
#define MINTD_TEST_FAULT_H

#include <stdbool.h>

/* From now on counts allocations of all threads, and fails the n-th and no other; 0: none. */
void fault_fail_at(unsigned n);
void fault_disarm(void);
/* Goes on counting, behind a fault_disarm(): for what a test does in between. */
void fault_rearm(void);
/* Allocations since fault_fail_at(). */
unsigned fault_count(void);

/* While set, no thread starts: pthread_create returns EAGAIN. */
void fault_fail_threads(bool fail);

#endif
