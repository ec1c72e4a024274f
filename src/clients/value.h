/* value.h: a reply of Redis as a tree of one's own. */
#ifndef MINTD_CLIENTS_VALUE_H
#define MINTD_CLIENTS_VALUE_H

#include "mintd/redis_store.h"

struct value {
    enum redis_value_kind kind;
    struct slice text; /* TEXT, ERROR; a NUL stands behind it */
    int64_t number;    /* NUMBER */
    size_t count;      /* LIST */
    const struct value *items;
};

/* A copy in one piece of memory; NULL: no memory. */
struct value *value_copy(const struct redis_value *reply);
/* The same of a hash: a list of names and values. */
struct value *value_of_fields(const struct store_field *fields, size_t count);
void value_free(struct value *value); /* NULL is fine */

bool value_is(const struct value *value, enum redis_value_kind kind);
/* The value behind a name in a list of names and values; NULL: not there. */
const struct value *value_find(const struct value *list, struct slice name);
/* The text behind a name; absent where there is none. */
struct slice value_find_text(const struct value *list, struct slice name);

#endif
