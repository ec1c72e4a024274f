#include "man.h"
#include "roff.h"
#include "usage.h"
#include <stdio.h>

static void print_options(const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        roff_option(options->flag, options->placeholder, options->help);
    }
}

static void print_command(const struct usage *usage) {
    printf(".SS \"%s %s\"\n", usage->name, usage->operands);
    roff_text(usage->summary);
    if (usage->text[0] != '\0') {
        puts(".PP");
    }
    roff_prose(usage->text);
    print_options(usage->options);
}

static void print_surroundings(void) {
    roff_section("ENVIRONMENT");
    roff_text("An option counts more than its variable.");
    roff_item("MINTD_REDIS, MINTD_REDIS_FILE", "where Redis is, or the file that says it");
    roff_item("MINTD_REDIS_PREFIX, MINTD_REDIS_CA, ...", "as each option of Redis names it");
    roff_item("MINTD_REDIS_SENTINEL_USER, MINTD_REDIS_SENTINEL_PASSWORD",
              "for Sentinels that ask for them; the password in a file with _FILE behind the name");
    roff_item("MINTCTL_PROFILE", "the name of a profile, as --profile");
    roff_item("NO_COLOR", "no colours, whatever its value");
    roff_item("TERM", "no colours either where it is dumb or not set");
    roff_section("FILES");
    roff_item("~/.config/mintctl/profiles/NAME",
              "a profile: lines like \"redis = redis://10.0.0.1:6379\", with the names of the "
              "options; in XDG_CONFIG_HOME where that is set. One with a password has mode 600");
    roff_item("/etc/mintd/mintd.env", "the settings of mintd as a service; its variables of Redis "
                                      "are those that mintctl reads from its environment");
    roff_section("EXAMPLES");
    roff_example("SECRET=$(mintctl client add billing --scope \"read write\")",
                 "Make a client, and keep its secret:");
    roff_example("mintctl client rotate billing --grace 24h",
                 "Give it a new secret; the old one goes on for a day:");
    roff_example("mintctl client list --unused-for 90d --sort used",
                 "Which clients nobody has used for three months:");
    roff_example("mintctl explain - < token.txt", "Why a token is refused:");
    roff_example("mintctl doctor && mintctl top", "Look at Redis, then at the instances:");
}

void man_print(void) {
    roff_start("MINTCTL", "1", "mintctl", "the operator's tool for mintd", "COMMAND [OPTION]...");
    roff_section("DESCRIPTION");
    roff_text("Talks to Redis, and needs no running mintd.");
    roff_section("COMMANDS");
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        print_command(usage);
    }
    roff_section("OPTIONS OF ALL COMMANDS THAT ASK REDIS");
    print_options(usage_redis_options);
    roff_section("EXIT STATUS");
    roff_text("0 done, 1 refused or not found, 2 usage, 3 Redis unreachable.");
    print_surroundings();
    roff_section("SEE ALSO");
    roff_text("mintd(8)");
}
