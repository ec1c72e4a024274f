#include "completion.h"
#include "command.h"
#include "output.h"

enum completion_value completion_value(const char *placeholder) {
    return placeholder[0] >= 'a' && placeholder[0] <= 'z' ? COMPLETION_WORDS
           : strcmp(placeholder, "FILE") == 0             ? COMPLETION_FILE
           : strcmp(placeholder, "PROFILE") == 0          ? COMPLETION_PROFILE
                                                          : COMPLETION_NOTHING;
}

void completion_print(const char *text, const char *escaped) {
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(escaped, *c) != NULL) {
            putchar('\\');
        }
        if (*c == '\'') {
            fputs("'\\''", stdout);
        } else {
            putchar(*c == '\n' ? ' ' : *c);
        }
    }
}

void completion_print_words(const char *placeholder) {
    for (const char *c = placeholder; *c != '\0'; c++) {
        putchar(*c == '|' ? ' ' : *c);
    }
}

void completion_print_commands(const char *group) {
    const char *gap = "";
    for (size_t i = 0; group == NULL && usage_groups[i] != NULL; i++) {
        printf("%s%s", gap, usage_groups[i]);
        gap = " ";
    }
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        if (group != NULL && usage_is_in(usage, group)) {
            printf("%s%s", gap, usage->name + strlen(group) + 1);
            gap = " ";
        } else if (group == NULL && strchr(usage->name, ' ') == NULL) {
            printf("%s%s", gap, usage->name);
            gap = " ";
        }
    }
}

enum status completion(const struct arguments *arguments) {
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(arguments->operands[0], shells[i].name) == 0) {
            shells[i].print();
            return STATUS_DONE;
        }
    }
    say("there are completions for bash, zsh and fish");
    return STATUS_USAGE;
}
