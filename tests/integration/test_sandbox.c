/* What is taken, and what is left: each call is tried by a process of its own that has entered. */
#include "instance/sandbox.h"
#include "mintd/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#define STACK (256u << 10)
#define NOT_ENTERED 200 /* exit statuses; others are errno values */

static char path[] = "/tmp/mintd-sandbox-XXXXXX";

static int errno_of(bool ok) {
    return ok ? 0 : errno;
}

/* An errno value, or 0. A sanitizer's build is ended by what it may not do. */
static int result_of(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return EPERM;
    }
    return WEXITSTATUS(status);
}

static int attempt(int (*call)(void), bool unlinks, bool listens) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int error = sandbox_enter(unlinks, listens);
        _exit(error == 0 ? call() : NOT_ENTERED);
    }
    return result_of(pid);
}

static int start_program(void) {
    char *const arguments[] = {"true", NULL};
    execv("/bin/true", arguments);
    return errno;
}

static int start_process(void) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return errno_of(pid > 0);
}

static int write_file(void) {
    return errno_of(open(path, O_WRONLY) >= 0);
}

static int update_file(void) {
    return errno_of(open(path, O_RDWR) >= 0);
}

static int make_file(void) {
    return errno_of(open("/tmp/mintd-sandbox-new", O_RDONLY | O_CREAT, 0600) >= 0);
}

static int empty_file(void) {
    return errno_of(open(path, O_RDONLY | O_TRUNC) >= 0);
}

static int remove_file(void) {
    return errno_of(unlink(path) == 0);
}

static int rename_file(void) {
    return errno_of(rename(path, path) == 0);
}

static int change_mode(void) {
    return errno_of(chmod(path, 0600) == 0);
}

static int change_user(void) {
    return errno_of(setresuid(getuid(), getuid(), getuid()) == 0);
}

static int listen_again(void) {
    return errno_of(listen(socket(AF_INET, SOCK_STREAM, 0), 1) == 0);
}

static int capture_packets(void) {
    return errno_of(socket(AF_PACKET, SOCK_RAW, 0) >= 0);
}

static int kernel_ciphers(void) {
    return errno_of(socket(AF_ALG, SOCK_SEQPACKET, 0) >= 0);
}

static void what_an_attacker_needs_is_taken(void **state) {
    (void)state;
    static int (*const calls[])(void) = {
        start_program, write_file,  update_file, make_file,    empty_file,      remove_file,
        rename_file,   change_mode, change_user, listen_again, capture_packets, kernel_ciphers,
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        assert_int_equal(attempt(calls[i], false, false), EPERM);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static int look_into_another(void) {
    return errno_of(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0);
}

static int send_signal(void) {
    return errno_of(kill(getppid(), 0) == 0);
}

/* What looks for leaks needs these. */
static void other_processes_are_out_of_reach(void **state) {
    (void)state;
    assert_int_equal(attempt(start_process, false, false), EPERM);
    assert_int_equal(attempt(look_into_another, false, false), EPERM);
    assert_int_equal(attempt(send_signal, false, false), EPERM);
}
#else
static void other_processes_are_out_of_reach(void **state) {
    (void)state;
    assert_int_equal(attempt(start_process, false, false), 0);
}
#endif

static int read_file(void) {
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return errno_of(fd >= 0 && read(fd, &byte, 1) == 0);
}

static void *say_done(void *argument) {
    *(bool *)argument = true;
    return NULL;
}

static int start_thread(void) {
    pthread_t thread;
    bool done = false;
    int error = thread_start(&thread, STACK, say_done, &done);
    return error != 0 ? error : pthread_join(thread, NULL) == 0 && done ? 0 : EINVAL;
}

static int find_host(void) {
    struct addrinfo *found;
    int error = getaddrinfo("localhost", "1", NULL, &found);
    if (error == 0) {
        freeaddrinfo(found);
    }
    return error == 0 ? 0 : EINVAL;
}

static void count(uv_work_t *work) {
    ++*(int *)work->data;
}

static int run_loop(void) {
    uv_loop_t loop;
    int counted = 0;
    uv_work_t work = {.data = &counted};
    if (uv_loop_init(&loop) != 0 || uv_queue_work(&loop, &work, count, NULL) != 0) {
        return EINVAL;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    return counted == 1 && uv_loop_close(&loop) == 0 ? 0 : EINVAL;
}

static void what_a_running_mintd_needs_is_left(void **state) {
    (void)state;
    assert_int_equal(attempt(read_file, false, false), 0);
    assert_int_equal(attempt(start_thread, false, false), 0);
    assert_int_equal(attempt(find_host, false, false), 0);
    assert_int_equal(attempt(run_loop, false, false), 0);
}

static void *try_to_write(void *argument) {
    pthread_barrier_t *entered = argument;
    pthread_barrier_wait(entered);
    return (void *)(intptr_t)write_file();
}

static void threads_that_run_already_are_in_it(void **state) {
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pthread_barrier_t entered;
        pthread_t thread;
        void *error = NULL;
        pthread_barrier_init(&entered, NULL, 2);
        bool ok = thread_start(&thread, STACK, try_to_write, &entered) == 0 &&
                  sandbox_enter(false, false) == 0;
        pthread_barrier_wait(&entered);
        pthread_join(thread, &error);
        _exit(ok ? (int)(intptr_t)error : NOT_ENTERED);
    }
    assert_int_equal(result_of(pid), EPERM);
}

static void who_shares_a_port_may_listen(void **state) {
    (void)state;
    assert_int_equal(attempt(listen_again, false, true), 0);
}

/* Last: the file is gone. */
static void sockets_are_removed_where_there_are_some(void **state) {
    (void)state;
    assert_int_equal(attempt(remove_file, true, false), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static int make_path(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_attacker_needs_is_taken),
        cmocka_unit_test(other_processes_are_out_of_reach),
        cmocka_unit_test(what_a_running_mintd_needs_is_left),
        cmocka_unit_test(threads_that_run_already_are_in_it),
        cmocka_unit_test(who_shares_a_port_may_listen),
        cmocka_unit_test(sockets_are_removed_where_there_are_some),
    };
    return cmocka_run_group_tests(tests, make_path, NULL);
}
