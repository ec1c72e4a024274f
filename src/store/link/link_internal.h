/* link_internal.h: the link's inside, for link.c (life), connect.c (the stream's
 * events), traffic.c (bytes and order), greeting.c (the first words), role.c (is
 * it the master) and heart.c (is it there still, and the master still). */
#ifndef MINTD_REDIS_LINK_INTERNAL_H
#define MINTD_REDIS_LINK_INTERNAL_H

#include "store/link/link.h"
#include "store/link/stream.h"
#include <uv.h>

#define LINK_REASON_MAX STREAM_REASON_MAX
#define LINK_VERSION_MAX 32u /* what is longer is cut */
/* Slots beyond pending_max, for what the link itself asks: one greeting or question for the role at
 * a time, and what its owner adds to them. */
#define LINK_OWN_SLOTS 8u
#define LINK_ERROR_MAX 320u /* "MOVED 16383 " and a host name; what is longer is cut */

/* A command that waits; without on_reply nobody does. */
struct link_slot {
    void (*on_reply)(void *context, const struct link_result *result);
    void *context;
    uint64_t given_ms;          /* loop time */
    uint32_t start, size;       /* of the command, in the buffer that it left in */
    uint32_t replies;           /* still to come */
    bool ends_at_text;          /* or up to the first text; then what came before it is NOAUTH */
    enum store_trouble trouble; /* the first error among them */
};

/* Commands that were sent in one go, kept until all are answered. */
struct sent_commands {
    struct sent_commands *next;
    struct output bytes;
    unsigned end; /* the slot behind the last one */
};

/* How a server can be asked whether it is the master; the last tells only of what hinders it. */
enum role_way {
    ROLE_BY_HELLO,
    ROLE_BY_ROLE,
    ROLE_BY_PING,
    ROLE_WAYS,
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

struct redis_link {
    enum link_state state;
    struct link_events events;
    void *context;
    struct redis_url url;
    char *password; /* empty: none */
    size_t password_size;
    enum link_peer peer;
    bool is_second;
    struct redis_told *told;
    char name[REDIS_NAME_MAX];
    char address[REDIS_NAME_MAX + 8]; /* for the log */
    bool seeks;                       /* RESOLVING: the owner is to say where the attempt leads */

    /* life */
    uv_loop_t *loop;
    uv_timer_t timer; /* DOWN: back-off; RESOLVING to GREETING: the attempt's deadline */
    uv_timer_t heart; /* UP: counts silence, asks for the role */
    unsigned handles; /* of the timers and `sleepless`, not closed yet */
    unsigned
        address_turn; /* which of a name's addresses is next; moves on when one does not greet */
    unsigned backoff_ms;
    unsigned silent_ticks;
    uint64_t heard_ms; /* loop time: when the newest command was given that was answered */
    bool role_ways_shut[ROLE_WAYS];             /* this server does not answer to these */
    enum role_way role_way;                     /* of the question under way */
    void (*on_master)(struct redis_link *link); /* NULL: none is under way */
    uint64_t role_asked_ms;                     /* loop time */
    uint64_t lost_ms, up_ms;                    /* loop time */
    enum store_trouble trouble;
    char reason[LINK_REASON_MAX]; /* why it is DOWN, as logged last */
    bool has_been_up, said_resp2, speaks_resp3;
    enum hello_belief hello;
    enum greeting_waits greeting_waits;
    char server_version[LINK_VERSION_MAX];
    void (*on_closed)(void *);
    void *on_closed_context;

    /* traffic */
    struct reply_reader *reader;
    struct output output;    /* gathers until link_flush() sends it */
    struct output sending;   /* the socket's, while stream.is_writing */
    bool deaf;               /* takes no more bytes; what it said before is still being read */
    size_t command_start;    /* in output: of the command under way */
    struct link_slot *slots; /* as many as were needed so far */
    unsigned slot_mask, oldest, newest; /* counters; slot i lies in slots[i & slot_mask] */
    bool keeps_commands;
    struct sent_commands *sent, *sent_last; /* in their order */
    unsigned sending_end;                   /* the slot behind the last one of `sending` */
    char error[LINK_ERROR_MAX];             /* the first to the oldest command */
    size_t error_size;
    unsigned pending_max;
    uint64_t gathering_since_ns; /* 0: nothing gathers */
    uv_idle_t sleepless;         /* active while commands gather */
    struct redis_stream stream;
};

/* link.c */
/* The one writer of the state. An illegal edge ends the process at the edge, also where assertions
 * are compiled out. */
void link_set_state(struct redis_link *link, enum link_state state, const char *reason);
void link_retry_later(struct redis_link *link); /* DOWN, without a socket */
/* The stream is idle again: its socket is closed, or the resolver has come to its end. */
void link_take_idle(struct redis_link *link, bool had_socket);

/* connect.c */
extern const struct stream_events link_stream_events;
/* DOWN, without a socket, the attempt's timer running: leads to GREETING or to link_fail(). */
void link_attempt(struct redis_link *link);
/* The one that link->url names. */
void link_open(struct redis_link *link);
/* The same, at this address. */
void link_open_at(struct redis_link *link, const union stream_address *address);

/* traffic.c */
bool traffic_init(struct redis_link *link, const struct link_options *options);
void traffic_fini(struct redis_link *link);
/* For a new connection; false: no memory. */
bool traffic_reset(struct redis_link *link);
void traffic_take(struct redis_link *link, struct slice input);
void traffic_written(struct redis_link *link, bool written);
/* The socket is closed: answers everything that waits. */
void traffic_end(struct redis_link *link);

/* greeting.c */
void greeting_start(struct redis_link *link);
/* GREETING, and the other side has closed the connection. */
void greeting_hung_up(struct redis_link *link, enum store_trouble trouble, const char *reason);
/* What the map says of this name, or the array of names and values that RESP2 has in its place;
 * absent: nothing, or no text. */
struct slice greeting_find_text(const struct reply *hello, struct slice name);

/* role.c */
/* Asks this server whether it is the master, in the first way that it does not refuse. on_master:
 * it is, or it will not say. Otherwise the link fails: it is a replica, has no data to give
 * (LOADING, MASTERDOWN), or what it said is no answer. One question at a time. */
void role_ask(struct redis_link *link, void (*on_master)(struct redis_link *link));
/* The same, where the greeting brought this reply to HELLO: asks only where it does not say. */
void role_take(struct redis_link *link, const struct reply *hello,
               void (*on_master)(struct redis_link *link));

/* heart.c */
/* UP: from now on a silent server, or one that is no master any more, is left. */
void heart_start(struct redis_link *link);

/* For what the link itself asks, beside pending_max: begin, output_...(), end. Fails the link where
 * there is no memory. */
struct output *link_ask_begin(struct redis_link *link);
void link_ask_end(struct redis_link *link,
                  void (*on_reply)(void *link, const struct link_result *result));

#endif
