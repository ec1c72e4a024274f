#include "support/fake_redis.h"

#include <hiredis/hiredis.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fake_connection {
    struct fake_connection *next;
    struct fake_redis *fake;
    uv_pipe_t pipe;
    uv_idle_t idle; /* sends what waits, a piece a turn */
    unsigned handles;
    bool drop_when_sent;
    unsigned owed;           /* replies that the script left to the test */
    unsigned questions_held; /* which are to be answered behind these */
    redisReader *reader;
    char *out;
    size_t out_size;
    char in[65536];
};

static void on_closed(uv_handle_t *handle) {
    struct fake_connection *connection = handle->data;
    if (--connection->handles == 0) {
        redisReaderFree(connection->reader);
        free(connection->out);
        free(connection);
    }
}

static void drop(struct fake_connection *connection) {
    struct fake_connection **place = &connection->fake->connections;
    while (*place != NULL && *place != connection) {
        place = &(*place)->next;
    }
    if (*place == NULL) {
        return; /* closing already */
    }
    *place = connection->next;
    uv_close((uv_handle_t *)&connection->pipe, on_closed);
    uv_close((uv_handle_t *)&connection->idle, on_closed);
}

static void on_idle(uv_idle_t *idle) {
    struct fake_connection *connection = idle->data;
    size_t size = connection->fake->bytewise ? 1 : connection->out_size;
    size = size < connection->out_size ? size : connection->out_size;
    uv_buf_t bytes = uv_buf_init(connection->out, (unsigned)size);
    int sent = size == 0 ? 0 : uv_try_write((uv_stream_t *)&connection->pipe, &bytes, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        drop(connection);
        return;
    }
    if (sent > 0) {
        connection->out_size -= (size_t)sent;
        memmove(connection->out, connection->out + sent, connection->out_size);
    }
    if (connection->out_size == 0) {
        uv_idle_stop(idle);
        if (connection->drop_when_sent) {
            drop(connection);
        }
    }
}

static void say(struct fake_connection *connection, struct slice bytes) {
    if (bytes.size != 0) {
        connection->out = realloc(connection->out, connection->out_size + bytes.size);
        assert_non_null(connection->out);
        memcpy(connection->out + connection->out_size, bytes.data, bytes.size);
        connection->out_size += bytes.size;
    }
    uv_idle_start(&connection->idle, on_idle);
}

static bool is_question(const redisReply *command) {
    return command->elements == 1 && strcmp(command->element[0]->str, "HELLO") == 0;
}

static bool is_get_of(const redisReply *command, struct slice end) {
    const redisReply *key = command->elements == 2 ? command->element[1] : NULL;
    return key != NULL && strcmp(command->element[0]->str, "GET") == 0 && key->len >= end.size &&
           memcmp(key->str + key->len - end.size, end.data, end.size) == 0;
}

static bool is_named(const redisReply *command, const char *name) {
    return strcmp(command->element[0]->str, name) == 0;
}

static bool is_wait(const redisReply *command) {
    return is_named(command, "WAIT") || is_named(command, "WAITAOF");
}

/* For no replica and for no time worth the name. */
static bool is_try(const redisReply *command) {
    size_t count = command->elements;
    return is_wait(command) && strcmp(command->element[count - 2]->str, "0") == 0 &&
           strcmp(command->element[count - 1]->str, "1") == 0;
}

static struct slice name_of(const redisReply *command) {
    if (is_try(command)) {
        return S("TRY");
    }
    if (is_get_of(command, S("schema"))) {
        return S("SCHEMA");
    }
    if (is_get_of(command, S("identity"))) {
        return S("IDENTITY");
    }
    return is_question(command) ? S("QUESTION") : slice_of_string(command->element[0]->str);
}

/* NULL: the script does not say. */
static const struct fake_line *find_line(const struct fake_redis *fake, struct slice name) {
    const struct fake_line *line = fake->script;
    while (line != NULL && line->command != NULL &&
           !slice_equal(name, slice_of_string(line->command))) {
        line++;
    }
    return line != NULL && line->command != NULL ? line : NULL;
}

static struct slice reply_to(const struct fake_redis *fake, struct slice name) {
    static const struct fake_line usual[] = {
        {"HELLO", SLICE("%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nrole\r\n$6\r\nmaster\r\n")},
        {"SCHEMA", SLICE("$1\r\n1\r\n")},
        {"IDENTITY", SLICE("$8\r\nidentity\r\n")},
        {"PING", SLICE("+PONG\r\n")},
        {"TRY", SLICE(":0\r\n")},
        {"ROLE", SLICE("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")},
        {NULL, SLICE("+OK\r\n")},
    };
    const struct fake_line *line = find_line(fake, name);
    if (line != NULL) {
        return line->reply;
    }
    if (slice_equal(name, S("QUESTION"))) {
        return reply_to(fake, S("HELLO"));
    }
    line = usual;
    while (line->command != NULL && !slice_equal(name, slice_of_string(line->command))) {
        line++;
    }
    return line->reply;
}

static void note(struct fake_redis *fake, const redisReply *command) {
    size_t size = 0;
    fake->commands++;
    fake->sets += is_named(command, "SET");
    fake->deletes += is_named(command, "DEL");
    fake->pings += is_named(command, "PING");
    fake->last_command[0] = '\0';
    for (size_t i = 0; i < command->elements && size < sizeof fake->last_command; i++) {
        size += (size_t)snprintf(fake->last_command + size, sizeof fake->last_command - size,
                                 "%s%s", i == 0 ? "" : " ", command->element[i]->str);
    }
    if (is_wait(command) && !is_try(command)) {
        fake->waits++;
        snprintf(fake->last_wait, sizeof fake->last_wait, "%.63s", fake->last_command);
    }
}

static void on_command(struct fake_connection *connection, const redisReply *command) {
    struct fake_redis *fake = connection->fake;
    struct slice name = name_of(command);
    struct slice reply = reply_to(fake, name);
    if (is_try(command) && is_named(command, "WAITAOF") && find_line(fake, name) == NULL) {
        reply = S("*2\r\n:1\r\n:0\r\n");
    }
    if (is_question(command)) {
        fake->questions++;
    } else {
        note(fake, command);
    }
    if (connection->drop_when_sent) {
        return;
    }
    if (is_question(command) && connection->owed != 0) {
        connection->questions_held++;
    } else if (fake->drop_command != NULL &&
               slice_equal(name, slice_of_string(fake->drop_command))) {
        reply.size = fake->drop_after < reply.size ? fake->drop_after : reply.size;
        connection->drop_when_sent = true;
        say(connection, reply);
    } else if (reply.size != 0) {
        say(connection, reply);
    } else {
        connection->owed++;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
    struct fake_connection *connection = handle->data;
    (void)suggested;
    *room = uv_buf_init(connection->in, sizeof connection->in);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *room) {
    struct fake_connection *connection = stream->data;
    void *command = NULL;
    if (size < 0) {
        drop(connection);
        return;
    }
    redisReaderFeed(connection->reader, room->base, (size_t)size);
    while (redisReaderGetReply(connection->reader, &command) == REDIS_OK && command != NULL) {
        on_command(connection, command);
        freeReplyObject(command);
    }
}

static void on_connection(uv_stream_t *listener, int status) {
    struct fake_redis *fake = listener->data;
    struct fake_connection *connection = calloc(1, sizeof *connection);
    assert_int_equal(status, 0);
    assert_non_null(connection);
    connection->fake = fake;
    connection->handles = 2;
    connection->reader = redisReaderCreate();
    uv_pipe_init(fake->loop, &connection->pipe, 0);
    uv_idle_init(fake->loop, &connection->idle);
    connection->pipe.data = connection->idle.data = connection;
    connection->next = fake->connections;
    fake->connections = connection;
    fake->accepted++;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&connection->pipe), 0);
    uv_read_start((uv_stream_t *)&connection->pipe, on_alloc, on_read);
    connection->drop_when_sent = fake->drop_at_once;
    if (fake->first_words.size != 0 || fake->drop_at_once) {
        say(connection, fake->first_words);
    }
}

void fake_redis_open(struct fake_redis *fake, uv_loop_t *loop) {
    *fake = (struct fake_redis){.loop = loop, .directory = "/tmp/mintd-fake.XXXXXX"};
    assert_non_null(mkdtemp(fake->directory));
    snprintf(fake->path, sizeof fake->path, "%s/fake.sock", fake->directory);
    uv_pipe_init(loop, &fake->listener, 0);
    fake->listener.data = fake;
    assert_int_equal(uv_pipe_bind(&fake->listener, fake->path), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&fake->listener, 128, on_connection), 0);
}

void fake_redis_drop(struct fake_redis *fake) {
    while (fake->connections != NULL) {
        drop(fake->connections);
    }
}

void fake_redis_close(struct fake_redis *fake) {
    fake_redis_drop(fake);
    uv_close((uv_handle_t *)&fake->listener, NULL);
    unlink(fake->path);
    rmdir(fake->directory);
}

static unsigned replies_in(struct slice bytes) {
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    unsigned count = 0;
    redisReaderFeed(reader, bytes.data, bytes.size);
    while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        count += ((redisReply *)reply)->type != REDIS_REPLY_PUSH;
        freeReplyObject(reply);
    }
    redisReaderFree(reader);
    return count;
}

static void say_to(struct fake_connection *one, struct slice bytes, unsigned replies) {
    say(one, bytes);
    one->owed -= replies < one->owed ? replies : one->owed;
    while (one->owed == 0 && one->questions_held != 0) {
        one->questions_held--;
        say(one, reply_to(one->fake, S("QUESTION")));
    }
}

void fake_redis_say(struct fake_redis *fake, struct slice bytes) {
    unsigned replies = replies_in(bytes);
    for (struct fake_connection *one = fake->connections; one != NULL; one = one->next) {
        say_to(one, bytes, replies);
    }
}

void fake_redis_answer(struct fake_redis *fake, struct slice bytes) {
    unsigned replies = replies_in(bytes);
    for (struct fake_connection *one = fake->connections; one != NULL; one = one->next) {
        if (one->owed != 0) {
            say_to(one, bytes, replies);
        }
    }
}

void fake_redis_drop_owing(struct fake_redis *fake) {
    struct fake_connection *next;
    for (struct fake_connection *one = fake->connections; one != NULL; one = next) {
        next = one->next;
        if (one->owed != 0) {
            drop(one);
        }
    }
}
