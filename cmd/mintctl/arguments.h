/* arguments.h: the command line of one command, read by its usage. */
#ifndef MINTCTL_ARGUMENTS_H
#define MINTCTL_ARGUMENTS_H

#include "usage.h"

#define ARGUMENTS_GIVEN_MAX 64u

struct arguments {
    const struct usage *usage;
    char *operands[2]; /* NULL where not given; in argv, so that a secret can be wiped there */
    unsigned operand_count;
    unsigned given_count;
    struct {
        const struct usage_option *option;
        char *value; /* NULL for a switch; in argv too */
    } given[ARGUMENTS_GIVEN_MAX];
};

enum arguments_result {
    ARGUMENTS_RUN,
    ARGUMENTS_HELP,  /* --help was asked for */
    ARGUMENTS_WRONG, /* one line on standard error has said what */
};

/* What stands behind the command's name. */
enum arguments_result arguments_read(struct arguments *arguments, const struct usage *usage,
                                     int count, char **texts);

bool arguments_has(const struct arguments *arguments, const char *flag);
/* The value of an option; NULL where it was not given. */
char *arguments_value(const struct arguments *arguments, const char *flag);
/* The next value of a repeatable option from *place on; NULL at the end. */
char *arguments_next(const struct arguments *arguments, const char *flag, unsigned *place);

#endif
