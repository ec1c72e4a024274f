#include "man.h"
#include "roff.h"
#include "usage.h"

static void print_options(const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        roff_option(options->flag, options->placeholder, options->help);
    }
}

static void print_command(const struct usage *usage) {
    printf(".SS \"%s %s\"\n", usage->name, usage->operands);
    roff_text(usage->summary);
    if (usage->text[0] != '\0') {
        roff_verbatim(usage->text);
    }
    print_options(usage->options);
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
    roff_section("SEE ALSO");
    roff_text("mintd(8)");
}
