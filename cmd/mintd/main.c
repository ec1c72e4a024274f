/* main.c: settings in, exit status out: 0 done, 1 it could not start, 2 a setting is wrong. */
#include "check.h"
#include "commit.h"
#include "loop_memory.h"
#include "mintd/crypto.h"
#include "mintd/descriptors.h"
#include "mintd/log.h"
#include "options.h"
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define OTHER_DESCRIPTORS 64u /* what a process needs besides its clients' connections */

/* No core file and no debugger of another user: memory holds secrets and tokens. A leak checker
 * needs the debugger. */
static void protect_memory(void) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Until there is somebody who takes it: a reload that comes early does not end the start. */
static void hold_reload(void) {
    sigset_t reload;
    sigemptyset(&reload);
    sigaddset(&reload, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &reload, NULL);
}

/* As many descriptors as allowed; where the connections need more, fewer connections. */
static void fit_connections(struct instance_options *instance) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t others = OTHER_DESCRIPTORS + 8 * (rlim_t)instance->workers;
    rlim_t room = limit.rlim_cur > others ? limit.rlim_cur - others : 1;
    if (instance->max_connections > room) {
        log_warning("fewer connections than set: the limit of open files is too low",
                    LOG_NUMBER("max_connections", room), LOG_NUMBER("open_files", limit.rlim_cur));
        instance->max_connections = (unsigned)room;
    }
}

static void log_notes(const struct options *options) {
    for (unsigned i = 0; i < options->note_count; i++) {
        const struct note *note = &options->notes[i];
        if (note->nearest == NULL) {
            log_warning(note->what, LOG_STRING("setting", note->setting));
        } else {
            log_warning(note->what, LOG_STRING("setting", note->setting),
                        LOG_STRING("nearest", note->nearest));
        }
    }
}

static int run(struct options *options) {
    log_start(options->log_format, options->log_level);
    log_notes(options);
    if (options->secret_on_command_line) {
        log_warning("a secret stands on the command line, where every user of this machine can "
                    "read it: use the environment or a file (MINTD_CLIENT_FILE, MINTD_REDIS_FILE)");
    }
    fit_connections(&options->instance);
    options->instance.commit = commit;
    int status = instance_run(&options->instance);
    log_stop();
    return status;
}

int main(int argc, char **argv) {
    struct options options;
    int status = 0;
    if (!descriptors_fill()) {
        return 1; /* and nowhere to say so */
    }
    hold_reload();
    protect_memory();
    crypto_own_allocations();
    loop_memory_watch();
    signal(SIGPIPE, SIG_IGN);
    if (!crypto_start()) { /* ahead of settings that take a hash or a certificate */
        fputs("mintd: not enough memory to start\n", stderr);
        return 1;
    }
    switch (options_init(&options, argc, argv)) {
    case OPTIONS_RUN:
        status = run(&options);
        break;
    case OPTIONS_CHECK:
        check_show(&options);
        break;
    case OPTIONS_SHOWN:
        break;
    case OPTIONS_WRONG:
        status = 2;
        break;
    case OPTIONS_NO_MEMORY:
        status = 1;
        break;
    }
    options_fini(&options);
    return status;
}
