#include "steps.h"
#include "output.h"
#include <stdarg.h>

#define STEP_MAX 1600u
#define NAME_WIDTH 12

static void drop(struct steps *steps) {
    cJSON_Delete(steps->json);
    cJSON_Delete(steps->list);
    steps->json = steps->list = NULL;
}

bool steps_init(struct steps *steps, bool as_json) {
    *steps = (struct steps){.refusal = OAUTH_REFUSED_NONE};
    if (!as_json) {
        return true;
    }
    steps->json = cJSON_CreateObject();
    steps->list = cJSON_CreateArray();
    if (steps->json == NULL || steps->list == NULL) {
        drop(steps);
        say_no_memory();
        return false;
    }
    return true;
}

static void add(struct steps *steps, const char *mark, enum colour colour, const char *name,
                const char *text) {
    if (steps->json == NULL) {
        print_coloured(colour, mark, 9);
        printf("%-*s %s\n", NAME_WIDTH, name, text);
        return;
    }
    cJSON *step = cJSON_CreateObject();
    json_add_text(step, "step", slice_of_string(name));
    json_add_text(step, "result", slice_of_string(mark));
    json_add_text(step, "text", slice_of_string(text));
    cJSON_AddItemToArray(steps->list, step);
}

void step_good(struct steps *steps, const char *name, const char *format, ...) {
    char text[STEP_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    add(steps, "ok", COLOUR_GREEN, name, text);
}

void step_note(struct steps *steps, const char *name, const char *format, ...) {
    char text[STEP_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    add(steps, "note", COLOUR_YELLOW, name, text);
}

enum status step_refused(struct steps *steps, enum oauth_refusal refusal, const char *name,
                         const char *format, ...) {
    char text[STEP_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    steps->refusal = refusal;
    add(steps, "refused", COLOUR_RED, name, text);
    return STATUS_REFUSED;
}

static enum status end_json(struct steps *steps, bool accepted) {
    cJSON_AddBoolToObject(steps->json, "accepted", accepted);
    if (!accepted) {
        enum oauth_error error = oauth_refusal_error(steps->refusal);
        json_add_text(steps->json, "reason", slice_of_string(oauth_refusal_label(steps->refusal)));
        json_add_text(steps->json, "error", slice_of_string(oauth_error_name(error)));
    }
    cJSON_AddItemToObject(steps->json, "steps", steps->list);
    return json_print(steps->json) && accepted ? STATUS_DONE : STATUS_REFUSED;
}

/* In the words of mintd's log and of its answer. */
static enum status end_text(const struct steps *steps, bool accepted) {
    if (accepted) {
        print_coloured(COLOUR_GREEN, "accepted", 0);
        printf("\n");
        return STATUS_DONE;
    }
    print_coloured(COLOUR_RED, "refused", 0);
    printf(": %s (%s)\n", oauth_refusal_label(steps->refusal),
           oauth_error_name(oauth_refusal_error(steps->refusal)));
    return STATUS_REFUSED;
}

enum status steps_end(struct steps *steps, enum status status) {
    if (status != STATUS_DONE && steps->refusal == OAUTH_REFUSED_NONE) {
        drop(steps);
        return status;
    }
    bool accepted = steps->refusal == OAUTH_REFUSED_NONE;
    return steps->json == NULL ? end_text(steps, accepted) : end_json(steps, accepted);
}
