#include "help.h"
#include "commit.h"
#include "roff.h"
#include "settings.h"
#include <stdio.h>

static const char about[] = "An OAuth 2.0 token service for machines; its tokens live in Redis.";
static const char on_environment[] =
    "Each option has an environment variable: --redis-prefix is MINTD_REDIS_PREFIX, and what needs "
    "no "
    "value\nis yes or no there. Those that "
    "hold secrets\n(MINTD_CLIENT, MINTD_REDIS) can be read from a file: MINTD_CLIENT_FILE, "
    "MINTD_REDIS_FILE. So can the level of the log: MINTD_LOG_LEVEL_FILE.";

static const struct {
    const char *flags, *help;
} others[] = {
    {"--check", "read the configuration, say what is in force or what is wrong, exit"},
    {"-h, --help", "say this, exit"},
    {"-V, --version", "say the version and the commit, exit"},
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
        const char *placeholder = settings[i].placeholder;
        printf("  %s%s%s\n", settings[i].flag, placeholder == NULL ? "" : " ",
               placeholder == NULL ? "" : placeholder);
        print_lines("        ", settings[i].help);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        printf("  %s\n        %s\n", others[i].flags, others[i].help);
    }
    printf("\n%s\n", on_environment);
}

static void print_man(void) {
    roff_start("MINTD", "8", "mintd", "OAuth 2.0 token service", "[OPTION]...");
    roff_section("DESCRIPTION");
    roff_text(about);
    roff_section("OPTIONS");
    for (size_t i = 0; i < settings_count; i++) {
        roff_option(settings[i].flag, settings[i].placeholder, settings[i].help);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        roff_option(others[i].flags, NULL, others[i].help);
    }
    roff_section("ENVIRONMENT");
    roff_text(on_environment);
    roff_section("FILES");
    roff_item("/etc/mintd/mintd.env", "the settings of mintd.service, as variables");
    roff_item("/etc/mintd/credentials", "secrets for mintd.service, a file each");
    roff_section("EXAMPLES");
    roff_example("mintd --redis redis://127.0.0.1:6379 --listen 127.0.0.1:4001",
                 "An instance beside its Redis:");
    roff_example("MINTD_CLIENT_FILE=/run/secrets/client mintd --check",
                 "Whether the settings are right, and what is in force:");
    roff_section("SIGNALS");
    roff_text(
        "SIGTERM and SIGINT drain and end it within 10 s; a second one ends it at once. SIGHUP "
        "reads these files again: those of TLS (every 30 s too, when they have changed), of the "
        "password of Redis, that of --clients-file, MINTD_REDIS_FILE and MINTD_LOG_LEVEL_FILE.");
    roff_section("EXIT STATUS");
    roff_text("0 done, 1 it could not start, 2 a setting is wrong.");
    roff_section("SEE ALSO");
    roff_text("mintctl(1)");
}

bool help_show(const char *argument) {
    struct slice asked = slice_of_string(argument);
    if (slice_equal(asked, S("--help")) || slice_equal(asked, S("-h"))) {
        print_help();
    } else if (slice_equal(asked, S("--version")) || slice_equal(asked, S("-V"))) {
        printf("mintd " MINTD_VERSION " (commit %s)\n", commit);
    } else if (slice_equal(asked, S("--man"))) {
        print_man();
    } else {
        return false;
    }
    return true;
}
