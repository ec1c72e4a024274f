/* redis.h: a real redis-server for a test: its own directory, unix socket and free port. It dies
 * with the test. MINTD_REDIS_SERVER in the environment is the program of another one, like
 * /usr/bin/valkey-server. */
#ifndef MINTD_TEST_REDIS_H
#define MINTD_TEST_REDIS_H

#include <sys/types.h>

struct redisContext;

struct test_redis {
    pid_t pid; /* 0: not running */
    int port;
    char directory[64];
    char socket[96];
    char password[64]; /* what test_redis_command() authenticates with; empty: nothing */
    struct redisContext *client;
    char reply[4096];
};

/* Starts one and waits until it answers. `arguments`: more of them, up to a NULL; or NULL. */
void test_redis_start(struct test_redis *redis, const char *const *arguments);
/* The same again after test_redis_kill(): same port, same socket, no data. */
void test_redis_restart(struct test_redis *redis, const char *const *arguments);
void test_redis_kill(struct test_redis *redis); /* SIGKILL, and waits for its end */
void test_redis_signal(struct test_redis *redis, int signal);
/* Kills it and removes its directory. */
void test_redis_stop(struct test_redis *redis);

/* One command, waited for; %s and %b (with a size_t) as hiredis has them. The reply as text, nil as
 * "(nil)", arrays with spaces between; valid until the next. Fails the test without a reply. */
const char *test_redis_command(struct test_redis *redis, const char *format, ...);
long long test_redis_number(struct test_redis *redis, const char *format, ...);

#endif
