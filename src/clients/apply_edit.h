/* apply_edit.h: what has to change so that a client is what an entry of a file says. */
#ifndef MINTD_CLIENTS_APPLY_EDIT_H
#define MINTD_CLIENTS_APPLY_EDIT_H

#include "clients/apply_file.h"
#include "mintd/crypto.h"

/* Adds to the edit everything that has to change; record NULL: a new client. Checks and makes slow
 * hashes for a secret of a file. Where a secret cannot be checked or hashed, said, the edit
 * overflows. */
void apply_edit(struct apply_entry *entry, const struct client_record *record,
                struct client_edit *edit);
/* The same of a new client, with a generation of its own. False, said: the random generator fails.
 */
bool apply_edit_new(struct crypto *crypto, struct apply_entry *entry, struct client_edit *edit);

#endif
