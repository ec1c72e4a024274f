/* password_inbox.h: how a pool gives a job back to its owner. */
#ifndef MINTD_PASSWORD_INBOX_H
#define MINTD_PASSWORD_INBOX_H

#include "mintd/password.h"

/* For any thread: the job is the owner's again as soon as this is called, and may be gone. */
void password_inbox_put(struct password_inbox *inbox, struct password_job *job);
/* For the owner alone: whether password_inbox_close() was called. */
bool password_inbox_is_closed(const struct password_inbox *inbox);
void password_inbox_close(struct password_inbox *inbox);

#endif
