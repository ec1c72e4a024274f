#include "top_rows.h"
#include "mintd/buffer.h"
#include "output.h"
#include <stdlib.h>

#define NAME_LEAST 12u
#define LINE_MAX 400u

static const struct {
    const char *word, *head;
    char key;
    unsigned char width, digits;
} columns_of[] = {
    [TOP_NAME] = {"name", "NAME", 'n', 0, 0},
    [TOP_MINTED] = {"minted", "MINTED/S", 'm', 8, 1},
    [TOP_VALIDATED] = {"validated", "VALID/S", 'v', 8, 1},
    [TOP_REFUSED] = {"refused", "REFUSED/S", 'r', 9, 1},
    [TOP_ANSWERED] = {"answered", "ANSW/S", 'a', 8, 1},
    [TOP_CONNECTIONS] = {"connections", "CONNS", 'c', 6, 0},
    [TOP_AGE] = {"age", "AGE", 'g', 5, 0},
    [TOP_WORKERS] = {"workers", "WORKERS", 'w', 7, 0},
    [TOP_CACHING] = {"caching", "CACHING", 'h', 7, 0},
    [TOP_UPTIME] = {"uptime", "UP", 'u', 6, 0},
};

bool top_column_of(const char *word, enum top_column *column) {
    for (enum top_column i = TOP_NAME; i < TOP_COLUMNS; i++) {
        if (strcmp(word, columns_of[i].word) == 0) {
            *column = i;
            return true;
        }
    }
    return false;
}

bool top_column_of_key(char key, enum top_column *column) {
    for (enum top_column i = TOP_NAME; i < TOP_COLUMNS; i++) {
        if (key == columns_of[i].key) {
            *column = i;
            return true;
        }
    }
    return false;
}

const char *top_column_word(enum top_column column) {
    return columns_of[column].word;
}

/* ---- rows ---- */

static void make(struct top_row *row, const struct instance_view *instance) {
    double *numbers = row->numbers;
    row->instance = instance;
    numbers[TOP_NAME] = 0;
    for (enum top_column i = TOP_MINTED; i <= TOP_ANSWERED; i++) {
        numbers[i] = heartbeat_rate(instance->heartbeat, columns_of[i].word);
    }
    numbers[TOP_CONNECTIONS] = (double)heartbeat_number(instance->heartbeat, "connections");
    numbers[TOP_AGE] = (double)instance_age(instance);
    numbers[TOP_WORKERS] = (double)heartbeat_number(instance->heartbeat, "workers");
    numbers[TOP_CACHING] = (double)heartbeat_number(instance->heartbeat, "caching");
    numbers[TOP_UPTIME] =
        (double)heartbeat_number(instance->heartbeat, "uptime") + numbers[TOP_AGE];
    row->is_draining = heartbeat_is(instance->heartbeat, "draining");
}

static int compare(const struct top_row *left, const struct top_row *right, enum top_column sort) {
    double x = left->numbers[sort], y = right->numbers[sort];
    return x > y ? -1 : x < y ? 1 : strcmp(left->instance->name, right->instance->name);
}

/* Stable and without memory of its own: there are 1,024 at most, and nearly in order each time. */
static void sort_rows(struct top_rows *rows, enum top_column sort) {
    for (size_t i = 1; i < rows->count; i++) {
        struct top_row row = rows->items[i];
        size_t at = i;
        for (; at > 0 && compare(&row, &rows->items[at - 1], sort) < 0; at--) {
            rows->items[at] = rows->items[at - 1];
        }
        rows->items[at] = row;
    }
}

void top_rows_make(struct top_rows *rows, const struct instances *instances, enum top_column sort) {
    rows->count = instances->count;
    memset(rows->sums, 0, sizeof rows->sums);
    for (size_t i = 0; i < instances->count; i++) {
        make(&rows->items[i], &instances->items[i]);
        for (enum top_column column = TOP_NAME; column < TOP_COLUMNS; column++) {
            rows->sums[column] += rows->items[i].numbers[column];
        }
    }
    sort_rows(rows, sort);
}

/* ---- text ---- */

struct layout {
    unsigned name;       /* its width */
    enum top_column end; /* the first column that has no room */
};

static struct layout layout_of(const struct top_rows *rows, unsigned columns) {
    struct layout layout = {NAME_LEAST, TOP_MINTED};
    unsigned used = NAME_LEAST, widest = NAME_LEAST;
    for (; layout.end < TOP_COLUMNS; layout.end++) {
        if (used + 2u + columns_of[layout.end].width > columns) {
            break;
        }
        used += 2u + columns_of[layout.end].width;
    }
    for (size_t i = 0; i < rows->count; i++) {
        unsigned size = (unsigned)strlen(rows->items[i].instance->name);
        widest = size > widest ? size : widest;
    }
    unsigned room = columns > used ? columns - used : 0;
    unsigned wanted = widest - NAME_LEAST;
    layout.name += wanted < room ? wanted : room;
    return layout;
}

static void append_head(struct buffer *line, const struct layout *layout) {
    char cell[32];
    snprintf(cell, sizeof cell, "%s", columns_of[TOP_NAME].head);
    buffer_append(line, slice_of_string(cell));
    for (size_t size = strlen(cell); size < layout->name; size++) {
        buffer_append(line, S(" "));
    }
    for (enum top_column i = TOP_MINTED; i < layout->end; i++) {
        snprintf(cell, sizeof cell, "  %*s", columns_of[i].width, columns_of[i].head);
        buffer_append(line, slice_of_string(cell));
    }
}

static void append_row(struct buffer *line, const struct layout *layout,
                       const struct top_row *row) {
    char cell[64], span[TIME_TEXT], name[2 * INSTANCE_NAME_MAX];
    visible(slice_of_string(row->instance->name), name, layout->name + 1);
    buffer_append(line, slice_of_string(name));
    for (size_t size = strlen(name); size < layout->name; size++) {
        buffer_append(line, S(" "));
    }
    for (enum top_column i = TOP_MINTED; i < layout->end; i++) {
        if (i == TOP_UPTIME || i == TOP_AGE) {
            snprintf(cell, sizeof cell, "  %*s", columns_of[i].width,
                     span_text((uint64_t)row->numbers[i], span));
        } else {
            snprintf(cell, sizeof cell, "  %*.*f", columns_of[i].width, columns_of[i].digits,
                     row->numbers[i]);
        }
        buffer_append(line, slice_of_string(cell));
    }
}

static void put_line(const struct layout *layout, unsigned columns, const struct top_row *row,
                     char *storage) {
    struct buffer line = buffer_of(storage, LINE_MAX - 1);
    if (row == NULL) {
        append_head(&line, layout);
    } else {
        append_row(&line, layout, row);
    }
    storage[line.size < columns ? line.size : columns] = '\0';
}

void top_rows_print(const struct top_rows *rows, unsigned columns, size_t most,
                    void (*put)(void *context, const struct top_row *row, const char *line),
                    void *context) {
    char storage[LINE_MAX];
    unsigned width = columns < LINE_MAX - 1 ? columns : LINE_MAX - 1;
    struct layout layout = layout_of(rows, width);
    put_line(&layout, width, NULL, storage);
    put(context, NULL, storage);
    for (size_t i = 0; i < rows->count && i < most; i++) {
        put_line(&layout, width, &rows->items[i], storage);
        put(context, &rows->items[i], storage);
    }
}

/* ---- JSON, CSV ---- */

cJSON *top_rows_json(const struct top_rows *rows, const struct instances *instances,
                     uint64_t now_s) {
    cJSON *object = cJSON_CreateObject();
    json_add_number(object, "time", now_s);
    cJSON_AddBoolToObject(object, "complete", instances->is_complete && instances->unanswered == 0);
    cJSON *array = cJSON_AddArrayToObject(object, "instances");
    for (size_t i = 0; i < rows->count; i++) {
        const struct top_row *row = &rows->items[i];
        cJSON *item = cJSON_CreateObject();
        json_add_text(item, "name", slice_of_string(row->instance->name));
        for (enum top_column column = TOP_MINTED; column < TOP_COLUMNS; column++) {
            cJSON_AddNumberToObject(item, columns_of[column].word, row->numbers[column]);
        }
        cJSON_AddBoolToObject(item, "draining", row->is_draining);
        cJSON_AddItemToArray(array, item);
    }
    return object;
}

void top_rows_print_csv_head(void) {
    printf("time,name");
    for (enum top_column i = TOP_MINTED; i < TOP_COLUMNS; i++) {
        printf(",%s", columns_of[i].word);
    }
    printf(",draining\n");
}

/* A name is quoted: whoever may write to Redis may have put anything there. */
static void print_quoted(const char *name) {
    char text[6 * INSTANCE_NAME_MAX + 1];
    putchar('"');
    for (const char *c = visible(slice_of_string(name), text, sizeof text); *c != '\0'; c++) {
        fputs(*c == '"' ? "\"\"" : (char[]){*c, '\0'}, stdout);
    }
    putchar('"');
}

void top_rows_print_csv(const struct top_rows *rows, uint64_t now_s) {
    for (size_t i = 0; i < rows->count; i++) {
        const struct top_row *row = &rows->items[i];
        printf("%llu,", (unsigned long long)now_s);
        print_quoted(row->instance->name);
        for (enum top_column column = TOP_MINTED; column < TOP_COLUMNS; column++) {
            printf(",%.*f", columns_of[column].digits, row->numbers[column]);
        }
        printf(",%s\n", row->is_draining ? "true" : "false");
    }
}
