/* clients.h: the clients file of an instance (--clients-file): applied as soon as the store is
 * there, at SIGHUP, and again where Redis turns out to be another one, or emptied.
 *
 * All of it is on the main thread, but the work: that is a thread's, with a connection of its own,
 * which lasts for one attempt. Where Redis is away no attempt is made; where one fails the next
 * comes after a pause of 1 s, twice as long each time, 30 s at most. */
#ifndef MINTD_INSTANCE_CLIENTS_H
#define MINTD_INSTANCE_CLIENTS_H

#include "mintd/api.h"
#include "mintd/clients_file.h"
#include <pthread.h>
#include <uv.h>

#define CLIENTS_LOOK_MS 200u
#define CLIENTS_PAUSE_MS 1000u
#define CLIENTS_PAUSE_MAX_MS 30000u
#define CLIENTS_REFUSALS_MAX 5u /* attempts that end as REFUSED, until it is given up */

struct worker;

struct clients {
    /* Set by the owner, ahead of clients_open(); all of it outlives this. place.tls is shared. */
    const char *path; /* NULL: there is no such file, and nothing is done */
    struct clients_place place;
    const struct worker *worker; /* whose store tells whether Redis is there */
    const struct api_process *process;
    /* its own */
    struct clients_stopper *stopper;
    struct clients_place at; /* of the attempt under way: place as it was then */
    struct clients_file_result result;
    pthread_t thread;
    uv_async_t ended;
    uv_timer_t timer;
    bool is_open; /* it has its timer and `ended` */
    bool is_due, is_running, is_closing;
    bool waits_told;
    uint64_t next_ms; /* uv_now(): no attempt ahead of it */
    unsigned pause_ms, refusals;
    unsigned long long identity_changes; /* of the process, when it was applied last */
    char told[SAY_LINE_MAX];             /* the problem that was logged last */
};

/* False: no memory, or the loop refuses; clients_close() all the same. */
bool clients_open(struct clients *clients, uv_loop_t *loop);
/* It is to be applied, from the beginning; also while it is being applied. */
void clients_apply(struct clients *clients);
/* New connections go by this; its reference is taken over. */
void clients_use_tls(struct clients *clients, struct tls_context *tls);
/* Before the loop ends. What is under way ends early, and keeps the loop until then. */
void clients_close(struct clients *clients);
void clients_fini(struct clients *clients); /* after it */

#endif
