/* secret.h: a client's new secret: made or read, and as it is stored. */
#ifndef MINTD_CLIENTS_SECRET_H
#define MINTD_CLIENTS_SECRET_H

#include "clients/status.h"
#include "mintd/crypto.h"
#include "mintd/password.h"

struct secret {
    struct crypto *crypto;
    bool is_made; /* by us: to be printed, once */
    size_t size;
    char text[PASSWORD_SECRET_MAX + 2];
    char stored[PASSWORD_STORED_MAX + 1];
};

/* A random one. secret_fini() in any case, here and below. */
enum status secret_make(struct secret *secret);
/* One that was read from elsewhere. */
enum status secret_set(struct secret *secret, struct slice text);
void secret_fini(struct secret *secret); /* wipes */

/* A random first generation: a client removed and made again does not revive its old tokens. */
bool secret_random_generation(struct crypto *crypto, uint64_t *generation);

#endif
