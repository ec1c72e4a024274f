/* exposition.h: what Prometheus reads: its text format 0.0.4, or OpenMetrics 1.0.0.
 *
 * Both have the same series by the same names. They differ in the name of a counter's family, that
 * OpenMetrics has without `_total`, in the UNIT line and in the end. A family is told first, then
 * its samples. What does not fit sets text.overflow. */
#ifndef MINTD_API_EXPOSITION_H
#define MINTD_API_EXPOSITION_H

#include "mintd/buffer.h"
#include "mintd/counter.h"

struct exposition {
    struct buffer text; /* the caller's storage */
    bool is_openmetrics;
};

struct exposition_label {
    const char *name;   /* NULL: none */
    struct slice value; /* visible ASCII without quote and backslash; the caller's to make sure */
};

#define EXPOSITION_NO_LABEL ((struct exposition_label){NULL, {NULL, 0}})

/* Buckets are not cumulative, as in struct histogram. */
struct exposition_histogram {
    uint64_t counts[HISTOGRAM_BUCKETS + 1];
    uint64_t sum_ns;
};

/* `type`: "counter", whose name ends in _total; "gauge"; "histogram". */
void exposition_family(struct exposition *e, const char *name, const char *type, const char *help);
void exposition_number(struct exposition *e, const char *name, uint64_t value);
void exposition_labelled(struct exposition *e, const char *name, struct exposition_label label,
                         uint64_t value);
/* Seconds, from milliseconds. */
void exposition_seconds(struct exposition *e, const char *name, int64_t milliseconds);
void exposition_histogram(struct exposition *e, const char *name, struct exposition_label label,
                          const struct exposition_histogram *h);
void exposition_end(struct exposition *e);

#endif
