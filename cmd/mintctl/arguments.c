#include "arguments.h"
#include "output.h"

static enum arguments_result wrong_option(const struct usage *usage, struct slice flag) {
    if (slice_equal(flag, S("--secret"))) {
        say("no secret is taken from the command line, where every user of this machine can read "
            "it: use --secret-stdin");
    } else {
        char text[40];
        const char *nearest = usage_nearest_option(usage, flag);
        say("%s: no such option%s%s%s (mintctl %s -h lists all)", visible(flag, text, sizeof text),
            nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
            nearest == NULL ? "" : "?", usage->name);
    }
    return ARGUMENTS_WRONG;
}

/* "--flag value" and "--flag=value"; returns how many texts it took, 0 where it is wrong. */
static int read_option(struct arguments *arguments, int count, char **texts) {
    struct slice rest = slice_of_string(texts[0]), flag;
    slice_split(&rest, '=', &flag);
    const struct usage_option *option = usage_find_option(arguments->usage, flag);
    if (option == NULL) {
        wrong_option(arguments->usage, flag);
        return 0;
    }
    bool takes_value = option->placeholder != NULL;
    bool has_value = !slice_is_absent(rest);
    if (has_value ? !takes_value : takes_value && count < 2) {
        say("%s: %s", option->flag, takes_value ? "a value is missing" : "takes no value");
        return 0;
    }
    if (!option->repeatable && arguments_has(arguments, option->flag)) {
        say("%s: given twice", option->flag);
        return 0;
    }
    if (arguments->given_count == ARGUMENTS_GIVEN_MAX) {
        say("%s: too many options", option->flag);
        return 0;
    }
    unsigned place = arguments->given_count++;
    arguments->given[place].option = option;
    char *value = has_value ? texts[0] + flag.size + 1 : texts[1];
    arguments->given[place].value = takes_value ? value : NULL;
    return takes_value && !has_value ? 2 : 1;
}

/* Operands are not repeated in errors: they may be secrets. */
static bool read_operand(struct arguments *arguments, char *text) {
    if (arguments->operand_count == arguments->usage->most) {
        say("there is one operand too many: mintctl %s -h tells the usage", arguments->usage->name);
        return false;
    }
    arguments->operands[arguments->operand_count++] = text;
    return true;
}

enum arguments_result arguments_read(struct arguments *arguments, const struct usage *usage,
                                     int count, char **texts) {
    bool options_over = false;
    *arguments = (struct arguments){.usage = usage};
    for (int i = 0; i < count;) {
        bool is_option = !options_over && texts[i][0] == '-' && texts[i][1] != '\0';
        if (!is_option) {
            if (!read_operand(arguments, texts[i++])) {
                return ARGUMENTS_WRONG;
            }
            continue;
        }
        if (strcmp(texts[i], "--help") == 0 || strcmp(texts[i], "-h") == 0) {
            return ARGUMENTS_HELP;
        }
        if (strcmp(texts[i], "--") == 0) {
            options_over = true;
            i++;
            continue;
        }
        int taken = read_option(arguments, count - i, texts + i);
        if (taken == 0) {
            return ARGUMENTS_WRONG;
        }
        i += taken;
    }
    if (arguments->operand_count < usage->least) {
        say("%s is missing: mintctl %s -h tells the usage", usage->operands, usage->name);
        return ARGUMENTS_WRONG;
    }
    return ARGUMENTS_RUN;
}

char *arguments_next(const struct arguments *arguments, const char *flag, unsigned *place) {
    while (*place < arguments->given_count) {
        unsigned i = (*place)++;
        if (strcmp(arguments->given[i].option->flag, flag) == 0) {
            return arguments->given[i].value;
        }
    }
    return NULL;
}

char *arguments_value(const struct arguments *arguments, const char *flag) {
    unsigned place = 0;
    return arguments_next(arguments, flag, &place);
}

bool arguments_has(const struct arguments *arguments, const char *flag) {
    for (unsigned i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->flag, flag) == 0) {
            return true;
        }
    }
    return false;
}
