/* client_view.h: a client as it is shown: without the hashes of its secrets. */
#ifndef MINTCTL_CLIENT_VIEW_H
#define MINTCTL_CLIENT_VIEW_H

#include "clients/client_record.h"
#include "output.h"

struct secret_view {
    uint64_t made, expires, used; /* 0: not known, never, not known */
    const char *kind;
    bool is_expired;
};

/* False: there is no secret of that number. */
bool client_view_secret(const struct client_record *record, unsigned n, struct secret_view *view);

/* The latest use of any secret; 0: none is known. */
uint64_t client_last_used(const struct client_record *record);
bool client_is_disabled(const struct client_record *record);
/* "enabled", "disabled", "unreadable", and its colour. */
const char *client_state(const struct client_record *record);
enum colour client_colour(const struct client_record *record);

/* All of it; the caller's to delete. Where memory is short, members are left out. */
cJSON *client_json(struct slice id, const struct client_record *record);

#endif
