/* redirect.h: what a node says of a command that is not for it: MOVED, ASK, TRYAGAIN. */
#ifndef MINTD_REDIS_REDIRECT_H
#define MINTD_REDIS_REDIRECT_H

#include "mintd/slice.h"

enum redirect_kind {
    REDIRECT_NONE,  /* it says nothing of that, or nothing that makes sense */
    REDIRECT_MOVED, /* another node has the slot */
    REDIRECT_ASK,   /* another node has this key, for now */
    REDIRECT_AGAIN, /* later */
};

/* slot, host and port of MOVED and ASK. The host lies in the text that was read; without the
 * brackets of an IPv6 address; empty: that of the node that says it. */
struct redirect {
    enum redirect_kind kind;
    unsigned slot, port;
    struct slice host;
};

/* Of the text of an error reply, whatever it is. A host or port that nobody knows ("?", 0) makes no
 * sense. */
struct redirect redirect_read(struct slice error);

#endif
