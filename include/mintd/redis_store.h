/* redis_store.h: a store kept in Redis (or Valkey), over one connection a worker.
 *
 * The link comes up by itself: resolve, connect, HELLO 3 (with AUTH), SELECT, the schema check; it
 * comes back by itself whenever it is lost, with jittered back-off from 50 ms to 500 ms. While it
 * is not up, verbs are DONE and UNKNOWN at once: no queue for a dead Redis. */
#ifndef MINTD_REDIS_STORE_H
#define MINTD_REDIS_STORE_H

#include "mintd/store.h"

struct uv_loop_s;

#define REDIS_NAME_MAX 256u
#define REDIS_SCHEMA_VERSION "1"

/* Where Redis is. Own storage, no pointers. */
struct redis_url {
    bool is_unix;
    char host[REDIS_NAME_MAX]; /* or the path of a unix socket */
    unsigned port;
    unsigned database;
    char user[REDIS_NAME_MAX];     /* empty: none */
    char password[REDIS_NAME_MAX]; /* empty: none */
};

/* redis://[[user]:password@]host[:port][/db] and unix://[[user]:password@]/path[?db=N]; user and
 * password may be percent-encoded. False with one line that says what is wrong; the line never has
 * the password. */
bool redis_url_parse(struct slice text, struct redis_url *url, struct buffer *error);

struct redis_store_options {
    struct redis_url url; /* copied */
    struct slice prefix;  /* copied, 64 bytes at most; "mintd:" */
    struct slice name;    /* copied; for CLIENT SETNAME: [A-Za-z0-9._-], other bytes become '-' */
    unsigned timeout_ms;  /* of an operation */
    unsigned pending_max; /* operations in flight; 0: 4,096 */
    struct store_metrics *metrics; /* outlives the store */
};

/* Starts connecting at once. NULL where memory or the loop fails. */
struct store *redis_store_new(struct uv_loop_s *loop, const struct redis_store_options *options);

#endif
