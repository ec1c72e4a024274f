#include "output.h"
#include "mintd/buffer.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static bool write_all(struct slice text) {
    while (text.size > 0) {
        ssize_t count = write(STDOUT_FILENO, text.data, text.size);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        text = slice_skip(text, count > 0 ? (size_t)count : 0);
    }
    return true;
}

bool print_secret(struct slice secret) {
    fflush(stdout);
    return write_all(secret) && write_all(S("\n"));
}

bool output_is_abandoned(void) {
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

bool output_has_colours(void) {
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL && term != NULL &&
           strcmp(term, "dumb") != 0;
}

void print_coloured(enum colour colour, const char *text, int width) {
    static const char *const codes[] = {
        [COLOUR_NONE] = "0", [COLOUR_GREEN] = "32", [COLOUR_YELLOW] = "33",
        [COLOUR_RED] = "31", [COLOUR_BOLD] = "1",
    };
    if (colour != COLOUR_NONE && output_has_colours()) {
        printf("\033[%sm%-*s\033[0m", codes[colour], width, text);
    } else {
        printf("%-*s", width, text);
    }
}

/* ---- times and sizes ---- */

const char *time_text(uint64_t epoch_s, char storage[TIME_TEXT]) {
    time_t time = (time_t)epoch_s;
    struct tm parts;
    if (epoch_s > 253402300799u || gmtime_r(&time, &parts) == NULL ||
        strftime(storage, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        snprintf(storage, TIME_TEXT, "%llu", (unsigned long long)epoch_s);
    }
    return storage;
}

const char *span_text(uint64_t seconds, char storage[TIME_TEXT]) {
    static const struct {
        uint64_t least, unit;
        const char *name;
    } spans[] = {{48 * 3600, 24 * 3600, "d"}, {2 * 3600, 3600, "h"}, {120, 60, "min"}, {0, 1, "s"}};
    size_t i = 0;
    while (seconds < spans[i].least) {
        i++;
    }
    snprintf(storage, TIME_TEXT, "%llu %s", (unsigned long long)(seconds / spans[i].unit),
             spans[i].name);
    return storage;
}

const char *size_text(uint64_t bytes, char storage[TIME_TEXT]) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) {
        snprintf(storage, TIME_TEXT, "%llu B", (unsigned long long)bytes);
        return storage;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(storage, TIME_TEXT, "%.1f %s", value, units[unit]);
    return storage;
}

/* ---- JSON ---- */

static bool json_lacked_memory;

static void *json_allocate(size_t size) {
    void *memory = malloc(size);
    json_lacked_memory = json_lacked_memory || memory == NULL;
    return memory;
}

void json_watch_memory(void) {
    cJSON_InitHooks(&(cJSON_Hooks){json_allocate, free});
}

/* The text as a JSON string, also where it is not UTF-8; the caller's to free. */
static char *json_string(struct slice text) {
    size_t size = 6 * text.size + 3;
    char *json = json_allocate(size);
    if (json == NULL) {
        return NULL;
    }
    struct buffer out = buffer_of(json, size - 1);
    buffer_append_json(&out, text);
    json[out.size] = '\0';
    return json;
}

void json_add_text(cJSON *object, const char *name, struct slice text) {
    char *json = json_string(text);
    if (json != NULL) {
        cJSON_AddRawToObject(object, name, json);
    }
    free(json);
}

/* As digits: a double would round what is over 2^53. */
void json_add_number(cJSON *object, const char *name, uint64_t number) {
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    cJSON_AddRawToObject(object, name, digits);
}

void print_result(bool as_json, struct slice id, const char *result, const char *words) {
    if (as_json) {
        printf("{\"id\":\"%.*s\",\"result\":\"%s\"}\n", (int)id.size, id.data, result);
    } else {
        printf("%.*s: %s\n", (int)id.size, id.data, words);
    }
}

void json_add_words(cJSON *object, const char *name, struct slice list) {
    cJSON *array = cJSON_AddArrayToObject(object, name);
    struct slice word;
    while (array != NULL && slice_next_word(&list, &word)) {
        char *json = json_string(word);
        if (json != NULL) {
            cJSON_AddItemToArray(array, cJSON_CreateRaw(json));
        }
        free(json);
    }
}

/* NULL, said: memory was short. */
static char *print(cJSON *json, bool on_a_line) {
    char *text = json == NULL ? NULL : on_a_line ? cJSON_PrintUnformatted(json) : cJSON_Print(json);
    cJSON_Delete(json);
    if (text == NULL || json_lacked_memory) {
        say_no_memory();
        cJSON_free(text);
        return NULL;
    }
    return text;
}

char *json_line(cJSON *json) {
    return print(json, true);
}

static bool print_and_delete(cJSON *json, bool on_a_line) {
    char *text = print(json, on_a_line);
    if (text == NULL) {
        return false;
    }
    puts(text);
    cJSON_free(text);
    return true;
}

bool json_print(cJSON *json) {
    return print_and_delete(json, false);
}

bool json_print_line(cJSON *json) {
    return print_and_delete(json, true);
}
