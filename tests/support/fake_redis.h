/* fake_redis.h: a server on a unix socket that says what a test wants it to say, in the test's own
 * loop. Without a script it is a master that greets, answers PING and ROLE, and says "+OK" to all
 * else. */
#ifndef MINTD_TEST_FAKE_REDIS_H
#define MINTD_TEST_FAKE_REDIS_H

#include "mintd/slice.h"
#include <uv.h>

/* The reply to a command, by its name; "SCHEMA" and "IDENTITY" are a GET of a key that ends
 * so, "QUESTION" is a HELLO without arguments (without such a line it gets what HELLO gets). A
 * reply without bytes is silence. "TRY" is a WAIT or WAITAOF for no replica, which is answered by
 * none where no such line says otherwise. The last has no command. */
struct fake_line {
    const char *command;
    struct slice reply;
};

struct fake_connection;

struct fake_redis {
    uv_loop_t *loop;
    uv_pipe_t listener;
    char directory[64];
    char path[96];
    struct fake_connection *connections;
    unsigned accepted;      /* connections, ever */
    unsigned commands;      /* ever; without questions */
    unsigned sets;          /* SET, ever */
    unsigned waits;         /* WAIT and WAITAOF for a replica, ever */
    unsigned deletes;       /* DEL, ever */
    unsigned pings;         /* PING, ever */
    char last_wait[64];     /* of `waits`, its arguments with spaces between */
    unsigned questions;     /* for its role (HELLO without arguments), which come each second; those
                               behind a silence are answered once the test has made up for it */
    char last_command[256]; /* its arguments with spaces between */

    /* The test's to set at any time. */
    const struct fake_line *script;
    struct slice first_words; /* sent at once to whoever connects */
    bool drop_at_once;        /* and then closed */
    bool bytewise;            /* one byte a turn */
    const char *drop_command; /* of the reply to this one only drop_after bytes are sent, then the
                                 connection is closed */
    size_t drop_after;
};

void fake_redis_open(struct fake_redis *fake, uv_loop_t *loop);
/* Begins to close; the loop has to run on. */
void fake_redis_close(struct fake_redis *fake);
/* To every connection, now. */
void fake_redis_say(struct fake_redis *fake, struct slice bytes);
void fake_redis_drop(struct fake_redis *fake);
/* The same, of those connections alone whose client still has a reply to come. */
void fake_redis_answer(struct fake_redis *fake, struct slice bytes);
void fake_redis_drop_owing(struct fake_redis *fake);

#endif
