/* link.h: one connection to one Redis, that comes up and comes back by itself and keeps the
 * order of replies.
 *
 *                 +------------------------------------------------------+
 *                 v                                                      |
 *      DOWN -> RESOLVING -> CONNECTING -> GREETING -> UP ----------------+   CLOSED: from anywhere
 *        \___________________^   (a path or an address needs no resolver; CONNECTING is TLS too)
 *
 * Happy path: link_start(); on_greeting: the owner sends what else the connection needs and calls
 * link_set_up(); from then on link_begin(), output_...(), link_end() for each command, link_flush()
 * once a turn; each reply is handed to the handler of the oldest command that waits.
 *
 * Failure modes: whatever goes wrong ends in link_fail(): the state is DOWN at once, every command
 * that waits is answered DISCONNECTED later on the same turn (once the socket is closed, from no
 * other call's inside), and after the back-off the next attempt begins. A connection that was
 * silent for LINK_SILENCE_MS with something outstanding fails too: it is never reused, so that a
 * late reply meets nobody; and so does one to a server that is the master no more, which goes on
 * answering with data that is not changed any more. What nobody waits for any more stays in the
 * ring (link_hand_over()), so that its reply is looked at and dropped. */
#ifndef MINTD_REDIS_LINK_H
#define MINTD_REDIS_LINK_H

#include "mintd/redis_store.h"
#include "store/link/handler.h"
#include "store/link/output.h"

#define LINK_ATTEMPT_MS 2000u /* resolve, connect to one address or another, TLS, greet */
#define LINK_SILENCE_MS 2000u
#define LINK_ROLE_MS 750u /* how often it is asked whether it is the master, on a busy link too */
#define LINK_BACKOFF_FIRST_MS 50u
#define LINK_BACKOFF_LAST_MS 500u
#define LINK_PENDING_DEFAULT 4096u
#define LINK_INPUT_SIZE (32u * 1024u)
#define LINK_REPLY_TEXT (256u * 1024u)
#define LINK_REPLY_NODES 1024u /* a set of 512 numbers comes as one reply, also to SSCAN */

enum link_state {
    LINK_DOWN,
    LINK_RESOLVING,
    LINK_CONNECTING,
    LINK_GREETING,
    LINK_UP,
    LINK_CLOSED,
};

const char *link_state_name(enum link_state state);

struct redis_link;

/* Whom a link is to. */
enum link_peer {
    LINK_TO_MASTER,
    LINK_TO_ANY, /* a replica is as good as a master */
    LINK_TO_SENTINEL,
};

struct link_events {
    /* Where the owner says which Redis it is: RESOLVING, an attempt begins. It calls
     * link_connect_to(), now or within LINK_ATTEMPT_MS, or link_fail(). NULL: the url says it. */
    void (*on_attempt)(void *context);
    /* It has not said in time: why, in words and as a trouble. NULL: no word of it. */
    const char *(*why_nowhere)(void *context, enum store_trouble *trouble);
    /* The password was not accepted, in a greeting or by link_authenticate(); `why` is a text that
     * stays. May be NULL. */
    void (*on_refused)(void *context, const char *why);
    /* Authenticated, the database selected, nothing else sent: time for what the owner needs, then
     * link_set_up() or link_fail(). */
    void (*on_greeting)(void *context);
    /* No longer UP or GREETING. Called first, before anything that waits is answered. */
    void (*on_down)(void *context);
    /* UP, and at most LINK_ROLE_MS since the last one: time to ask whether the server is what it
     * was. NULL: the link asks whether it is the master. */
    void (*on_beat)(void *context);
    /* A RESP3 push, in its order among the replies; NULL: one too big to be kept. May be NULL. */
    void (*on_push)(void *context, const struct reply *push);
};

struct link_options {
    char *input;                 /* LINK_INPUT_SIZE, of all links of a loop; outlives the link */
    const struct redis_url *url; /* copied */
    struct tls_context *tls;     /* it takes a reference of its own; NULL: plain */
    struct slice tls_name;       /* copied; absent: the URL's host */
    struct slice name;           /* copied; for CLIENT SETNAME */
    unsigned pending_max;        /* commands that wait; 0: LINK_PENDING_DEFAULT */
    enum link_peer peer;
    uint32_t reply_nodes_max; /* of a reply, one for each thing in it; 0: LINK_REPLY_NODES */
    size_t reply_text_max;    /* bytes of all texts in it; 0: LINK_REPLY_TEXT */
    bool keeps_commands;      /* a handler gets its command with its reply, to send it elsewhere */
    bool is_second;           /* beside another one to the same Redis, as the log says */
    struct redis_told *told;  /* outlives the link; NULL: there is no other link */
    const struct link_events *events;
    void *context;
};

/* NULL: no memory. */
struct redis_link *link_new(struct uv_loop_s *loop, const struct link_options *options);
/* The first attempt; from now on it is to be closed ahead of link_free(). */
void link_start(struct redis_link *link);
/* An attempt waits for the owner, who is to say where it leads. */
bool link_seeks(const struct redis_link *link);
/* DOWN: the next attempt begins on a later turn, once the socket is closed, without the (rest of
 * the) wait. */
void link_hurry(struct redis_link *link);
/* Of one that seeks: there; NULL: where the url says. */
void link_connect_to(struct redis_link *link, const struct redis_endpoint *place);
/* Of one that seeks: to the same address as the other one, which is UP. */
void link_connect_beside(struct redis_link *link, const struct redis_link *other);
/* From the next greeting on, in place of that of the url; copied, and wiped when it is replaced.
 * False: no memory, and the one before stays. */
bool link_set_password(struct redis_link *link, struct slice password);
/* UP: says the password again, since the one that the connection was greeted with ends. */
void link_authenticate(struct redis_link *link);
/* on_closed is called once, on a later turn, after everything that waits was answered. Where the
 * system's resolver is at work it is awaited (it has a limit of its own): it cannot be stopped. */
void link_close(struct redis_link *link, void (*on_closed)(void *), void *context);
void link_free(struct redis_link *link); /* after on_closed, or before link_start() */

enum link_state link_state(const struct redis_link *link);
/* NONE while UP; else why not. */
enum store_trouble link_trouble(const struct redis_link *link);
/* Where it leads, for people. */
const char *link_address(const struct redis_link *link);
/* The host alone. */
const char *link_host(const struct redis_link *link);
/* Why it failed last, in words; "" where it did not, or is UP. */
const char *link_reason(const struct redis_link *link);
/* What the certificate is for, from the next handshake on; empty: the host that is connected to. */
void link_set_tls_name(struct redis_link *link, struct slice name);
/* Handshakes from now on are made with this; takes over the reference. */
void link_use_tls(struct redis_link *link, struct tls_context *tls);
bool link_look_at_tls(const struct redis_link *link, struct tls_client_view *view);
void *link_context(const struct redis_link *link);
unsigned link_pending(const struct redis_link *link);
/* Whether this connection, which is greeted, may bring pushes (RESP3). */
bool link_takes_pushes(const struct redis_link *link);
/* The version that Redis gave of itself in this connection's greeting; empty: it gave none. */
struct slice link_server_version(const struct redis_link *link);
/* Loop time: all that Redis said before this moment has been heard. It is when the newest command
 * was given that was answered: a reply that lay in the socket for long says nothing of now. While
 * UP it is at most LINK_ROLE_MS and a few ticks behind. */
uint64_t link_heard_ms(const struct redis_link *link);

/* A command, or several that are to stay together. NULL: not UP (or GREETING), or no room. */
struct output *link_begin(struct redis_link *link);
/* Its end. False: there was no room; nothing of it will be sent, the handler not be called.
 * Otherwise the handler is called once, never from inside a call of ours; *slot names it. */
bool link_end(struct redis_link *link, const struct link_handler *handler, unsigned *slot);
/* Somebody else gets the replies to this command: nobody waits for it any more, but its place in
 * the order of replies stays. */
void link_hand_over(struct redis_link *link, unsigned slot,
                    void (*on_reply)(void *context, const struct link_result *result),
                    void *context);
/* Once a turn: one write for all that was put in since; or, where more may come, none yet: then the
 * loop does not sleep until they are sent, within a millisecond. False: some are still here. */
bool link_flush(struct redis_link *link, bool more_may_come);

void link_set_up(struct redis_link *link);
/* Ends the connection (not the link), for this reason; nothing where there is none. */
void link_fail(struct redis_link *link, enum store_trouble trouble, const char *reason);
/* The same, DISCONNECTED, of what says nothing about Redis that is not told elsewhere. */
void link_leave(struct redis_link *link, const char *reason);

#endif
