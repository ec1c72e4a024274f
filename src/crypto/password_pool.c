/* Threads that verify slow secrets.
 *
 * Happy path: submit() copies the texts into the job, ranks it by its source and queues it; a
 * thread takes it, verifies, wipes the secret, puts the job into its inbox and wakes the owner,
 * whose drain() calls on_done. Failure modes: the lane is full or no thread is to be had (submit()
 * refuses, nothing is kept); a job of a lower rank needs the place, the deadline passes, an owner
 * has no time left, the pool is freed with jobs waiting, or there is no memory for a hash (they
 * come back, not checked). */
#include "mintd/clock.h"
#include "mintd/crypto.h"
#include "mintd/password.h"
#include "mintd/thread.h"
#include "password_inbox.h"
#include "password_queue.h"
#include "password_sources.h"
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define THREAD_STACK (256u * 1024u)

struct password_pool {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a job came or may be begun now, or the end */
    struct password_queue waiting;
    struct password_sources sources;
    unsigned running_count;
    unsigned behind_running, behind_running_max; /* of the lane behind */
    bool stopping;
    unsigned threads_started, threads_max;
    pthread_t threads[];
};

/* ---- the end of a job ---- */

/* The secret ends here, on every road. */
static void answer(struct password_job *job, bool was_checked, bool matches) {
    crypto_wipe(job->secret, job->secret_size);
    job->secret_size = 0;
    job->was_checked = was_checked;
    job->matches = matches;
    password_inbox_put(job->inbox, job);
}

/* It is not under way any more. With the mutex. */
static void uncount(struct password_source *source) {
    if (source != NULL) {
        source->under_way--;
    }
}

/* Takes late jobs of this inbox, or of all (NULL), out of the queue. With the mutex. */
static struct password_job *take_late(struct password_pool *pool,
                                      const struct password_inbox *inbox, uint64_t now_ns) {
    struct password_job *jobs = password_queue_take_late(&pool->waiting, inbox, now_ns);
    for (struct password_job *job = jobs; job != NULL; job = job->next) {
        uncount(job->counted_at);
    }
    return jobs;
}

/* Not checked, all of the list. Without the mutex. */
static void give_up(struct password_job *job) {
    uint64_t now_ns = clock_monotonic_ns();
    while (job != NULL) {
        struct password_job *next = job->next; /* its owner may have it as soon as answered */
        job->waited_ns = now_ns - job->submitted_ns;
        answer(job, false, false);
        job = next;
    }
}

/* ---- threads ---- */

/* Waits for a job; NULL at the end. With the mutex. */
static struct password_job *next_job(struct password_pool *pool) {
    for (;;) {
        struct password_job *job =
            password_queue_take(&pool->waiting, pool->behind_running < pool->behind_running_max);
        if (job != NULL || pool->stopping) {
            return job;
        }
        pthread_cond_wait(&pool->changed, &pool->mutex);
    }
}

static void check(struct password_job *job) {
    uint64_t now_ns = clock_monotonic_ns();
    job->waited_ns = now_ns - job->submitted_ns;
    if (job->deadline_ns <= now_ns) {
        answer(job, false, false);
        return;
    }
    enum password_verdict verdict = password_verify(slice_of(job->stored, job->stored_size),
                                                    slice_of(job->secret, job->secret_size));
    answer(job, verdict != PASSWORD_NOT_CHECKED, verdict == PASSWORD_RIGHT);
}

/* Takes the mutex off while it works. */
static void run_job(struct password_pool *pool, struct password_job *job) {
    struct password_source *source = job->counted_at;
    unsigned behind = job->lane == PASSWORD_BEHIND ? 1 : 0;
    pool->running_count++;
    pool->behind_running += behind;
    pthread_mutex_unlock(&pool->mutex);
    check(job);
    pthread_mutex_lock(&pool->mutex);
    pool->running_count--;
    pool->behind_running -= behind;
    uncount(source);
    if (behind != 0) {
        pthread_cond_signal(&pool->changed); /* this thread may go on in the lane ahead */
    }
}

static void *run_thread(void *argument) {
    struct password_pool *pool = argument;
    pthread_mutex_lock(&pool->mutex);
    struct password_job *job;
    while ((job = next_job(pool)) != NULL) {
        run_job(pool, job);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Starts one more thread where all that run are busy: a pool that nobody asks has none. False where
 * there is no thread at all. With the mutex. */
static bool provide_thread(struct password_pool *pool) {
    unsigned busy = pool->running_count + password_queue_count(&pool->waiting);
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

static bool init_seed(struct hash_seed *seed) {
    bool ok = password_start() && RAND_bytes((uint8_t *)seed, sizeof *seed) == 1;
    if (!ok) {
        ERR_clear_error();
    }
    return ok;
}

struct password_pool *password_pool_new(unsigned threads, unsigned places) {
    if (threads == 0 || places == 0) {
        return NULL;
    }
    struct password_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    if (pool == NULL) {
        return NULL;
    }
    if (!init_seed(&pool->sources.seed) || !init_locks(pool)) {
        free(pool);
        return NULL;
    }
    password_queue_init(&pool->waiting, places);
    pool->threads_max = threads;
    pool->behind_running_max = (threads + 1) / 2;
    return pool;
}

static void stop_threads(struct password_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    struct password_job *jobs = take_late(pool, NULL, UINT64_MAX);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    give_up(jobs);
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
    unsigned load = password_queue_count(&pool->waiting) + pool->running_count;
    pthread_mutex_unlock(&pool->mutex);
    return load;
}

unsigned password_pool_waiting(struct password_pool *pool, enum password_lane lane) {
    pthread_mutex_lock(&pool->mutex);
    unsigned count = pool->waiting.lanes[lane].count;
    pthread_mutex_unlock(&pool->mutex);
    return count;
}

/* ---- jobs ---- */

static void fill_job(struct password_job *job, struct slice stored, struct slice secret) {
    struct buffer stored_copy = buffer_of(job->stored, sizeof(job->stored));
    struct buffer secret_copy = buffer_of(job->secret, sizeof(job->secret));
    buffer_append(&stored_copy, stored);
    buffer_append(&secret_copy, secret);
    job->stored_size = stored_copy.size;
    job->secret_size = secret_copy.size;
}

/* Where the source cannot be counted, it has the first rank of the lane behind. With the mutex. */
static void rank(struct password_pool *pool, struct password_job *job) {
    job->rank = 0;
    job->counted_at = NULL;
    if (!slice_is_absent(job->source)) {
        job->counted_at = password_sources_find(&pool->sources, job->source, job->submitted_ns);
        job->rank = job->counted_at == NULL
                        ? PASSWORD_AHEAD_RANKS
                        : password_source_rank(job->counted_at, job->submitted_ns);
    }
    job->lane = job->rank < PASSWORD_AHEAD_RANKS ? PASSWORD_AHEAD : PASSWORD_BEHIND;
}

/* With the mutex. */
static bool queue_job(struct password_pool *pool, struct password_job *job,
                      struct password_job **pushed_out) {
    if (pool->stopping || !provide_thread(pool)) {
        return false;
    }
    rank(pool, job);
    if (!password_queue_add(&pool->waiting, job, pushed_out)) {
        return false;
    }
    if (job->counted_at != NULL) {
        job->counted_at->under_way++;
    }
    if (*pushed_out != NULL) {
        (*pushed_out)->next = NULL;
        uncount((*pushed_out)->counted_at);
    }
    pthread_cond_signal(&pool->changed);
    return true;
}

bool password_pool_submit(struct password_pool *pool, struct password_inbox *inbox,
                          struct password_job *job, struct slice stored, struct slice secret) {
    struct password_job *pushed_out = NULL;
    if (stored.size > PASSWORD_STORED_MAX || secret.size > PASSWORD_SECRET_MAX ||
        password_inbox_is_closed(inbox)) {
        return false;
    }
    job->inbox = inbox;
    job->submitted_ns = clock_monotonic_ns();
    if (job->deadline_ns == 0) {
        job->deadline_ns = UINT64_MAX;
    }
    fill_job(job, stored, secret);
    pthread_mutex_lock(&pool->mutex);
    bool accepted = queue_job(pool, job, &pushed_out);
    pthread_mutex_unlock(&pool->mutex);
    if (!accepted) {
        crypto_wipe(job->secret, job->secret_size);
    }
    give_up(pushed_out);
    return accepted;
}

void password_pool_count_failure(struct password_pool *pool, struct slice source) {
    if (slice_is_absent(source)) {
        return;
    }
    uint64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&pool->mutex);
    struct password_source *counted_at = password_sources_find(&pool->sources, source, now_ns);
    if (counted_at != NULL) {
        password_source_fail(counted_at, now_ns);
    }
    pthread_mutex_unlock(&pool->mutex);
}

void password_pool_give_up_late(struct password_pool *pool, struct password_inbox *inbox,
                                uint64_t now_ns) {
    pthread_mutex_lock(&pool->mutex);
    struct password_job *jobs = take_late(pool, inbox, now_ns);
    pthread_mutex_unlock(&pool->mutex);
    give_up(jobs);
}

void password_pool_give_up(struct password_pool *pool, struct password_inbox *inbox) {
    password_inbox_close(inbox);
    password_pool_give_up_late(pool, inbox, UINT64_MAX);
}
