#include "http/trace.h"

#define VERSION "00-"
#define ID_AT 3u
#define SPAN_ID_AT (ID_AT + TRACE_ID_SIZE + 1)
#define FLAGS_AT (SPAN_ID_AT + TRACE_SPAN_ID_SIZE + 1)
#define FLAGS_SIZE 2u

static bool is_hex(struct slice part) {
    for (size_t i = 0; i < part.size; i++) {
        char c = part.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return false;
        }
    }
    return true;
}

static bool is_id(struct slice id) {
    bool is_zero = true;
    for (size_t i = 0; i < id.size; i++) {
        is_zero = is_zero && id.data[i] == '0';
    }
    return !is_zero && is_hex(id);
}

void trace_read(struct slice traceparent, struct trace *trace) {
    const char *text = traceparent.data;
    trace->is_there = traceparent.size == FLAGS_AT + FLAGS_SIZE &&
                      slice_starts_with(traceparent, S(VERSION)) && text[SPAN_ID_AT - 1] == '-' &&
                      text[FLAGS_AT - 1] == '-' && is_id(slice_of(text + ID_AT, TRACE_ID_SIZE)) &&
                      is_id(slice_of(text + SPAN_ID_AT, TRACE_SPAN_ID_SIZE)) &&
                      is_hex(slice_of(text + FLAGS_AT, FLAGS_SIZE));
    if (trace->is_there) {
        memcpy(trace->id, text + ID_AT, TRACE_ID_SIZE);
        memcpy(trace->span_id, text + SPAN_ID_AT, TRACE_SPAN_ID_SIZE);
    }
}
