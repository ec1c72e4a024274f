#include "completion.h"
#include <stdio.h>

static const char start[] =
    "#compdef mintctl\n"
    "# mintctl's command lines in zsh; printed by: mintctl completion zsh\n"
    "_mintctl_profiles() {\n"
    "    local -a profiles=(${XDG_CONFIG_HOME:-$HOME/.config}/mintctl/profiles/*(N:t))\n"
    "    compadd -a profiles\n"
    "}\n"
    "_mintctl() {\n"
    "    local -a commands redis\n"
    "    local at=2 command\n"
    "    [[ $words[2] == help ]] && ((CURRENT > 2)) && at=3\n";

static const char middle[] = "    ((CURRENT == at)) && { _describe command commands; return; }\n"
                             "    command=$words[at]\n";

static const char group_end[] =
    "        ((CURRENT == at + 1)) && { _describe command commands; return; }\n"
    "        ((at++))\n"
    "        command+=\" $words[at]\" ;;\n";

static const char end[] = "    esac\n"
                          "}\n"
                          "compdef _mintctl mintctl\n"
                          "[[ $funcstack[1] != _mintctl ]] || _mintctl \"$@\"\n";

/* ":FILE:_files", behind a flag or, with a colon more, as an operand that may be left out. */
static void print_value(const char *placeholder) {
    putchar(':');
    completion_print(completion_value(placeholder) == COMPLETION_WORDS ? "" : placeholder, ":");
    switch (completion_value(placeholder)) {
    case COMPLETION_FILE:
        fputs(":_files", stdout);
        break;
    case COMPLETION_PROFILE:
        fputs(":_mintctl_profiles", stdout);
        break;
    case COMPLETION_WORDS:
        fputs("word:(", stdout);
        completion_print_words(placeholder);
        putchar(')');
        break;
    case COMPLETION_NOTHING:
        fputs(": ", stdout);
        break;
    }
}

static void print_options(const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        printf("            '%s%s%s[", options->repeatable ? "*" : "", options->flag,
               options->placeholder == NULL ? "" : "=");
        completion_print(options->help, "[]:");
        putchar(']');
        if (options->placeholder != NULL) {
            print_value(options->placeholder);
        }
        puts("' \\");
    }
}

static void print_description(const char *name, const char *summary) {
    printf("        '%s:", name);
    completion_print(summary, "");
    puts("'");
}

static void print_group(const char *group) {
    printf("    %s)\n        commands=(\n", group);
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        if (usage_is_in(usage, group)) {
            print_description(usage->name + strlen(group) + 1, usage->summary);
        }
    }
    printf("        )\n%s", group_end);
}

static void print_command(const struct usage *usage) {
    printf("    '%s')\n        _arguments -S \\\n", usage->name);
    print_options(usage->options);
    for (unsigned i = 0; i < usage->most; i++) {
        printf("            '%s", i < usage->least ? "" : ":");
        print_value(usage->operands);
        puts("' \\");
    }
    printf("            '(- *)'{-h,--help}'[tell how it is used]'%s ;;\n",
           usage->asks_redis ? " $redis" : "");
}

void completion_zsh(void) {
    fputs(start, stdout);
    puts("    redis=( \\");
    print_options(usage_redis_options);
    puts("    )\n    commands=(");
    for (size_t i = 0; usage_groups[i] != NULL; i++) {
        printf("        '%s:", usage_groups[i]);
        completion_print_commands(usage_groups[i]);
        puts("'");
    }
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        if (strchr(usage->name, ' ') == NULL) {
            print_description(usage->name, usage->summary);
        }
    }
    printf("    )\n%s    case $command in\n", middle);
    for (size_t i = 0; usage_groups[i] != NULL; i++) {
        print_group(usage_groups[i]);
    }
    puts("    esac\n    [[ $words[2] == help ]] && return 1\n    shift $((at - 1)) words\n"
         "    ((CURRENT -= at - 1))\n    case $command in");
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        print_command(usage);
    }
    fputs(end, stdout);
}
