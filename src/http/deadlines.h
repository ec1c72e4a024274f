/* deadlines.h: when something must have happened. One list for each kind of wait.
 *
 * All waits of a list are equally long, so the list is ordered by time, and starting and stopping
 * one is O(1). Times are milliseconds of the loop's clock. */
#ifndef MINTD_HTTP_DEADLINES_H
#define MINTD_HTTP_DEADLINES_H

#include "http/list.h"
#include <stdint.h>

struct deadline {
    struct link link;
    uint64_t at;
};

struct deadline_list {
    struct link waits;
    uint64_t duration;
};

void deadline_init(struct deadline *deadline);
void deadline_list_init(struct deadline_list *list, uint64_t duration);
/* From now on; one that runs already, in whichever list, starts anew in this one. */
void deadline_start(struct deadline *deadline, struct deadline_list *list, uint64_t now);
void deadline_stop(struct deadline *deadline);
bool deadline_is_running(const struct deadline *deadline);
/* One whose time is up, or NULL. It stays in the list: the caller stops it or starts it anew. */
struct deadline *deadline_list_due(const struct deadline_list *list, uint64_t now);

#endif
