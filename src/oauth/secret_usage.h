/* secret_usage.h: when each secret was last used, gathered in memory and written now and then.
 *
 * To the minute: a secret whose record says that it was used within the last minute is not noted.
 * Bounded: what does not fit is forgotten, and noted again at the next use.
 *
 * The client may be removed, or the secret rotated away, before the note is written: what was
 * written then is taken back, so that no client comes of it that has nothing but a last use. A step
 * that was not answered is done again at the next round. */
#ifndef MINTD_SECRET_USAGE_H
#define MINTD_SECRET_USAGE_H

#include "mintd/oauth.h"

#define SECRET_USAGE_NOTES 64u
#define SECRET_USAGE_PRECISION_S 60u

struct secret_usage_note {
    enum {
        NOTE_FREE,
        NOTE_WAITS,
        NOTE_BEING_WRITTEN,
        NOTE_TO_BE_TAKEN_BACK,
        NOTE_BEING_TAKEN_BACK
    } state;
    unsigned secret_number;
    uint64_t used; /* epoch seconds */
    size_t id_size;
    char id[OAUTH_CLIENT_ID_MAX];
    struct store *store; /* while it is being written or taken back */
    struct store_operation operation;
};

struct secret_usage {
    struct secret_usage_note notes[SECRET_USAGE_NOTES];
};

/* A secret was used now; its record says `known`. */
void secret_usage_note(struct secret_usage *usage, struct slice client_id, unsigned secret_number,
                       uint64_t known, uint64_t now_s);

#endif
