/* new_secret.h: the secret that a command gives a client: made or read, and printed. */
#ifndef MINTCTL_NEW_SECRET_H
#define MINTCTL_NEW_SECRET_H

#include "clients/secret.h"
#include "command.h"

/* Makes one, or, with --secret-stdin, reads one. secret_fini() in any case. */
enum status new_secret_get(struct secret *secret, const struct arguments *arguments);

struct new_secret_place {
    unsigned number;       /* of the client's secrets */
    bool has_others;       /* others are accepted, or were */
    uint64_t others_until; /* seconds since the epoch */
};

/* Prints one that was made for this client: alone, or as JSON with its place, where one that was
 * not made is left out. REFUSED, said, where standard output takes it not. */
enum status new_secret_print(const struct secret *secret, struct slice id, bool as_json,
                             const struct new_secret_place *place);

#endif
