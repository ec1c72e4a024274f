/* top_rows.h: what mintctl top tells of each instance, in an order, as text, JSON and CSV. */
#ifndef MINTCTL_TOP_ROWS_H
#define MINTCTL_TOP_ROWS_H

#include "instances.h"

enum top_column {
    TOP_NAME,
    TOP_MINTED,
    TOP_VALIDATED,
    TOP_REFUSED,
    TOP_ANSWERED,
    TOP_CONNECTIONS,
    TOP_AGE,
    TOP_WORKERS,
    TOP_CACHING,
    TOP_UPTIME,
    TOP_COLUMNS
};

struct top_row {
    const struct instance_view *instance;
    double numbers[TOP_COLUMNS]; /* all but the name */
    bool is_draining;
};

struct top_rows {
    size_t count;
    double sums[TOP_COLUMNS];
    struct top_row items[INSTANCES_MAX];
};

/* "minted"; false: there is no such column. */
bool top_column_of(const char *word, enum top_column *column);
const char *top_column_word(enum top_column column);
/* The column of a key: the first letter of its word, but "g" of age. */
bool top_column_of_key(char key, enum top_column *column);

/* Sorted: names from A on, numbers from the highest one down. */
void top_rows_make(struct top_rows *rows, const struct instances *instances, enum top_column sort);

/* The head and the rows as lines of `columns` at most: what does not fit is left out from the
 * right. `put` is called for each; row NULL: the head. */
void top_rows_print(const struct top_rows *rows, unsigned columns, size_t most,
                    void (*put)(void *context, const struct top_row *row, const char *line),
                    void *context);
cJSON *top_rows_json(const struct top_rows *rows, const struct instances *instances,
                     uint64_t now_s);
void top_rows_print_csv_head(void);
void top_rows_print_csv(const struct top_rows *rows, uint64_t now_s);

#endif
