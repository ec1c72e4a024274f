/* mintd's command line and its environment: any words. A line of the input that begins with MINTD_
 * is a variable, any other one an argument. What is wrong is said in one line.
 *
 * A file that is named is opened; a device is not. */
#include "fuzz/fuzz.h"
#include "options.h"
#include <stdio.h>
#include <string.h>

#define WORDS_MAX 63u
#define TEXT_MAX 1024u /* a name that nobody knows is compared with all that there are */
#define SAID_MAX 16384u

extern char **environ;
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char said[SAID_MAX];
static char *no_variables[] = {NULL};

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    FUZZ_REQUIRE(freopen("/dev/null", "w", stdout) != NULL); /* for --help */
    FUZZ_REQUIRE(freopen("/dev/null", "r", stdin) != NULL);  /* for --clients-file - */
    stderr = fmemopen(said, sizeof said, "w");
    FUZZ_REQUIRE(stderr != NULL);
    return 0;
}

static bool names_a_device(const char *text) {
    return strstr(text, "/dev/") != NULL || strstr(text, "/proc/") != NULL ||
           strstr(text, "/sys/") != NULL;
}

struct words {
    char *arguments[WORDS_MAX + 2], *variables[WORDS_MAX + 1];
    int argument_count;
};

/* The same of each kind of line; all lie in `text`. */
static void split(char *text, struct words *words) {
    static char name[] = "mintd";
    unsigned variable_count = 0;
    words->arguments[words->argument_count++] = name;
    for (unsigned i = 0; text != NULL && i < WORDS_MAX; i++) {
        char *line = text, *end = strchr(text, '\n');
        text = end == NULL ? NULL : end + 1;
        if (end != NULL) {
            *end = '\0';
        }
        if (strncmp(line, "MINTD_", 6) == 0) {
            words->variables[variable_count++] = line;
        } else {
            words->arguments[words->argument_count++] = line;
        }
    }
}

static void require_one_line(void) {
    fflush(stderr);
    size_t size = strlen(said);
    FUZZ_REQUIRE(size > 1 && said[size - 1] == '\n' && strchr(said, '\n') == said + size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char text[TEXT_MAX + 1];
    static struct options options;
    struct words words = {.argument_count = 0};
    if (size > TEXT_MAX || memchr(data, '\0', size) != NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (names_a_device(text)) {
        return 0;
    }
    split(text, &words);
    environ = words.variables;
    memset(said, 0, sizeof said);
    rewind(stderr);
    enum options_result result = options_init(&options, words.argument_count, words.arguments);
    if (result == OPTIONS_WRONG) {
        require_one_line();
    }
    FUZZ_REQUIRE(result != OPTIONS_NO_MEMORY && options.note_count <= NOTES_MAX);
    options_fini(&options);
    environ = no_variables;
    return 0;
}
