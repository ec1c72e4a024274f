/* help.c: mintctl help, mintctl version, and words that are no command. */
#include "help.h"
#include "commit.h"
#include "output.h"

#define WORD_MAX 20u /* no token and hardly a secret */

static bool is_one_of(const char *text, const char *a, const char *b) {
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static void print_version(void) {
    printf("mintctl " MINTD_VERSION " (commit %s)\n", commit);
}

/* ---- what is no command ---- */

/* Anything else may be a token or a secret that was given without its command. */
static bool may_be_repeated(struct slice word) {
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        if ((c < 'a' || c > 'z') && c != '-') {
            return false;
        }
    }
    return word.size > 0 && word.size <= WORD_MAX;
}

/* `group`: NULL where the first word is wrong already. */
static enum status no_such_command(const char *group, const char *text) {
    struct slice word = slice_of_string(text);
    const char *nearest = usage_nearest(group, word);
    bool shows = may_be_repeated(word);
    const char *before = group == NULL ? "" : group, *gap = group == NULL ? "" : " ";
    say("%s%s%s%sno such command%s%s%s%s%s (mintctl %s%s-h lists all)", shows ? before : "",
        shows ? gap : "", shows ? text : "", shows ? ": " : "",
        nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : before,
        nearest == NULL ? "" : gap, nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?",
        before, gap);
    return STATUS_USAGE;
}

static enum status help_of_group(int count, char *const *texts) {
    bool asks = count > 1 && is_one_of(texts[1], "--help", "-h");
    if (count > 1 && !asks) {
        return no_such_command(texts[0], texts[1]);
    }
    usage_print_list(asks ? stdout : stderr, texts[0]);
    return asks ? STATUS_DONE : STATUS_USAGE;
}

enum status help_without_command(int count, char *const *texts) {
    if (count == 0) {
        usage_print_list(stderr, NULL);
        return STATUS_USAGE;
    }
    if (is_one_of(texts[0], "--help", "-h")) {
        usage_print_list(stdout, NULL);
        return STATUS_DONE;
    }
    if (is_one_of(texts[0], "--version", "-V")) {
        print_version();
        return STATUS_DONE;
    }
    return usage_is_group(texts[0]) ? help_of_group(count, texts) : no_such_command(NULL, texts[0]);
}

/* ---- the commands ---- */

enum status help(const struct arguments *arguments) {
    int count = (int)arguments->operand_count, words;
    const struct usage *usage = usage_find(count, arguments->operands, &words);
    if (usage != NULL && words < count) {
        say("%s: no commands are below it (mintctl %s -h tells of it)", usage->name, usage->name);
        return STATUS_USAGE;
    }
    if (usage != NULL) {
        usage_print(stdout, usage);
        return STATUS_DONE;
    }
    if (count == 0 || (count == 1 && usage_is_group(arguments->operands[0]))) {
        usage_print_list(stdout, count == 0 ? NULL : arguments->operands[0]);
        return STATUS_DONE;
    }
    return help_without_command(count, arguments->operands);
}

enum status version(const struct arguments *arguments) {
    if (!arguments_has(arguments, "--json")) {
        print_version();
        return STATUS_DONE;
    }
    cJSON *json = cJSON_CreateObject();
    json_add_text(json, "version", S(MINTD_VERSION));
    json_add_text(json, "commit", slice_of_string(commit));
    return json_print(json) ? STATUS_DONE : STATUS_REFUSED;
}
