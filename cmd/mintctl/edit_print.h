/* edit_print.h: what a change does to a client, for people: ; ttl "900" -> "600". */
#ifndef MINTCTL_EDIT_PRINT_H
#define MINTCTL_EDIT_PRINT_H

#include "client_change.h"

/* Ends the line. record NULL: a new client. No secret and no hash is shown. */
void client_edit_print(const struct client_record *record, const struct client_edit *edit);

#endif
