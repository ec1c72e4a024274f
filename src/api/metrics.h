/* metrics.h: the series of /metrics, in three files; operations_metrics() writes them one by one.
 */
#ifndef MINTD_API_METRICS_H
#define MINTD_API_METRICS_H

#include "api/api_internal.h"
#include "api/exposition.h"

/* metrics_process.c: what runs, and what it uses of the machine. */
void metrics_write_process(struct exposition *e, const struct api *api);
/* metrics_durations.c: the histograms. */
void metrics_write_durations(struct exposition *e, const struct api_process *process);

#endif
