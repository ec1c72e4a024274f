/* credentials.h: who we are to a Redis: a user and its password, and the words that say so. */
#ifndef MINTD_REDIS_CREDENTIALS_H
#define MINTD_REDIS_CREDENTIALS_H

#include "store/link/output.h"

struct credentials {
    const char *user; /* stays; empty: the default one */
    char *password;   /* empty: none */
    size_t size;      /* of the password */
};

/* Copied; the one before is wiped. False: no memory, and the one before stays. */
bool credentials_set_password(struct credentials *credentials, struct slice password);
void credentials_fini(struct credentials *credentials);

static inline bool credentials_are_given(const struct credentials *credentials) {
    return credentials->size != 0;
}

/* The command AUTH. */
void credentials_put_auth(const struct credentials *credentials, struct output *out);
#define CREDENTIALS_OF_HELLO 3u
/* The same as CREDENTIALS_OF_HELLO arguments of HELLO. */
void credentials_put_to_hello(const struct credentials *credentials, struct output *out);

#endif
