/* client_names.h: which clients are counted by name: those that are seen first.
 *
 * A process has one, and any worker may use it. It finds a name that is already there without a
 * lock, and takes a lock to add one. It holds at most CLIENT_NAMES_MAX names. All other clients
 * are counted together, and so is a client that is called CLIENT_NAMES_OTHER. Give it only clients
 * that exist: a stranger must not fill it. */
#ifndef MINTD_CLIENT_NAMES_H
#define MINTD_CLIENT_NAMES_H

#include "mintd/hash.h"

#define CLIENT_NAMES_MAX 100u
#define CLIENT_NAMES_OTHER "other"

struct client_names;

/* `most`: how many names it holds, 1 to CLIENT_NAMES_MAX. NULL: no memory. */
struct client_names *client_names_new(unsigned most, const struct hash_seed *seed);
void client_names_free(struct client_names *names); /* NULL is fine */
/* The index of this client: 0 to CLIENT_NAMES_MAX - 1; it never changes. CLIENT_NAMES_MAX: the
 * client is counted with the others. id: 1 to OAUTH_CLIENT_ID_MAX bytes, copied. */
unsigned client_names_find(struct client_names *names, struct slice id);
/* How many names there are. Each index below that has a name. */
unsigned client_names_count(const struct client_names *names);
struct slice client_names_at(const struct client_names *names, unsigned index);

#endif
