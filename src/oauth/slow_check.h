/* slow_check.h: one slow check of an offered secret on the pool, shared by all requests of a worker
 * that ask the same at once.
 *
 * What is the same: client id, stored secret and offered secret. The id counts, though the result
 * does not depend on it: two ids that do not exist are checked against one decoy, and would be told
 * from two that do by sharing a check. A check that waits in the lane behind is shared only by
 * requests of its own source: others have a better place. */
#ifndef MINTD_OAUTH_SLOW_CHECK_H
#define MINTD_OAUTH_SLOW_CHECK_H

#include "mintd/oauth.h"

struct oauth_slow_question {
    struct slice client_id, source; /* the caller's until on_done */
    struct slice stored, offered;   /* copied */
};

/* Asks: false, with nothing kept, where the pool has no room. Else on_done comes once, from
 * password_inbox_drain(). `check` is the caller's, with on_done and wait_left_ns set; the wait
 * is taken off wait_left_ns. */
bool oauth_slow_check_start(struct oauth *oauth, struct oauth_slow_check *check,
                            const struct oauth_slow_question *question);

#endif
