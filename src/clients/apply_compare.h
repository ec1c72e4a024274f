/* apply_compare.h: in what the clients differ from what a file says. */
#ifndef MINTD_CLIENTS_APPLY_COMPARE_H
#define MINTD_CLIENTS_APPLY_COMPARE_H

#include "clients/apply_file.h"
#include "clients/redis.h"

struct apply_plan {
    size_t made, changed, same;
};

/* One entry that differs; record NULL: there is no such client yet. */
typedef void apply_difference(void *context, const struct apply_entry *entry,
                              const struct client_record *record, const struct client_edit *edit);

/* Compares an entry with what is there (NULL: no such client), says in it whether it differs, and
 * counts. on_difference may be NULL. USAGE, said, where it cannot be made: it has no secret and is
 * not there yet. */
enum status apply_judge(struct apply_entry *entry, const struct client_record *present,
                        struct apply_plan *plan, apply_difference *on_difference, void *context);

/* Reads the clients of all entries and judges each. Nothing is changed. */
enum status apply_compare(struct redis *redis, const struct apply_file *file,
                          struct apply_plan *plan, apply_difference *on_difference, void *context);

#endif
