#include "completion.h"
#include <stdio.h>

static const char start[] =
    "# mintctl's command lines in bash; printed by: mintctl completion bash\n"
    "_mintctl() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} at=1\n"
    "    local command='' options='' words='' files='' IFS=$' \\n'\n"
    "    [[ $before == '=' ]] && before=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    [[ $word == '=' ]] && word=''\n"
    "    [[ ${COMP_WORDS[1]} == help && $COMP_CWORD -gt 1 ]] && at=2\n"
    "    if ((COMP_CWORD > at)); then\n"
    "        command=${COMP_WORDS[at]}\n"
    "        case $command in\n"
    "        ";

static const char middle[] = ")\n"
                             "            ((COMP_CWORD > at + 1)) && command+=\" "
                             "${COMP_WORDS[at+1]}\" ;;\n"
                             "        esac\n"
                             "    fi\n"
                             "    COMPREPLY=()\n";

static const char end[] = "    *) return ;;\n"
                          "    esac\n"
                          "    ((at == 2)) && options='' files=''\n"
                          "    [[ $word == -* || -z $words$files ]] && words=$options files=''\n"
                          "    IFS=$'\\n'\n"
                          "    if [[ -n $files ]]; then\n"
                          "        compopt -o filenames 2>/dev/null\n"
                          "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
                          "    else\n"
                          "        COMPREPLY=($(IFS=' '; compgen -W \"$words\" -- \"$word\"))\n"
                          "    fi\n"
                          "}\n"
                          "complete -F _mintctl mintctl\n";

/* What stands where the value of a flag or an operand does, as assignments. */
static void print_value(const char *placeholder) {
    switch (completion_value(placeholder)) {
    case COMPLETION_FILE:
        fputs("files=y", stdout);
        break;
    case COMPLETION_PROFILE:
        fputs("words=$(cd \"${XDG_CONFIG_HOME:-$HOME/.config}/mintctl/profiles\" 2>/dev/null &&"
              " echo *)",
              stdout);
        break;
    case COMPLETION_WORDS:
        fputs("words='", stdout);
        completion_print_words(placeholder);
        fputs("'", stdout);
        break;
    case COMPLETION_NOTHING:
        fputs("return", stdout);
        break;
    }
}

/* Behind a flag that takes a value there is that, and no option. */
static void print_values(const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        if (options->placeholder != NULL) {
            printf("        %s) ", options->flag);
            print_value(options->placeholder);
            puts(" ;;");
        }
    }
}

static void print_flags(const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        printf("%s ", options->flag);
    }
}

static void print_command(const struct usage *usage) {
    printf("    '%s')\n        options='", usage->name);
    print_flags(usage->options);
    if (usage->asks_redis) {
        print_flags(usage_redis_options);
    }
    puts("--help'\n        case $before in");
    print_values(usage->options);
    if (usage->asks_redis) {
        print_values(usage_redis_options);
    }
    if (completion_value(usage->operands) != COMPLETION_NOTHING) {
        fputs("        *) ", stdout);
        print_value(usage->operands);
        puts(" ;;");
    }
    puts("        esac ;;");
}

void completion_bash(void) {
    fputs(start, stdout);
    for (size_t i = 0; usage_groups[i] != NULL; i++) {
        printf("%s%s", i == 0 ? "" : " | ", usage_groups[i]);
    }
    fputs(middle, stdout);
    fputs("    case $command in\n    '') options='--help --version' words='", stdout);
    completion_print_commands(NULL);
    puts("' ;;");
    for (size_t i = 0; usage_groups[i] != NULL; i++) {
        printf("    %s) options=--help words='", usage_groups[i]);
        completion_print_commands(usage_groups[i]);
        puts("' ;;");
    }
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        print_command(usage);
    }
    fputs(end, stdout);
}
