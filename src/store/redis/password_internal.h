/* password_internal.h: for password.c (who has it) and password_maker.c (where it
 * comes from). */
#ifndef MINTD_REDIS_PASSWORD_INTERNAL_H
#define MINTD_REDIS_PASSWORD_INTERNAL_H

#include "mintd/redis_password.h"
#include <pthread.h>
#include <uv.h>

#define PASSWORD_AGAIN_MS 1000u /* a command that said one that was refused */
#define PASSWORD_WORDS_MAX 160u

struct redis_password {
    struct redis_password_options options;
    char **environment; /* of the command; the texts are the process's */

    pthread_mutex_t lock; /* over what follows */
    struct redis_password_member *members;
    bool is_wanted, was_tried, is_closed;
    uint64_t tried_ms; /* when the last attempt to make one ended */
    uint64_t number;
    size_t size;
    char text[REDIS_PASSWORD_MAX];

    /* of the maker's thread alone */
    uv_loop_t *loop;
    uv_async_t wanted;
    uv_timer_t timer; /* to the next one */
    uv_timer_t limit; /* of the command */
    uv_process_t process;
    uv_pipe_t output;
    bool is_running;         /* the command, until both ends below have come */
    bool has_ended, has_eof; /* the process; its output */
    bool too_long, too_late, never_ran;
    long long exit_status;
    int exit_signal;
    size_t said_size;
    char said[REDIS_PASSWORD_MAX + 64]; /* room for JSON's own signs */
    char told[PASSWORD_WORDS_MAX]; /* why there was none, as logged last; empty: there is one */
};

/* A new one, or the same; and that there is none. Whoever waits is woken. */
void password_give(struct redis_password *password, struct slice text);
void password_have_none(struct redis_password *password);

#endif
