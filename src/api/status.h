/* status.h: /status, a page for people, and /status.json, what it shows: on the operations listener
 * only. */
#ifndef MINTD_API_STATUS_H
#define MINTD_API_STATUS_H

#include "api/api_internal.h"
#include "api/status_history.h"
#include "api/status_instances.h"

struct status_call;

struct status {
    struct api *api;
    struct history history;
    struct instances instances;
    struct status_call *waiting; /* for a refresh of the instances */
};

/* ---- status_json.c ---- */

void status_write(struct status *status, struct buffer *json);

/* ---- made of status.html, when mintd is built ---- */

extern const struct slice status_page;
/* Its Content-Security-Policy: the hashes of its style and its script, and nothing else. */
extern const struct slice status_page_policy;

#endif
