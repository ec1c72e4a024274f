/* instance_internal.h: what the files of the main thread share: instance.c (start and end),
 * listeners.c, reload.c (files that are read again). */
#ifndef MINTD_INSTANCE_INTERNAL_H
#define MINTD_INSTANCE_INTERNAL_H

#include "instance/certificate.h"
#include "instance/clients.h"
#include "instance/supervision.h"
#include "instance/worker.h"
#include "mintd/instance.h"
#include "mintd/redis_password.h"

struct instance {
    const struct instance_options *options;
    struct api_process process;
    char name[INSTANCE_NAME_MAX + 1];
    char host[INSTANCE_NAME_MAX + 1]; /* cut where it is longer */
    char issuer_text[INSTANCE_ISSUER_MAX];
    struct slice issuer;
    char resource_text[API_RESOURCE_MAX];
    struct slice resource;
    struct password_pool *pool;
    struct memory_data *memory;
    struct cache_group *caches;
    struct http_bounds *bounds, *metrics_bounds;
    struct redis_told told;
    struct redis_password *password; /* NULL: that of the URL */
    struct worker *workers;          /* [options->workers] */
    unsigned opened, started;
    int *fds;              /* [workers][sockets_max()], as each worker takes its row */
    unsigned socket_count; /* in each row */
    int metrics_fds[HTTP_ADDRESSES_MAX];
    unsigned metrics_fd_count;
    unsigned listening; /* addresses of options->listen that are open */
    bool loop_open;
    uv_loop_t loop;
    uv_signal_t on_term, on_int, on_hup;
    uv_timer_t drain_delay;
    struct certificate_watch certificate, redis_files;
    struct clients clients;
    struct supervision supervision;
    uv_async_t workers_ended, workers_listen, worker_deaf;
    _Atomic unsigned ended, deaf;
    bool is_shared; /* another program listens on the port: the workers do later */
    bool stopping, is_sandboxed;
};

/* ---- listeners.c ---- */

/* Sockets of one worker: room for each address that the names of options->listen may have. */
unsigned instance_sockets_max(const struct instance *instance);
int *instance_fd_of(struct instance *instance, unsigned worker, unsigned socket);
/* Opens those of all workers, and of the metrics listener. False where one cannot be, with a line
 * on standard error. */
bool instance_open_listeners(struct instance *instance);
void instance_tell_listeners(struct instance *instance);

/* ---- reload.c ---- */

/* Opens what looks at files. False: no memory. */
bool instance_open_watches(struct instance *instance);
/* SIGHUP: all files are read again and checked. Where one is wrong nothing changes, but the
 * password of Redis, which is looked at by itself. */
void instance_reload(struct instance *instance);

#endif
