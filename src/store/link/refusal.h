/* refusal.h: the errors that say why a server greets nobody, or not us. */
#ifndef MINTD_REDIS_REFUSAL_H
#define MINTD_REDIS_REFUSAL_H

#include "mintd/store.h"

struct refusal {
    struct slice begin; /* of the error's text */
    enum store_trouble trouble;
    const char *words; /* our own: the text may repeat what was sent, the password too */
};

/* NULL: the error says something else. */
const struct refusal *refusal_find(struct slice text);

#endif
