#include "usage.h"
#include "nearest.h"

/* ---- looking up ---- */

static size_t count_words(const char *name) {
    return strchr(name, ' ') == NULL ? 1 : 2;
}

static bool name_is(const char *name, size_t words, char *const *texts) {
    struct slice rest = slice_of_string(name), word;
    for (size_t i = 0; i < words; i++) {
        if (!slice_split(&rest, ' ', &word) || !slice_equal(word, slice_of_string(texts[i]))) {
            return false;
        }
    }
    return true;
}

const struct usage *usage_find(int count, char *const *texts, int *words) {
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        size_t size = count_words(usage->name);
        if (size <= (size_t)count && name_is(usage->name, size, texts)) {
            *words = (int)size;
            return usage;
        }
    }
    return NULL;
}

bool usage_is_in(const struct usage *usage, const char *group) {
    size_t size = strlen(group);
    return strncmp(usage->name, group, size) == 0 && usage->name[size] == ' ';
}

bool usage_is_group(const char *word) {
    for (size_t i = 0; usage_groups[i] != NULL; i++) {
        if (strcmp(usage_groups[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static const struct usage_option *find_in(const struct usage_option *options, struct slice flag) {
    for (; options->flag != NULL; options++) {
        if (slice_equal(flag, slice_of_string(options->flag))) {
            return options;
        }
    }
    return NULL;
}

const struct usage_option *usage_find_option(const struct usage *usage, struct slice flag) {
    const struct usage_option *found = find_in(usage->options, flag);
    return found != NULL || !usage->asks_redis ? found : find_in(usage_redis_options, flag);
}

/* ---- what was meant ---- */

/* The words of one group, or the first words of all, groups and commands. */
const char *usage_nearest(const char *group, struct slice word) {
    struct nearest nearest = nearest_to(word);
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        if (group != NULL && usage_is_in(usage, group)) {
            nearest_look(&nearest, usage->name + strlen(group) + 1);
        } else if (group == NULL && strchr(usage->name, ' ') == NULL) {
            nearest_look(&nearest, usage->name);
        }
    }
    for (size_t i = 0; group == NULL && usage_groups[i] != NULL; i++) {
        nearest_look(&nearest, usage_groups[i]);
    }
    return nearest.best;
}

static void look_at(struct nearest *nearest, const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        nearest_look(nearest, options->flag);
    }
}

const char *usage_nearest_option(const struct usage *usage, struct slice flag) {
    struct nearest nearest = nearest_to(flag);
    nearest_look(&nearest, "--help");
    look_at(&nearest, usage->options);
    if (usage->asks_redis) {
        look_at(&nearest, usage_redis_options);
    }
    return nearest.best;
}

/* ---- printing ---- */

static void print_options(FILE *out, const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        struct slice rest = slice_of_string(options->help), line;
        fprintf(out, "  %s%s%s\n", options->flag, options->placeholder == NULL ? "" : " ",
                options->placeholder == NULL ? "" : options->placeholder);
        while (slice_split(&rest, '\n', &line)) {
            fprintf(out, "        %.*s\n", (int)line.size, line.data);
        }
    }
}

void usage_print(FILE *out, const struct usage *usage) {
    bool has_options = usage->options->flag != NULL || usage->asks_redis;
    fprintf(out, "usage: mintctl %s%s%s%s\n%s.\n", usage->name, has_options ? " [OPTION]..." : "",
            *usage->operands == '\0' ? "" : " ", usage->operands, usage->summary);
    fprintf(out, "%s%s%s", *usage->text == '\0' ? "" : "\n", usage->text, has_options ? "\n" : "");
    print_options(out, usage->options);
    if (usage->asks_redis) {
        print_options(out, usage_redis_options);
    }
}

void usage_print_list(FILE *out, const char *group) {
    fprintf(out, "usage: mintctl %s\n\n", group == NULL ? "COMMAND" : group);
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        if (group == NULL || usage_is_in(usage, group)) {
            int width = fprintf(out, "  %s %s", usage->name, usage->operands);
            fprintf(out, "%*s%s\n", width < 34 ? 34 - width : 1, "", usage->summary);
        }
    }
    fprintf(out, "\nmintctl help COMMAND tells more of one (or mintctl COMMAND -h).\n"
                 "Exit status: 0 done, 1 refused or not found, 2 usage, 3 Redis unreachable.\n");
}
