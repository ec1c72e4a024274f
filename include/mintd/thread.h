/* thread.h: starts a thread that gets no signals and has a stack of a known size. */
#ifndef MINTD_THREAD_H
#define MINTD_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Returns 0 or an errno value. Every signal is blocked in the thread from its first instruction
 * on, so signals go to the threads that wait for them. The caller joins or detaches the thread. */
int thread_start(pthread_t *thread, size_t stack_size, void *(*run)(void *argument),
                 void *argument);
/* Sets the name that tools like top(1) show for the calling thread: at most 15 bytes. */
void thread_name(const char *name);

#endif
