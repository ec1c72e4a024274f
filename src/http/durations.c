#include "http/durations.h"
#include "mintd/clock.h"

uint64_t durations_look(struct durations *d) {
    d->now_ns = clock_monotonic_ns();
    return d->now_ns;
}

void durations_settle(struct durations *d) {
    uint64_t now_ns = durations_look(d);
    for (unsigned i = 0; i < d->noted; i++) {
        histogram_record(d->notes[i].histogram, now_ns - d->notes[i].started_ns);
    }
    d->noted = 0;
}
