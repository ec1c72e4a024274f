/* fail_malloc: loaded ahead of libc (LD_PRELOAD), it lets each allocation of a start fail once
 * (tests/check_start). A start has two parts: up to the first event loop, and from there on.
 *
 *     MINTD_FAIL_EACH=FD   the first part, all in one process: at each allocation, and at each
 *                          thread that starts, it forks; that one fails in the child, which goes
 *                          on alone and is told to end in good order (SIGTERM waits for it); the
 *                          parent goes on as if nothing had been. Two children at a time. At the
 *                          first event loop, or where the program ends, the parent ends. To FD go
 *                          "NUMBER STATUS SIZE\n" for each child, its wait status, and SIZE bytes
 *                          of what it said; and "end COUNT\n" as the last.
 *     MINTD_FAIL_FROM=F    of these the Fth is the first that fails (default 1), and each Sth from
 *     MINTD_FAIL_STEP=S    there on
 *     MINTD_FAIL_LATE=N    the second part, a process each: the Nth allocation of all threads
 *                          since then fails, and a line on standard error says so
 *
 * A fork has one thread. So the parent starts none: each child starts, as it begins, those that the
 * parent has been asked for until then.
 *
 * A slow hash is made at next to no cost: it would be made by every second child.
 *
 * Linux and glibc: its allocator is called by its inner names, so nothing has to be looked up
 * before the first allocation. Calls before this library's constructor (the loader's) do not
 * fail. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 2u
#define CHILD_SECONDS 30u /* far more than a start takes; then SIGALRM ends it */
#define THREADS_MAX 16u
#define PARAMETERS_MAX 16u
#define FILES_MAX 64 /* descriptors that may be open files */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

struct child {
    pid_t pid; /* 0: free */
    unsigned long number;
    int said;
};

/* One that the parent was asked for. */
struct thread {
    pthread_t *thread;
    size_t stack_size;
    void *(*run)(void *argument);
    void *argument;
};

typedef int create_thread(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *argument), void *argument);
typedef int create_epoll(int flags);
typedef int derive_key(EVP_KDF_CTX *context, unsigned char *key, size_t size,
                       const OSSL_PARAM *parameters);

static bool forks; /* this process is the parent */
static int report;
static unsigned long number; /* of the parent's allocations */
static unsigned long next_to_fail;
static unsigned long fail_step;
static struct child children[CHILDREN];
static struct thread threads[THREADS_MAX];
static unsigned thread_count;
static off_t places[FILES_MAX]; /* where the parent is in its files; -1: no file */
static unsigned long fail_late; /* 0: never */
static _Atomic bool is_late;
static _Atomic unsigned long late_calls;
static create_thread *real_create_thread;
static create_epoll *real_create_epoll;
static derive_key *real_derive_key; /* NULL: the program has no OpenSSL */

/* ---- the parent ---- */

static void give_up(const char *what) {
    perror(what);
    _exit(99); /* no status of mintd's */
}

static void tell(const void *data, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t written = write(report, (const char *)data + done, size - done);
        if (written < 0) {
            give_up("fail_malloc: write");
        }
        done += (size_t)written;
    }
}

static void tell_child(const struct child *child, int status) {
    char line[96];
    char block[4096];
    off_t size = lseek(child->said, 0, SEEK_END);
    int length = snprintf(line, sizeof line, "%lu %d %ld\n", child->number, status, (long)size);
    tell(line, (size_t)length);
    for (off_t at = 0; at < size;) {
        ssize_t part = pread(child->said, block, sizeof block, at);
        if (part <= 0) {
            give_up("fail_malloc: pread");
        }
        tell(block, (size_t)part);
        at += part;
    }
}

static void await_child(void) {
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    for (unsigned i = 0; i < CHILDREN; i++) {
        if (pid > 0 && children[i].pid == pid) {
            tell_child(&children[i], status);
            close(children[i].said);
            children[i].pid = 0;
            return;
        }
    }
    give_up("fail_malloc: waitpid");
}

static struct child *free_child(void) {
    for (;;) {
        for (unsigned i = 0; i < CHILDREN; i++) {
            if (children[i].pid == 0) {
                return &children[i];
            }
        }
        await_child();
    }
}

static void end_parent(void) {
    char line[32];
    for (unsigned i = 0; i < CHILDREN; i++) {
        if (children[i].pid != 0) {
            await_child();
            i = (unsigned)-1; /* it may have been another's */
        }
    }
    tell(line, (size_t)snprintf(line, sizeof line, "end %lu\n", number));
    forks = false;
}

/* ---- a child ---- */

static void start_threads(void) {
    for (unsigned i = 0; i < thread_count; i++) {
        const struct thread *thread = &threads[i];
        pthread_attr_t attributes;
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before); /* as src/base/thread.c has it */
        if (pthread_attr_init(&attributes) != 0 ||
            pthread_attr_setstacksize(&attributes, thread->stack_size) != 0 ||
            real_create_thread(thread->thread, &attributes, thread->run, thread->argument) != 0) {
            give_up("fail_malloc: pthread_create");
        }
        pthread_attr_destroy(&attributes);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
}

/* A file that is open is read by the parent and each child from where the parent is. */
static void note_places(void) {
    for (int fd = STDERR_FILENO + 1; fd < FILES_MAX; fd++) {
        places[fd] = lseek(fd, 0, SEEK_CUR);
    }
}

static void open_files_anew(void) {
    for (int fd = STDERR_FILENO + 1; fd < FILES_MAX; fd++) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int own = places[fd] < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        if (own >= 0 && (lseek(own, places[fd], SEEK_SET) < 0 || dup3(own, fd, O_CLOEXEC) < 0)) {
            give_up("fail_malloc: a file of the parent's");
        }
        if (own >= 0) {
            close(own);
        }
    }
}

static void begin_child(int said) {
    forks = false;
    close(report);
    if (dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0) {
        give_up("fail_malloc: dup2");
    }
    close(said);
    open_files_anew();
    kill(getpid(), SIGTERM); /* held back until mintd takes it, as it runs */
    alarm(CHILD_SECONDS);
    start_threads();
}

/* libc's own changes what libc takes for the thread's id, and a lock that is held right now is then
 * none of the thread's. */
static pid_t plain_fork(void) {
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* True in the child. */
static bool fork_child(void) {
    if (++number != next_to_fail) {
        return false;
    }
    next_to_fail += fail_step;
    struct child *child = free_child();
    child->number = number;
    child->said = memfd_create("said", MFD_CLOEXEC);
    if (child->said < 0 || fcntl(child->said, F_SETFL, O_APPEND) < 0) { /* threads write */
        give_up("fail_malloc: memfd_create");
    }
    note_places();
    child->pid = plain_fork();
    if (child->pid < 0) {
        give_up("fail_malloc: fork");
    }
    if (child->pid == 0) {
        begin_child(child->said);
        return true;
    }
    return false;
}

/* ---- what fails ---- */

static bool fails_late(void) {
    static const char said[] = "fail_malloc: failed\n";
    if (fail_late == 0 || !atomic_load(&is_late) ||
        atomic_fetch_add(&late_calls, 1) + 1 != fail_late) {
        return false;
    }
    if (write(STDERR_FILENO, said, sizeof said - 1) < 0) {
        _exit(99); /* the test would not know */
    }
    return true;
}

static bool fails(void) {
    if (forks ? fork_child() : fails_late()) {
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    return fails() ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    void *got = fails() ? NULL : __libc_memalign(alignment, size);
    if (got == NULL) {
        return ENOMEM;
    }
    *memory = got;
    return 0;
}

/* ---- what else is done otherwise ---- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*run)(void *argument), void *argument) {
    if (!forks) {
        return real_create_thread(thread, attributes, run, argument);
    }
    if (fork_child()) {
        return EAGAIN;
    }
    struct thread *next = &threads[thread_count++];
    *next = (struct thread){.thread = thread, .run = run, .argument = argument};
    if (thread_count == THREADS_MAX || attributes == NULL ||
        pthread_attr_getstacksize(attributes, &next->stack_size) != 0) {
        give_up("fail_malloc: a thread that cannot be put off");
    }
    return 0;
}

/* Made with the first loop: what a loop has is shared with a child, so no more is forked. */
int epoll_create1(int flags) {
    if (forks) {
        end_parent();
        _exit(0);
    }
    atomic_store(&is_late, true);
    return real_create_epoll(flags);
}

int EVP_KDF_derive(EVP_KDF_CTX *context, unsigned char *key, size_t size,
                   const OSSL_PARAM *parameters) {
    OSSL_PARAM cheap[PARAMETERS_MAX];
    uint64_t cost = 2;
    unsigned count = 0;
    for (; parameters[count].key != NULL && count < PARAMETERS_MAX - 1; count++) {
        bool is_cost = strcmp(parameters[count].key, OSSL_KDF_PARAM_SCRYPT_N) == 0;
        cheap[count] = is_cost ? OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &cost)
                               : parameters[count];
    }
    cheap[count] = OSSL_PARAM_construct_end();
    return real_derive_key(context, key, size, cheap);
}

static unsigned long number_of(const char *name, unsigned long otherwise) {
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

/* Writes the address of the next library's function. */
static void look_up(const char *name, void *function) {
    void *address = dlsym(RTLD_NEXT, name);
    memcpy(function, &address, sizeof address);
}

__attribute__((constructor)) static void begin(void) {
    look_up("pthread_create", &real_create_thread);
    look_up("epoll_create1", &real_create_epoll);
    look_up("EVP_KDF_derive", &real_derive_key);
    fail_late = number_of("MINTD_FAIL_LATE", 0);
    next_to_fail = number_of("MINTD_FAIL_FROM", 1);
    fail_step = number_of("MINTD_FAIL_STEP", 1);
    report = (int)number_of("MINTD_FAIL_EACH", 0); /* 0: standard input, so none */
    if (report != 0) {
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &term, NULL); /* for the children */
        forks = true;
    }
}

__attribute__((destructor)) static void end(void) {
    if (forks) {
        end_parent();
    }
}
