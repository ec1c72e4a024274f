/* options.h: the command line and the environment of mintd, read into settings. */
#ifndef MINTD_CMD_OPTIONS_H
#define MINTD_CMD_OPTIONS_H

#include "mintd/instance.h"
#include "mintd/log.h"

enum options_result {
    OPTIONS_RUN,
    OPTIONS_CHECK,     /* --check: all is well, do not run */
    OPTIONS_SHOWN,     /* --help or --version has been printed */
    OPTIONS_WRONG,     /* one line on standard error has said what */
    OPTIONS_NO_MEMORY, /* the same; no setting is to blame */
};

#define SETTINGS_MAX 64u
#define NOTES_MAX 16u

enum setting_source { FROM_DEFAULT, FROM_FLAG, FROM_VARIABLE, FROM_FILE };

/* What was given for one setting; the texts lie in argv, the environment or `owned`. */
struct setting_given {
    enum setting_source source;
    unsigned count; /* more than one where it is repeatable */
    const char *texts[INSTANCE_LISTENERS_MAX];
    const char *file; /* that it was read from; NULL: none */
};

/* What is no mistake, and looks like one: a warning. */
struct note {
    const char *what;
    char setting[64];    /* a flag or a variable */
    const char *nearest; /* a name that may be meant; or NULL */
};

struct options {
    struct instance_options instance;
    struct setting_given given[SETTINGS_MAX]; /* by place in settings[] */
    struct note notes[NOTES_MAX];
    unsigned note_count;
    enum log_format log_format;
    enum log_level log_level;
    struct oauth_client_seed seed;
    bool secret_on_command_line;
    bool no_memory;  /* why it was refused, not a setting */
    char *owned[16]; /* texts read from files; freed by options_fini() */
    unsigned owned_count;
};

/* Defaults, then for each setting its flag, else its MINTD_ variable, else the file that its
 * MINTD_…_FILE names. */
enum options_result options_init(struct options *options, int argc, char **argv);
void options_fini(struct options *options); /* wipes what was secret */

#endif
