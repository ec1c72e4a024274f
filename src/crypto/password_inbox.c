#include "password_inbox.h"
#include "mintd/thread.h"
#include <stdlib.h>

/* Jobs in the order of their coming. */
struct job_list {
    struct password_job *first;
    struct password_job **end;
};

struct password_inbox {
    pthread_mutex_t mutex;
    struct job_list done; /* under the mutex */
    void (*wake)(void *context);
    void *context;
    bool is_closed; /* takes no more jobs; the owner's thread alone looks at it */
};

static void list_init(struct job_list *list) {
    list->first = NULL;
    list->end = &list->first;
}

static void list_append(struct job_list *list, struct password_job *job) {
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

struct password_inbox *password_inbox_new(void (*wake)(void *context), void *context) {
    struct password_inbox *inbox = calloc(1, sizeof(*inbox));
    if (inbox == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&inbox->mutex, NULL) != 0) {
        free(inbox);
        return NULL;
    }
    list_init(&inbox->done);
    inbox->wake = wake;
    inbox->context = context;
    return inbox;
}

void password_inbox_free(struct password_inbox *inbox) {
    if (inbox == NULL) {
        return;
    }
    pthread_mutex_destroy(&inbox->mutex);
    free(inbox);
}

void password_inbox_put(struct password_inbox *inbox, struct password_job *job) {
    pthread_mutex_lock(&inbox->mutex);
    list_append(&inbox->done, job);
    pthread_mutex_unlock(&inbox->mutex);
    inbox->wake(inbox->context);
}

void password_inbox_drain(struct password_inbox *inbox) {
    pthread_mutex_lock(&inbox->mutex);
    struct password_job *job = inbox->done.first;
    list_init(&inbox->done);
    pthread_mutex_unlock(&inbox->mutex);
    while (job != NULL) {
        struct password_job *next = job->next; /* on_done may free the job or submit it again */
        job->on_done(job);
        job = next;
    }
}

bool password_inbox_is_closed(const struct password_inbox *inbox) {
    return inbox->is_closed;
}

void password_inbox_close(struct password_inbox *inbox) {
    inbox->is_closed = true;
}
