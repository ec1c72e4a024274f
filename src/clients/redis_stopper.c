/* redis_stopper.c: ends a connection from another thread. */
#include "clients/redis.h"
#include <uv.h>

bool redis_stopper_init(struct redis_stopper *stopper) {
    *stopper = (struct redis_stopper){.is_stopped = false};
    return pthread_mutex_init(&stopper->lock, NULL) == 0;
}

void redis_stopper_fini(struct redis_stopper *stopper) {
    pthread_mutex_destroy(&stopper->lock);
}

void redis_stop(struct redis_stopper *stopper) {
    pthread_mutex_lock(&stopper->lock);
    stopper->is_stopped = true;
    if (stopper->wake != NULL) {
        uv_async_send(stopper->wake);
    }
    pthread_mutex_unlock(&stopper->lock);
}

bool redis_is_stopped(struct redis_stopper *stopper) {
    if (stopper == NULL) {
        return false;
    }
    pthread_mutex_lock(&stopper->lock);
    bool is_stopped = stopper->is_stopped;
    pthread_mutex_unlock(&stopper->lock);
    return is_stopped;
}
