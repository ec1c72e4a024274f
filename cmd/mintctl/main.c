/* main.c: the operator's tool: finds the command, runs it. Exit status: see command.h. */
#include "command.h"
#include "help.h"
#include "loop_memory.h"
#include "man.h"
#include "mintd/crypto.h"
#include "mintd/descriptors.h"
#include "mintd/log.h"
#include "output.h"
#include "profile.h"
#include "settings.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct {
    const char *name;
    enum status (*run)(const struct arguments *arguments);
} commands[] = {
    {"client add", client_add},
    {"client set", client_set},
    {"client list", client_list},
    {"client show", client_show},
    {"client rotate", client_rotate},
    {"client disable", client_disable},
    {"client enable", client_enable},
    {"client remove", client_remove},
    {"client apply", client_apply},
    {"client export", client_export},
    {"token mint", token_mint},
    {"token show", token_show},
    {"token revoke", token_revoke},
    {"token revoke-all", token_revoke_all},
    {"token key", token_key},
    {"explain", explain},
    {"acl", acl},
    {"doctor", doctor},
    {"status", show_status},
    {"top", show_top},
    {"health", health},
    {"completion", completion},
    {"help", help},
    {"version", version},
};

/* No core file and no debugger of another user: memory holds secrets and tokens. A leak checker
 * needs the debugger. */
static void protect_memory(void) {
    const struct rlimit limit = {0, 0};
    setrlimit(RLIMIT_CORE, &limit);
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* What was printed and could not be written was not done. A reader that has seen enough and has
 * gone (| head) is no news to anybody. */
static enum status end_output(enum status status) {
    bool failed = ferror(stdout) != 0;
    failed |= fflush(stdout) != 0;
    if (failed && !output_is_abandoned()) {
        say("standard output could not be written");
    }
    return failed && status == STATUS_DONE ? STATUS_REFUSED : status;
}

static enum status run(const struct usage *usage, int count, char **texts) {
    struct arguments arguments;
    switch (arguments_read(&arguments, usage, count, texts)) {
    case ARGUMENTS_HELP:
        usage_print(stdout, usage);
        return STATUS_DONE;
    case ARGUMENTS_WRONG:
        return STATUS_USAGE;
    case ARGUMENTS_RUN:
        break;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, usage->name) == 0) {
            return commands[i].run(&arguments);
        }
    }
    return STATUS_USAGE;
}

int main(int argc, char **argv) {
    int words = 0;
    if (!descriptors_fill()) {
        return (int)STATUS_REFUSED; /* and nowhere to say so */
    }
    protect_memory();
    json_watch_memory();
    loop_memory_watch();
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--man") == 0) {
        man_print();
        return STATUS_DONE;
    }
    const struct usage *usage = usage_find(argc - 1, argv + 1, &words);
    if (usage == NULL) {
        return (int)end_output(help_without_command(argc - 1, argv + 1));
    }
    if (!crypto_start()) {
        say("not enough memory to start");
        return (int)STATUS_REFUSED;
    }
    settings_warn_of_variables();
    log_start(LOG_FORMAT_TEXT, LOG_SILENT); /* what the floors below would say, we say in words */
    enum status status = run(usage, argc - 1 - words, argv + 1 + words);
    log_stop();
    profile_wipe();
    return (int)end_output(status);
}
