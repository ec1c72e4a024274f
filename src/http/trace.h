/* trace.h: the traceparent of a request (W3C Trace Context, version 00):
 *
 *      00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *         trace id                         parent id        flags
 *
 * Taken to the letter: lower case, each part of its size, no id of zeros alone, nothing behind.
 * What is anything else is as good as none. */
#ifndef MINTD_HTTP_TRACE_H
#define MINTD_HTTP_TRACE_H

#include "mintd/slice.h"

#define TRACE_ID_SIZE 32u
#define TRACE_SPAN_ID_SIZE 16u

struct trace {
    bool is_there; /* else the rest is of no meaning */
    char id[TRACE_ID_SIZE], span_id[TRACE_SPAN_ID_SIZE];
};

/* Sets is_there, and copies the ids. */
void trace_read(struct slice traceparent, struct trace *trace);

#endif
