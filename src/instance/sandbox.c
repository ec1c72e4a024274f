/* sandbox.c: a filter of system calls, written here instruction by instruction. (libseccomp would
 * write it too; where memory is short it ends the process: 2.5.4 frees twice.) The program is a
 * list: the number of the call is compared with one after the other, the most frequent ones first.
 * Linux 5.11 and later remember which calls are allowed whatever their arguments are, and do not
 * run it for them. */
#include "instance/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000u /* from here on: x32 */
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS 0x7fffffffu
#endif

#ifdef ARCHITECTURE

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#define DENIED SECCOMP_RET_KILL_PROCESS
#else
#define IS_SANITIZED false
#define DENIED (SECCOMP_RET_ERRNO | EPERM)
#endif

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* glibc names its memory */
#endif
/* Newer than the kernel whose headers these may be. */
#ifndef SYS_futex_wait
#define SYS_futex_wait 455
#define SYS_futex_wake 454
#endif

#define INSTRUCTIONS_MAX 512u

struct program {
    struct sock_filter instructions[INSTRUCTIONS_MAX];
    unsigned short count;
};

static const unsigned calls[] = {
    /* each request */
    SYS_read,
    SYS_write,
    SYS_writev,
    SYS_epoll_pwait,
    SYS_epoll_ctl,
    SYS_futex,
    SYS_accept4,
    SYS_close,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendto,
    SYS_recvfrom,
    /* files that are open, and what is there */
    SYS_readv,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_fcntl,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    /* memory */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    /* sockets; a resolver binds one of its own */
    SYS_connect,
    SYS_bind,
    SYS_accept,
    SYS_shutdown,
    SYS_getsockname,
    SYS_getpeername,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_sendmmsg,
    SYS_recvmmsg,
    /* waiting */
    SYS_epoll_create1,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_pipe2,
    SYS_ppoll,
    SYS_pselect6,
    SYS_futex_wait,
    SYS_futex_wake,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_restart_syscall,
    /* time */
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    /* threads and signals */
    SYS_set_robust_list,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_membarrier,
    SYS_gettid,
    SYS_tgkill,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    /* this process */
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getrusage,
    SYS_prlimit64,
    SYS_sysinfo,
    SYS_uname,
    SYS_getrandom,
#ifdef __x86_64__
    /* older forms of these */
    SYS_epoll_wait,
    SYS_poll,
    SYS_select,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_getdents,
    SYS_getrlimit,
    SYS_time,
#endif
};

static void put(struct program *program, uint16_t code, uint32_t value, uint8_t otherwise) {
    assert(program->count < INSTRUCTIONS_MAX);
    program->instructions[program->count++] =
        (struct sock_filter){.code = code, .jf = otherwise, .k = value};
}

static void load(struct program *program, size_t offset) {
    put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0);
}

/* Where what was loaded is this number, that is the answer. */
static void answer(struct program *program, unsigned number, unsigned result) {
    put(program, BPF_JMP | BPF_JEQ | BPF_K, number, 1);
    put(program, BPF_RET | BPF_K, result, 0);
}

static void allow_all(struct program *program, const unsigned *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        answer(program, numbers[i], SECCOMP_RET_ALLOW);
    }
}

/* This call, where the low half of an argument, of which only the bits of the mask count, is one of
 * these. All arguments looked at are ints, or flags of 32 bits. */
static void allow_if(struct program *program, unsigned number, unsigned argument, uint32_t mask,
                     const uint32_t *values, size_t count) {
    put(program, BPF_JMP | BPF_JEQ | BPF_K, number, (uint8_t)(2 * count + 3));
    load(program, offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
    put(program, BPF_ALU | BPF_AND | BPF_K, mask, 0);
    for (size_t i = 0; i < count; i++) {
        answer(program, values[i], SECCOMP_RET_ALLOW);
    }
    put(program, BPF_RET | BPF_K, DENIED, 0);
}

/* To be read. Coverage is written at the end. */
static void allow_files(struct program *program) {
#ifdef MINTD_COVERAGE
    static const unsigned all[] = {SYS_openat, SYS_mkdirat};
    allow_all(program, all, sizeof all / sizeof *all);
#else
    static const uint32_t reading[] = {O_RDONLY};
    const uint32_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
    allow_if(program, SYS_openat, 2, writes, reading, 1);
#ifdef __x86_64__
    allow_if(program, SYS_open, 1, writes, reading, 1);
#endif
#endif
}

static void allow_sockets(struct program *program) {
    static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    allow_if(program, SYS_socket, 0, UINT32_MAX, families, sizeof families / sizeof *families);
}

static void allow_ioctls(struct program *program) {
    static const uint32_t requests[] = {FIONBIO, FIONREAD, SIOCOUTQ, TCGETS, TIOCGWINSZ};
    allow_if(program, SYS_ioctl, 1, UINT32_MAX, requests, sizeof requests / sizeof *requests);
}

/* A thread, not a process. What clone3() is asked for cannot be seen; clone() is the other way. */
static void allow_threads(struct program *program) {
    static const uint32_t thread[] = {CLONE_THREAD};
    static const uint32_t naming[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA};
    answer(program, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    if (!IS_SANITIZED) {
        allow_if(program, SYS_clone, 0, CLONE_THREAD, thread, 1);
        allow_if(program, SYS_prctl, 0, UINT32_MAX, naming, sizeof naming / sizeof *naming);
    }
}

/* What looks for leaks stops all threads from another process. */
static void allow_sanitizers(struct program *program) {
    static const unsigned theirs[] = {SYS_clone, SYS_ptrace, SYS_wait4,
                                      SYS_prctl, SYS_kill,   SYS_personality};
    if (IS_SANITIZED) {
        allow_all(program, theirs, sizeof theirs / sizeof *theirs);
    }
}

static void allow_unlinking(struct program *program) {
    answer(program, SYS_unlinkat, SECCOMP_RET_ALLOW);
#ifdef __x86_64__
    answer(program, SYS_unlink, SECCOMP_RET_ALLOW);
#endif
}

static void write_program(struct program *program, bool unlinks, bool listens) {
    load(program, offsetof(struct seccomp_data, arch));
    put(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1);
    put(program, BPF_JMP | BPF_JA, 1, 0);
    put(program, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0);
    load(program, offsetof(struct seccomp_data, nr));
    put(program, BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 1);
    put(program, BPF_RET | BPF_K, DENIED, 0);
    allow_all(program, calls, sizeof calls / sizeof *calls);
    allow_files(program);
    allow_sockets(program);
    allow_ioctls(program);
    allow_threads(program);
    allow_sanitizers(program);
    if (unlinks) {
        allow_unlinking(program);
    }
    if (listens) {
        answer(program, SYS_listen, SECCOMP_RET_ALLOW);
    }
    answer(program, SYS_io_uring_setup, SECCOMP_RET_ERRNO | ENOSYS); /* libuv goes without */
    put(program, BPF_RET | BPF_K, DENIED, 0);
}

int sandbox_enter(bool unlinks, bool listens) {
    struct program program = {.count = 0};
    write_program(&program, unlinks, listens);
    const struct sock_fprog filter = {.len = program.count, .filter = program.instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
    return result == 0 ? 0 : result < 0 ? errno : EBUSY; /* a thread has another filter */
}

#else

int sandbox_enter(bool unlinks, bool listens) {
    (void)unlinks;
    (void)listens;
    return ENOSYS;
}

#endif
