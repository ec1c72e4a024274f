#include "help.h"
#include "settings.h"
#include <stdio.h>

static const char about[] = "An OAuth 2.0 token service for machines; its tokens live in Redis.";
static const char on_environment[] =
    "Each option has an environment variable: --redis-prefix is MINTD_REDIS_PREFIX. Those that "
    "hold secrets\n(MINTD_CLIENT, MINTD_REDIS) can be read from a file: MINTD_CLIENT_FILE, "
    "MINTD_REDIS_FILE.";

static const struct {
    const char *flags, *help;
} others[] = {
    {"--check", "read the configuration, say what is wrong, exit"},
    {"--help, --version", "say so, exit"},
};

static void print_lines(const char *before, const char *text) {
    struct slice rest = slice_of_string(text);
    struct slice line;
    while (slice_split(&rest, '\n', &line)) {
        printf("%s%.*s\n", before, (int)line.size, line.data);
    }
}

static void print_help(void) {
    printf("usage: mintd [OPTION]...\n%s\n\n", about);
    for (size_t i = 0; i < settings_count; i++) {
        printf("  %s %s\n", settings[i].flag, settings[i].placeholder);
        print_lines("        ", settings[i].help);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        printf("  %s\n        %s\n", others[i].flags, others[i].help);
    }
    printf("\n%s\n", on_environment);
}

/* roff: a hyphen that is to be typed is written \\-. */
static void print_roff(const char *text) {
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '-' || *c == '\\') {
            putchar('\\');
        }
        putchar(*c);
    }
    putchar('\n');
}

/* "--flag VALUE" as one tag, the value in italics. */
static void print_option(const char *flags, const char *placeholder, const char *help) {
    char tag[64];
    bool has_value = placeholder[0] != '\0';
    if (has_value) {
        snprintf(tag, sizeof tag, "\"%s \" \"%s\"", flags, placeholder);
    } else {
        snprintf(tag, sizeof tag, "\"%s\"", flags);
    }
    fputs(has_value ? ".TP\n.BI " : ".TP\n.B ", stdout);
    print_roff(tag);
    print_roff(help);
}

static void print_man(void) {
    puts(".TH MINTD 8 \"\" \"mintd " MINTD_VERSION
         "\"\n.SH NAME\nmintd \\- OAuth 2.0 token service");
    puts(".SH SYNOPSIS\n.B mintd\n[\\fIOPTION\\fR]...\n.SH DESCRIPTION");
    print_roff(about);
    puts(".SH OPTIONS");
    for (size_t i = 0; i < settings_count; i++) {
        print_option(settings[i].flag, settings[i].placeholder, settings[i].help);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        print_option(others[i].flags, "", others[i].help);
    }
    puts(".SH ENVIRONMENT");
    print_roff(on_environment);
    puts(".SH SIGNALS\nSIGTERM and SIGINT drain and end it within 10 s; a second one ends it at "
         "once.");
    puts(".SH EXIT STATUS\n0 done, 1 it could not start, 2 a setting is wrong.");
    puts(".SH SEE ALSO\n.BR mintctl (1)");
}

bool help_show(const char *argument) {
    struct slice asked = slice_of_string(argument);
    if (slice_equal(asked, S("--help"))) {
        print_help();
    } else if (slice_equal(asked, S("--version"))) {
        puts("mintd " MINTD_VERSION);
    } else if (slice_equal(asked, S("--man"))) {
        print_man();
    } else {
        return false;
    }
    return true;
}
