/* options.h: the command line and the environment of mintd, read into settings. */
#ifndef MINTD_CMD_OPTIONS_H
#define MINTD_CMD_OPTIONS_H

#include "mintd/instance.h"
#include "mintd/log.h"

enum options_result {
    OPTIONS_RUN,
    OPTIONS_CHECK, /* --check: all is well, do not run */
    OPTIONS_SHOWN, /* --help or --version has been printed */
    OPTIONS_WRONG, /* one line on standard error has said what */
};

struct options {
    struct instance_options instance;
    enum log_format log_format;
    enum log_level log_level;
    struct oauth_client_seed seed;
    bool secret_on_command_line;
    char *owned[16]; /* texts read from files; freed by options_fini() */
    unsigned owned_count;
};

/* Defaults, then for each setting its flag, else its MINTD_ variable, else the file that its
 * MINTD_…_FILE names. */
enum options_result options_init(struct options *options, int argc, char **argv);
void options_fini(struct options *options); /* wipes what was secret */

#endif
