/* thread.h: starts a thread that gets no signals and has a stack of a known size. */
#ifndef MINTD_THREAD_H
#define MINTD_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Returns 0 or an errno value. The thread has every signal blocked from its first instruction, so
 * that signals go to the threads that wait for them; it is the caller's to join or detach. */
int thread_start(pthread_t *thread, size_t stack_size, void *(*run)(void *argument),
                 void *argument);

#endif
