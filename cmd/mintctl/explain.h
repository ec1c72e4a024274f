/* explain.h: the two ways of an explanation. */
#ifndef MINTCTL_EXPLAIN_H
#define MINTCTL_EXPLAIN_H

#include "clients/redis.h"
#include "steps.h"

/* Redis is asked once it is needed: what has not the right form is refused without it. */
struct explanation {
    const struct arguments *arguments;
    struct redis *redis;
    struct steps steps;
};

enum status explain_connect(struct explanation *e);
/* The step that ends the way since a key holds what mintd cannot read. */
enum status explain_flaw(struct explanation *e, const char *step, struct slice key);

/* A token alone, of whatever form. */
enum status explain_token(struct explanation *e, struct slice token);
/* The value of an Authorization header of the scheme Basic. */
enum status explain_basic(struct explanation *e, struct slice authorization);

#endif
