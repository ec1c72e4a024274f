/* usage.h: the commands of mintctl as data: names, operands, options and the texts of --help. */
#ifndef MINTCTL_USAGE_H
#define MINTCTL_USAGE_H

#include "mintd/slice.h"
#include <stdio.h>

struct usage_option {
    const char *flag;        /* "--scope" */
    const char *placeholder; /* of its value; NULL: a switch */
    const char *help;
    bool repeatable;
};

struct usage {
    const char *name;                   /* "client add" */
    const char *operands;               /* "ID" */
    unsigned least, most;               /* how many operands; 2 at most */
    const char *summary;                /* one line */
    const char *text;                   /* more, for --help; lines end with \n */
    const struct usage_option *options; /* up to one without a flag */
    bool asks_redis;                    /* takes usage_redis_options too */
};

/* Up to one without a name. */
extern const struct usage usages[];
extern const struct usage_option usage_redis_options[];
/* The first words of commands of two words, up to NULL. */
extern const char *const usage_groups[];

/* By its words, one or two of them: how many is in *words. NULL: no such command. */
const struct usage *usage_find(int count, char *const *texts, int *words);
/* Whether there are commands that begin with this word ("client"). */
bool usage_is_group(const char *word);
/* Whether the command is one of the group: its name begins with this word and has another. */
bool usage_is_in(const struct usage *usage, const char *group);
/* The group ("client", or NULL: the first words of all) has such a word: that which looks most like
 * it; NULL: none does. */
const char *usage_nearest(const char *group, struct slice word);
/* The same of the options of a command. */
const char *usage_nearest_option(const struct usage *usage, struct slice flag);
/* An option of the command; NULL: it has none of that name. */
const struct usage_option *usage_find_option(const struct usage *usage, struct slice flag);

void usage_print(FILE *out, const struct usage *usage);
/* The commands, one a line: those that begin with `group`, or all (NULL). */
void usage_print_list(FILE *out, const char *group);

#endif
