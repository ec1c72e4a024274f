/* greeting.h: the first words on a connection, which make it one of ours.
 *
 * Happy path: HELLO 3, with AUTH and a name; the role; SELECT; on_greeted.
 *
 * Failure modes: a server that refuses HELLO, in whatever words, is spoken to in RESP2: AUTH,
 * CLIENT SETNAME, the question for its role, SELECT. A proxy may refuse HELLO by closing the
 * connection; but so does one whose Redis is away for the moment. So the next connection begins
 * with PING: where that is answered and HELLO is not, the connection behind it does without HELLO;
 * and the one behind that, whenever it comes, asks anew.
 *
 * An error reply to HELLO or AUTH may repeat what it was sent, the password too: only words of our
 * own about it get into the log. */
#ifndef MINTD_REDIS_GREETING_H
#define MINTD_REDIS_GREETING_H

#include "mintd/redis_store.h"
#include "store/link/credentials.h"
#include "store/link/role.h"
#include "store/link/traffic.h"

#define GREETING_VERSION_MAX 32u /* what is longer is cut */

/* One of the first three for each greeting_start(), from inside traffic_take(), traffic_drop() or
 * greeting_hung_up(); but none where traffic's on_lost comes. */
struct greeting_events {
    /* Authenticated, a master where one is wanted, the database selected. */
    void (*on_greeted)(void *context);
    /* Also where there is no memory for greeting_authenticate(). `reason` is valid until it
     * returns. After the traffic was stopped it may come once more, and says nothing. */
    void (*on_failed)(void *context, enum store_trouble trouble, const char *reason);
    /* The connection was only to learn something, and has ended: the next one knows it. */
    void (*on_again)(void *context, const char *reason);
    /* The password was not accepted, ahead of on_failed, or by greeting_authenticate(); `why` is a
     * text that stays. */
    void (*on_refused)(void *context, const char *why);
};

struct greeting_options {
    const struct redis_url *url; /* stays; of it: the user, the password, the database, TLS */
    const char *address;         /* stays; for the log */
    struct slice name;           /* for CLIENT SETNAME; empty: none */
    struct redis_told *told;     /* outlives the greeting; NULL: there is no other one */
    bool is_quiet;               /* nobody has to know that HELLO was refused */
    const struct greeting_events *events; /* stays */
    void *context;
};

/* What is known of this server and HELLO. */
enum hello_belief {
    HELLO_IS_FINE,
    HELLO_IS_DOUBTED, /* a connection was closed where HELLO was asked */
    HELLO_HANGS_UP,   /* and what was asked before it had been answered */
};

enum greeting_waits {
    GREETING_WAITS, /* for something else */
    GREETING_WAITS_FOR_LIFE,
    GREETING_WAITS_FOR_HELLO,
};

struct greeting {
    struct traffic *traffic;
    struct role *role;
    const struct greeting_events *events;
    void *context;
    const struct redis_url *url;
    const char *address;
    struct redis_told *told;
    struct credentials credentials;
    char name[REDIS_NAME_MAX];
    bool is_quiet, said_resp2;
    enum hello_belief hello;
    enum greeting_waits waits;

    /* of this connection */
    bool speaks_resp3;
    char server_version[GREETING_VERSION_MAX]; /* empty: it gave none */
};

/* Over these two, which stay. False: no memory; then nothing is left to be freed. */
bool greeting_init(struct greeting *greeting, struct traffic *traffic, struct role *role,
                   const struct greeting_options *options);
void greeting_fini(struct greeting *greeting);
/* From the next greeting on; copied. False: no memory, and the one before stays. */
bool greeting_set_password(struct greeting *greeting, struct slice password);

/* The traffic was started. */
void greeting_start(struct greeting *greeting);
/* Under way, and bytes have come: half a reply is one. */
void greeting_heard(struct greeting *greeting);
/* Under way, and the other side has closed the connection: on_failed or on_again, from inside. */
void greeting_hung_up(struct greeting *greeting, enum store_trouble trouble, const char *reason);

/* Greeted: says the password again, since the one that the connection was greeted with ends. The
 * connection stays what it was: the user that it was greeted as. */
void greeting_authenticate(struct greeting *greeting);

#endif
