/* client_pick.h: which clients mintctl client list shows, and in what order. */
#ifndef MINTCTL_CLIENT_PICK_H
#define MINTCTL_CLIENT_PICK_H

#include "clients/client_record.h"
#include "command.h"

enum client_order { CLIENT_BY_ID, CLIENT_BY_USE, CLIENT_BY_END, CLIENT_BY_MAKING };

struct client_pick {
    enum client_order order;
    const char *filter;                             /* NULL: any */
    unsigned long long unused_for_s, expiring_in_s; /* 0: any */
};

/* --sort, --filter, --unused-for and --expiring-in; USAGE, said, where one is wrong. */
enum status client_pick_read(struct client_pick *pick, const struct arguments *arguments);
/* All of what was given has to be so. One that was never used is unused since it was made. */
bool client_pick_wants(const struct client_pick *pick, struct slice id,
                       const struct client_record *record);
/* The time to sort by, in seconds since the epoch; the highest number where there is none. */
uint64_t client_pick_time(const struct client_pick *pick, const struct client_record *record);

#endif
