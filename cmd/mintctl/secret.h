/* secret.h: a client's new secret: made or read, and as it is stored. */
#ifndef MINTCTL_SECRET_H
#define MINTCTL_SECRET_H

#include "command.h"
#include "mintd/crypto.h"
#include "mintd/password.h"

struct secret {
    struct crypto *crypto;
    bool is_made; /* by us: to be printed, once */
    size_t size;
    char text[PASSWORD_SECRET_MAX + 2];
    char stored[PASSWORD_STORED_MAX + 1];
};

/* Makes one, or, with --secret-stdin, reads one. secret_fini() in any case. */
enum status secret_get(struct secret *secret, const struct arguments *arguments);
/* One that was read from elsewhere. */
enum status secret_set(struct secret *secret, struct slice text);
void secret_fini(struct secret *secret); /* wipes */

/* A random first generation: a client removed and made again does not revive its old tokens. */
bool secret_random_generation(struct crypto *crypto, uint64_t *generation);

/* Prints one that was made for this client; REFUSED, said, where standard output takes it not. */
enum status secret_print(const struct secret *secret, struct slice id);

#endif
