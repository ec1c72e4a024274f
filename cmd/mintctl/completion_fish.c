#include "completion.h"
#include <stdio.h>

static const char start[] =
    "# mintctl's command lines in fish; printed by: mintctl completion fish\n"
    "function __mintctl_begins # the words before the cursor begin with these\n"
    "    set -l words (commandline -opc)\n"
    "    set -e words[1]\n"
    "    test (count $words) -ge (count $argv); or return 1\n"
    "    for i in (seq (count $argv))\n"
    "        test $words[$i] = $argv[$i]; or return 1\n"
    "    end\n"
    "end\n"
    "function __mintctl_is # they are these and no more\n"
    "    test (count (commandline -opc)) -eq (math (count $argv) + 1); and __mintctl_begins $argv\n"
    "end\n"
    "function __mintctl_profiles\n"
    "    set -q XDG_CONFIG_HOME; and set -l folder $XDG_CONFIG_HOME; or set -l folder ~/.config\n"
    "    set -l files $folder/mintctl/profiles/*\n"
    "    string replace -r '.*/' '' -- $files\n"
    "end\n"
    "complete -c mintctl -f\n"
    "complete -c mintctl -n __mintctl_is -l version -d 'the version and the commit'\n"
    "complete -c mintctl -s h -l help -d 'tell how it is used'\n";

static void print_value(const char *placeholder) {
    switch (completion_value(placeholder)) {
    case COMPLETION_FILE:
        fputs(" -r -F", stdout);
        break;
    case COMPLETION_PROFILE:
        fputs(" -x -a '(__mintctl_profiles)'", stdout);
        break;
    case COMPLETION_WORDS:
        fputs(" -x -a '", stdout);
        completion_print_words(placeholder);
        putchar('\'');
        break;
    case COMPLETION_NOTHING:
        fputs(" -x", stdout);
        break;
    }
}

static void print_options(const struct usage *usage, const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        printf("complete -c mintctl -n '__mintctl_begins %s' -l %s", usage->name,
               options->flag + 2);
        if (options->placeholder != NULL) {
            print_value(options->placeholder);
        }
        fputs(" -d '", stdout);
        completion_print(options->help, "");
        puts("'");
    }
}

/* One word where the words before it are these. */
static void print_word(const char *before, const char *word, const char *description) {
    printf("complete -c mintctl -n '__mintctl_is%s%s' -a %s -d '", *before == '\0' ? "" : " ",
           before, word);
    completion_print(description, "");
    puts("'");
}

static void print_name(const char *help, const struct usage *usage) {
    char before[64];
    const char *second = strchr(usage->name, ' ');
    if (second == NULL) {
        print_word(help, usage->name, usage->summary);
        return;
    }
    snprintf(before, sizeof before, "%s%s%.*s", help, *help == '\0' ? "" : " ",
             (int)(second - usage->name), usage->name);
    print_word(before, second + 1, usage->summary);
}

static void print_command(const struct usage *usage) {
    print_name("", usage);
    print_name("help", usage);
    print_options(usage, usage->options);
    if (usage->asks_redis) {
        print_options(usage, usage_redis_options);
    }
    if (completion_value(usage->operands) != COMPLETION_NOTHING) {
        printf("complete -c mintctl -n '__mintctl_begins %s'", usage->name);
        print_value(usage->operands);
        puts("");
    }
}

void completion_fish(void) {
    fputs(start, stdout);
    for (size_t i = 0; usage_groups[i] != NULL; i++) {
        print_word("", usage_groups[i], "what is done with each");
        print_word("help", usage_groups[i], "what is done with each");
    }
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        print_command(usage);
    }
}
