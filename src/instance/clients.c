#include "instance/clients.h"

#include "instance/worker.h"
#include "mintd/log.h"
#include "mintd/thread.h"
#include <stdlib.h>

#define STACK_SIZE (512u * 1024u)
#define GRACE_MS 2000u /* how long Redis may be on its way before that is told */

static struct tls_context *share(struct tls_context *tls) {
    return tls == NULL ? NULL : tls_context_share(tls);
}

static bool store_is_there(const struct clients *clients) {
    const struct worker *worker = clients->worker;
    return atomic_load_explicit(&worker->ticked_ns, memory_order_relaxed) != 0 &&
           atomic_load_explicit(&worker->trouble, memory_order_relaxed) == STORE_TROUBLE_NONE;
}

/* ---- the thread ---- */

static void *run(void *argument) {
    struct clients *clients = argument;
    thread_name("mintd-clients");
    clients_file_apply(clients->path, &clients->at, clients->stopper, &clients->result);
    uv_async_send(&clients->ended);
    return NULL;
}

static void pause_attempts(struct clients *clients) {
    clients->next_ms = uv_now(clients->timer.loop) + clients->pause_ms;
    clients->pause_ms =
        clients->pause_ms < CLIENTS_PAUSE_MAX_MS / 2 ? 2 * clients->pause_ms : CLIENTS_PAUSE_MAX_MS;
}

static void start(struct clients *clients) {
    clients->is_due = false;
    clients->at = clients->place;
    clients->at.tls = share(clients->place.tls);
    clients->identity_changes = atomic_load(&clients->process->identity_changes);
    clients->is_running = thread_start(&clients->thread, STACK_SIZE, run, clients) == 0;
    if (!clients->is_running) {
        tls_context_free(clients->at.tls);
        log_warning("the clients file is not applied yet: no thread could be started");
        clients->is_due = true;
        pause_attempts(clients);
    }
}

/* ---- how it ended ---- */

static void begin_anew(struct clients *clients) {
    clients->is_due = true;
    clients->waits_told = false;
    clients->next_ms = uv_now(clients->timer.loop);
    clients->pause_ms = CLIENTS_PAUSE_MS;
    clients->refusals = 0;
    clients->told[0] = '\0';
}

static void give_up(struct clients *clients) {
    log_error("the clients file is not applied: put it right, then send SIGHUP",
              LOG_STRING("file", clients->path), LOG_STRING("problem", clients->result.problem));
}

/* Told once, and again where it is another problem. */
static void try_again(struct clients *clients) {
    if (strcmp(clients->told, clients->result.problem) != 0) {
        log_warning("the clients file is not applied yet: it is tried again",
                    LOG_STRING("file", clients->path),
                    LOG_STRING("problem", clients->result.problem));
    }
    memcpy(clients->told, clients->result.problem, sizeof clients->told);
    clients->is_due = true;
    pause_attempts(clients);
}

static void tell_end(struct clients *clients) {
    const struct clients_file_result *result = &clients->result;
    switch (result->end) {
    case CLIENTS_FILE_APPLIED:
        log_info("the clients file is applied", LOG_NUMBER("made", result->made),
                 LOG_NUMBER("changed", result->changed), LOG_NUMBER("as_they_were", result->same));
        break;
    case CLIENTS_FILE_WRONG:
        give_up(clients);
        break;
    case CLIENTS_FILE_REFUSED:
        if (++clients->refusals == CLIENTS_REFUSALS_MAX) {
            give_up(clients);
        } else {
            try_again(clients);
        }
        break;
    case CLIENTS_FILE_AWAY:
        try_again(clients);
        break;
    }
}

static void close_handles(struct clients *clients) {
    uv_close((uv_handle_t *)&clients->ended, NULL);
    uv_close((uv_handle_t *)&clients->timer, NULL);
}

static void on_ended(uv_async_t *ended) {
    struct clients *clients = ended->data;
    if (!clients->is_running) {
        return;
    }
    pthread_join(clients->thread, NULL);
    tls_context_free(clients->at.tls);
    clients->is_running = false;
    if (clients->is_closing) {
        close_handles(clients);
    } else if (!clients->is_due) { /* else it was asked for once more, and this is of no interest */
        tell_end(clients);
    }
}

/* ---- the loop ---- */

static void on_look(uv_timer_t *timer) {
    struct clients *clients = timer->data;
    if (!clients->is_due && !clients->is_running &&
        atomic_load(&clients->process->identity_changes) != clients->identity_changes) {
        begin_anew(clients);
    }
    if (!clients->is_due || clients->is_running || uv_now(timer->loop) < clients->next_ms) {
        return;
    }
    if (store_is_there(clients)) {
        start(clients);
    } else if (!clients->waits_told && uv_now(timer->loop) >= clients->next_ms + GRACE_MS) {
        log_info("redis is away: the clients file is applied once it is there");
        clients->waits_told = true;
    }
}

bool clients_open(struct clients *clients, uv_loop_t *loop) {
    clients->timer.data = clients->ended.data = clients;
    if (clients->path == NULL) {
        return true;
    }
    clients->place.tls = share(clients->place.tls);
    clients->stopper = clients_stopper_new();
    if (clients->stopper == NULL || uv_timer_init(loop, &clients->timer) != 0) {
        return false;
    }
    if (uv_async_init(loop, &clients->ended, on_ended) != 0) {
        uv_close((uv_handle_t *)&clients->timer, NULL);
        return false;
    }
    clients->is_open = true;
    begin_anew(clients);
    return uv_timer_start(&clients->timer, on_look, CLIENTS_LOOK_MS, CLIENTS_LOOK_MS) == 0;
}

void clients_apply(struct clients *clients) {
    if (clients->path != NULL) {
        begin_anew(clients);
    }
}

void clients_use_tls(struct clients *clients, struct tls_context *tls) {
    if (clients->path == NULL) {
        tls_context_free(tls);
        return;
    }
    tls_context_free(clients->place.tls);
    clients->place.tls = tls;
}

void clients_close(struct clients *clients) {
    if (!clients->is_open) {
        return;
    }
    clients->is_closing = true;
    uv_timer_stop(&clients->timer);
    clients_stop(clients->stopper);
    if (!clients->is_running) {
        close_handles(clients);
    }
}

void clients_fini(struct clients *clients) {
    if (clients->path != NULL) {
        clients_stopper_free(clients->stopper);
        tls_context_free(clients->place.tls);
    }
}
