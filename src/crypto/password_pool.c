/* Threads that verify slow secrets.
 *
 * Happy path: submit() copies the texts into the job and queues it; a thread takes it, verifies,
 * wipes the secret, puts the job into its inbox and wakes the owner, whose drain() calls on_done.
 * Failure modes: the queue is full or no thread is to be had (submit() refuses, nothing is kept);
 * an owner has no time left (give_back() returns its jobs that wait, unchecked); the pool is freed
 * with jobs waiting (they come back as "does not match"). */
#include "mintd/password.h"
#include "mintd/thread.h"
#include <stdlib.h>

#define THREAD_STACK (256u * 1024u)

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
    bool takes_no_more; /* the owner's thread alone looks at it */
};

struct password_pool {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a job came, or the end */
    struct job_list waiting;
    unsigned waiting_count, queue_max;
    unsigned running_count;
    bool stopping;
    unsigned threads_started, threads_max;
    pthread_t threads[];
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

static struct password_job *list_take(struct job_list *list) {
    struct password_job *job = list->first;
    if (job == NULL) {
        return NULL;
    }
    list->first = job->next;
    if (list->first == NULL) {
        list->end = &list->first;
    }
    return job;
}

/* ---- the inbox ---- */

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

static void inbox_put(struct password_inbox *inbox, struct password_job *job) {
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

/* The secret ends here, on every road. */
static void answer(struct password_job *job, bool matches) {
    crypto_wipe(job->secret, job->secret_size);
    job->secret_size = 0;
    job->matches = matches;
    inbox_put(job->inbox, job);
}

/* ---- threads ---- */

/* Waits for a job; NULL at the end. With the mutex. */
static struct password_job *next_job(struct password_pool *pool) {
    while (pool->waiting.first == NULL && !pool->stopping) {
        pthread_cond_wait(&pool->changed, &pool->mutex);
    }
    return list_take(&pool->waiting);
}

static void *run_thread(void *argument) {
    struct password_pool *pool = argument;
    pthread_mutex_lock(&pool->mutex);
    struct password_job *job;
    while ((job = next_job(pool)) != NULL) {
        pool->waiting_count--;
        pool->running_count++;
        pthread_mutex_unlock(&pool->mutex);
        answer(job, password_verify(slice_of(job->stored, job->stored_size),
                                    slice_of(job->secret, job->secret_size)));
        pthread_mutex_lock(&pool->mutex);
        pool->running_count--;
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Starts one more thread where all that run are busy: a pool that nobody asks has none. False where
 * there is no thread at all. With the mutex. */
static bool provide_thread(struct password_pool *pool) {
    unsigned busy = pool->running_count + pool->waiting_count;
    if (pool->threads_started < pool->threads_max && busy >= pool->threads_started &&
        thread_start(&pool->threads[pool->threads_started], THREAD_STACK, run_thread, pool) == 0) {
        pool->threads_started++;
    }
    return pool->threads_started != 0;
}

/* ---- the pool ---- */

static bool init_locks(struct password_pool *pool) {
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) {
        return false;
    }
    if (pthread_cond_init(&pool->changed, NULL) != 0) {
        pthread_mutex_destroy(&pool->mutex);
        return false;
    }
    return true;
}

struct password_pool *password_pool_new(unsigned threads, unsigned queue_max) {
    if (threads == 0 || queue_max == 0) {
        return NULL;
    }
    struct password_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    if (pool == NULL) {
        return NULL;
    }
    if (!init_locks(pool)) {
        free(pool);
        return NULL;
    }
    list_init(&pool->waiting);
    pool->threads_max = threads;
    pool->queue_max = queue_max;
    return pool;
}

/* Takes the jobs of this inbox, or of all (NULL), out of the queue. With the mutex. */
static struct password_job *take_waiting(struct password_pool *pool,
                                         const struct password_inbox *inbox) {
    struct password_job *job = pool->waiting.first;
    struct job_list taken;
    list_init(&taken);
    list_init(&pool->waiting);
    pool->waiting_count = 0;
    while (job != NULL) {
        struct password_job *next = job->next;
        if (inbox == NULL || job->inbox == inbox) {
            list_append(&taken, job);
        } else {
            list_append(&pool->waiting, job);
            pool->waiting_count++;
        }
        job = next;
    }
    return taken.first;
}

static void stop_threads(struct password_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    struct password_job *job = take_waiting(pool, NULL);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    while (job != NULL) {
        struct password_job *next = job->next; /* its owner may have it as soon as answered */
        answer(job, false);
        job = next;
    }
    for (unsigned i = 0; i < pool->threads_started; i++) {
        pthread_join(pool->threads[i], NULL);
    }
}

void password_pool_free(struct password_pool *pool) {
    if (pool == NULL) {
        return;
    }
    stop_threads(pool);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

unsigned password_pool_load(struct password_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    unsigned load = pool->waiting_count + pool->running_count;
    pthread_mutex_unlock(&pool->mutex);
    return load;
}

static void fill_job(struct password_job *job, struct password_inbox *inbox, struct slice stored,
                     struct slice secret) {
    struct buffer stored_copy = buffer_of(job->stored, sizeof(job->stored));
    struct buffer secret_copy = buffer_of(job->secret, sizeof(job->secret));
    buffer_append(&stored_copy, stored);
    buffer_append(&secret_copy, secret);
    job->stored_size = stored_copy.size;
    job->secret_size = secret_copy.size;
    job->matches = false;
    job->inbox = inbox;
}

bool password_pool_submit(struct password_pool *pool, struct password_inbox *inbox,
                          struct password_job *job, struct slice stored, struct slice secret) {
    if (stored.size > PASSWORD_STORED_MAX || secret.size > PASSWORD_SECRET_MAX ||
        inbox->takes_no_more) {
        return false;
    }
    pthread_mutex_lock(&pool->mutex);
    bool accepted =
        !pool->stopping && pool->waiting_count < pool->queue_max && provide_thread(pool);
    if (accepted) {
        fill_job(job, inbox, stored, secret);
        list_append(&pool->waiting, job);
        pool->waiting_count++;
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->mutex);
    return accepted;
}

void password_pool_give_back(struct password_pool *pool, struct password_inbox *inbox,
                             void (*on_given_back)(struct password_job *job)) {
    inbox->takes_no_more = true;
    pthread_mutex_lock(&pool->mutex);
    struct password_job *job = take_waiting(pool, inbox);
    pthread_mutex_unlock(&pool->mutex);
    while (job != NULL) {
        struct password_job *next = job->next;
        job->on_done = on_given_back;
        answer(job, false);
        job = next;
    }
}
