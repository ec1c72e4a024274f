#include "api/exposition.h"

static bool ends_with(struct slice text, struct slice end) {
    return text.size >= end.size && slice_equal(slice_skip(text, text.size - end.size), end);
}

/* Of the units that OpenMetrics knows, those that we have. */
static struct slice unit_of(struct slice family) {
    if (ends_with(family, S("_seconds"))) {
        return S("seconds");
    }
    return ends_with(family, S("_bytes")) ? S("bytes") : SLICE_ABSENT;
}

static void write_comment(struct exposition *e, const char *what, struct slice family,
                          struct slice rest) {
    buffer_append_format(&e->text, "# %s %.*s %.*s\n", what, (int)family.size, family.data,
                         (int)rest.size, rest.data);
}

void exposition_family(struct exposition *e, const char *name, const char *type, const char *help) {
    struct slice family = slice_of_string(name);
    if (e->is_openmetrics && ends_with(family, S("_total"))) {
        family.size -= S("_total").size;
    }
    struct slice unit = unit_of(family);
    write_comment(e, "HELP", family, slice_of_string(help));
    write_comment(e, "TYPE", family, slice_of_string(type));
    if (e->is_openmetrics && !slice_is_absent(unit)) {
        write_comment(e, "UNIT", family, unit);
    }
}

/* The name and what is between braces. */
static void write_series(struct exposition *e, const char *name, struct exposition_label label) {
    buffer_append_format(&e->text, "%s", name);
    if (label.name != NULL) {
        buffer_append_format(&e->text, "{%s=\"%.*s\"}", label.name, (int)label.value.size,
                             label.value.data);
    }
}

void exposition_labelled(struct exposition *e, const char *name, struct exposition_label label,
                         uint64_t value) {
    write_series(e, name, label);
    buffer_append_format(&e->text, " %llu\n", (unsigned long long)value);
}

void exposition_number(struct exposition *e, const char *name, uint64_t value) {
    exposition_labelled(e, name, EXPOSITION_NO_LABEL, value);
}

void exposition_seconds(struct exposition *e, const char *name, int64_t milliseconds) {
    buffer_append_format(&e->text, "%s %.3f\n", name, (double)milliseconds / 1000);
}

/* OpenMetrics wants "1.0" where Prometheus writes "1" as well; both read it. */
static void write_bound(struct buffer *text, uint64_t bound_ns) {
    buffer_append_format(text, bound_ns % 1000000000 == 0 ? "%.1f" : "%.9g",
                         (double)bound_ns / 1e9);
}

static void write_bucket(struct exposition *e, const char *name, struct exposition_label label,
                         unsigned bucket, uint64_t count) {
    buffer_append_format(&e->text, "%s_bucket{", name);
    if (label.name != NULL) {
        buffer_append_format(&e->text, "%s=\"%.*s\",", label.name, (int)label.value.size,
                             label.value.data);
    }
    buffer_append(&e->text, S("le=\""));
    if (bucket < HISTOGRAM_BUCKETS) {
        write_bound(&e->text, histogram_bounds_ns[bucket]);
    } else {
        buffer_append(&e->text, S("+Inf"));
    }
    buffer_append_format(&e->text, "\"} %llu\n", (unsigned long long)count);
}

void exposition_histogram(struct exposition *e, const char *name, struct exposition_label label,
                          const struct exposition_histogram *h) {
    char part[128];
    uint64_t count = 0;
    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        count += h->counts[i];
        write_bucket(e, name, label, i, count);
    }
    struct buffer sum = buffer_of(part, sizeof part);
    buffer_append_format(&sum, "%s_sum", name);
    write_series(e, part, label);
    buffer_append_format(&e->text, " %.9g\n", (double)h->sum_ns / 1e9);
    struct buffer total = buffer_of(part, sizeof part);
    buffer_append_format(&total, "%s_count", name);
    exposition_labelled(e, part, label, count);
}

void exposition_end(struct exposition *e) {
    if (e->is_openmetrics) {
        buffer_append(&e->text, S("# EOF\n"));
    }
}
