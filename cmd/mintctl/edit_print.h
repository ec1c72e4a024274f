/* edit_print.h: what a change does to a client, for people: ; ttl "900" -> "600", and for
 * programs. */
#ifndef MINTCTL_EDIT_PRINT_H
#define MINTCTL_EDIT_PRINT_H

#include "clients/client_change.h"
#include <cjson/cJSON.h>
#include <stdio.h>

/* Ends the line. record NULL: a new client. No secret and no hash is shown. */
void client_edit_print(FILE *out, const struct client_record *record,
                       const struct client_edit *edit);

/* The same as an array: {"field", "before", "after"}, without what there is not, and of a secret
 * {"secret": its number, "change": "new", "removed" or "end", "expires"}. The caller's to delete;
 * NULL: no memory. */
cJSON *client_edit_json(const struct client_record *record, const struct client_edit *edit);

#endif
