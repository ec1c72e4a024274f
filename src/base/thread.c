#include "mintd/thread.h"
#include <signal.h>
#include <sys/prctl.h>

static int create(pthread_t *thread, size_t stack_size, void *(*run)(void *), void *argument) {
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    error = pthread_attr_setstacksize(&attributes, stack_size);
    if (error == 0) {
        error = pthread_create(thread, &attributes, run, argument);
    }
    pthread_attr_destroy(&attributes);
    return error;
}

int thread_start(pthread_t *thread, size_t stack_size, void *(*run)(void *argument),
                 void *argument) {
    sigset_t all, before;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error != 0) {
        return error;
    }
    error = create(thread, stack_size, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void thread_name(const char *name) {
    prctl(PR_SET_NAME, name);
}
