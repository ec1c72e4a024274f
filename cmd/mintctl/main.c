/* main.c: the operator's tool: finds the command, runs it. Exit status: see command.h. */
#include "command.h"
#include "man.h"
#include "mintd/crypto.h"
#include "mintd/descriptors.h"
#include "mintd/log.h"
#include "output.h"
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
    {"health", health},
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

/* Not repeated as it is: it may be a token that was given without its command. */
static enum status unknown_command(int count, char *const *texts) {
    if (count > 0 && usage_is_group(texts[0])) {
        bool asks = count > 1 && strcmp(texts[1], "--help") == 0;
        usage_print_list(asks ? stdout : stderr, texts[0]);
        return asks ? STATUS_DONE : STATUS_USAGE;
    }
    if (count == 0) {
        usage_print_list(stderr, NULL);
    } else {
        say("no such command: mintctl --help lists all");
    }
    return STATUS_USAGE;
}

int main(int argc, char **argv) {
    int words = 0;
    if (!descriptors_fill()) {
        return (int)STATUS_REFUSED; /* and nowhere to say so */
    }
    protect_memory();
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        usage_print_list(stdout, NULL);
        return STATUS_DONE;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("mintctl " MINTD_VERSION);
        return STATUS_DONE;
    }
    if (argc > 1 && strcmp(argv[1], "--man") == 0) {
        man_print();
        return STATUS_DONE;
    }
    const struct usage *usage = usage_find(argc - 1, argv + 1, &words);
    if (usage == NULL) {
        return (int)unknown_command(argc - 1, argv + 1);
    }
    if (!crypto_start()) {
        say("not enough memory to start");
        return (int)STATUS_REFUSED;
    }
    settings_warn_of_variables();
    log_start(LOG_FORMAT_TEXT, LOG_SILENT); /* what the floors below would say, we say in words */
    enum status status = run(usage, argc - 1 - words, argv + 1 + words);
    log_stop();
    return (int)end_output(status);
}
