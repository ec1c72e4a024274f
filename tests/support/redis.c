#include "support/redis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MORE_ARGUMENTS_MAX 32
#define READY_WITHIN_MS 10000

static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* Debian packs the server into redis-tools under another name: the name it is started by decides
 * what it is. */
static void link_server(const struct test_redis *redis, char *path, size_t size) {
    static const char *const names[] = {"redis-server", "valkey-server", "redis-check-rdb",
                                        "valkey-check-rdb"};
    static const char *const folders[] = {"/usr/bin", "/usr/local/bin", "/usr/sbin"};
    char found[64];
    const char *given = getenv("MINTD_REDIS_SERVER");
    snprintf(path, size, "%s/redis-server", redis->directory);
    if (given != NULL && given[0] != '\0') {
        assert_true(symlink(given, path) == 0 || errno == EEXIST);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t k = 0; k < sizeof folders / sizeof folders[0]; k++) {
            snprintf(found, sizeof found, "%s/%s", folders[k], names[i]);
            if (access(found, X_OK) == 0) {
                assert_true(symlink(found, path) == 0 || errno == EEXIST);
                return;
            }
        }
    }
    fail_msg("no redis-server: install redis-tools");
}

static void become_server(const char *program, const struct test_redis *redis,
                          const char *const *arguments) {
    char port[16];
    const char *argv[16 + MORE_ARGUMENTS_MAX] = {"redis-server",
                                                 "--bind",
                                                 "127.0.0.1",
                                                 "--port",
                                                 port,
                                                 "--unixsocket",
                                                 redis->socket,
                                                 "--dir",
                                                 redis->directory,
                                                 "--save",
                                                 "",
                                                 "--appendonly",
                                                 "no"};
    size_t count = 13;
    int log = open("/dev/null", O_WRONLY);
    snprintf(port, sizeof port, "%d", redis->port);
    for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++) {
        argv[count++] = arguments[i];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execv(program, (char *const *)argv);
    _exit(127);
}

static redisContext *connect_client(const struct test_redis *redis) {
    const struct timeval timeout = {10, 0};
    redisContext *client = redisConnectUnixWithTimeout(redis->socket, timeout);
    if (client == NULL || client->err != 0) {
        redisFree(client);
        return NULL;
    }
    redisSetTimeout(client, timeout);
    if (redis->password[0] != '\0') {
        freeReplyObject(redisCommand(client, "AUTH %s", redis->password));
    }
    return client;
}

/* Connected and not loading any more is what counts as ready; an error reply is an answer too.
 * False: it has ended. */
static bool becomes_ready(struct test_redis *redis) {
    const struct timespec moment = {0, 5 * 1000 * 1000};
    for (int waited_ms = 0; waited_ms < READY_WITHIN_MS; waited_ms += 5) {
        if (waitpid(redis->pid, NULL, WNOHANG) != 0) {
            redis->pid = 0;
            return false;
        }
        redis->client = connect_client(redis);
        if (redis->client != NULL) {
            return true;
        }
        nanosleep(&moment, NULL);
    }
    fail_msg("redis-server did not get ready");
    return false;
}

static bool launch(struct test_redis *redis, const char *const *arguments) {
    char program[96];
    link_server(redis, program, sizeof program);
    redis->pid = fork();
    assert_true(redis->pid >= 0);
    if (redis->pid == 0) {
        become_server(program, redis, arguments);
    }
    return becomes_ready(redis);
}

void test_redis_restart(struct test_redis *redis, const char *const *arguments) {
    assert_true(launch(redis, arguments));
}

void test_redis_start(struct test_redis *redis, const char *const *arguments) {
    *redis = (struct test_redis){.directory = "/tmp/mintd-redis.XXXXXX"};
    assert_non_null(mkdtemp(redis->directory));
    snprintf(redis->socket, sizeof redis->socket, "%s/redis.sock", redis->directory);
    for (int attempt = 0; attempt < 5; attempt++) {
        redis->port = free_port(); /* somebody else may be quicker */
        if (launch(redis, arguments)) {
            return;
        }
    }
    fail_msg("redis-server ends as it starts");
}

void test_redis_kill(struct test_redis *redis) {
    redisFree(redis->client);
    redis->client = NULL;
    kill(redis->pid, SIGKILL);
    waitpid(redis->pid, NULL, 0);
    redis->pid = 0;
}

void test_redis_signal(struct test_redis *redis, int signal) {
    int status;
    assert_int_equal(kill(redis->pid, signal), 0);
    if (signal == SIGSTOP) { /* not stopped before this says so */
        assert_int_equal(waitpid(redis->pid, &status, WUNTRACED), redis->pid);
        assert_true(WIFSTOPPED(status));
    }
}

void test_redis_stop(struct test_redis *redis) {
    static const char *const files[] = {"redis.sock", "redis-server", "dump.rdb", "users.acl"};
    char path[128];
    if (redis->pid != 0) {
        test_redis_kill(redis);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", redis->directory, files[i]);
        unlink(path);
    }
    rmdir(redis->directory);
}

static void write_text(const redisReply *reply, FILE *out) {
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        fprintf(out, "%lld", reply->integer);
        break;
    case REDIS_REPLY_NIL:
        fputs("(nil)", out);
        break;
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < reply->elements; i++) {
            fputs(i == 0 ? "" : " ", out);
            write_text(reply->element[i], out);
        }
        break;
    default:
        fwrite(reply->str, 1, reply->len, out);
    }
}

static void command(struct test_redis *redis, const char *format, va_list arguments) {
    redisReply *reply = redisvCommand(redis->client, format, arguments);
    if (reply == NULL) {
        fail_msg("redis did not answer: %s", redis->client->errstr);
        return;
    }
    FILE *out = fmemopen(redis->reply, sizeof redis->reply, "w");
    assert_non_null(out);
    write_text(reply, out);
    fputc('\0', out);
    fclose(out);
    freeReplyObject(reply);
}

const char *test_redis_command(struct test_redis *redis, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    command(redis, format, arguments);
    va_end(arguments);
    return redis->reply;
}

long long test_redis_number(struct test_redis *redis, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    command(redis, format, arguments);
    va_end(arguments);
    return strtoll(redis->reply, NULL, 10);
}
