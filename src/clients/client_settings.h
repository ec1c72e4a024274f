/* client_settings.h: what a client may have, as it was asked for: checked, compared, written. */
#ifndef MINTD_CLIENTS_CLIENT_SETTINGS_H
#define MINTD_CLIENTS_CLIENT_SETTINGS_H

#include "clients/client_change.h"

#define CLIENT_NAME_MAX 256u

/* The fields of a client that people decide on, in the order they are shown. */
enum client_setting {
    CLIENT_NAME,
    CLIENT_SCOPE,
    CLIENT_DEFAULT_SCOPE,
    CLIENT_AUDIENCE,
    CLIENT_TTL,
    CLIENT_MAX_TTL,
    CLIENT_PERMISSIONS,
    CLIENT_SETTING_COUNT
};

/* Absent: not asked for, the default. Owns nothing. */
struct client_settings {
    struct slice values[CLIENT_SETTING_COUNT];
};

/* The field in Redis ("aud"), and the word for people ("audience"). */
const char *client_setting_field(enum client_setting setting);
const char *client_setting_word(enum client_setting setting);

/* False with one line that says what is wrong. */
bool client_settings_check(const struct client_settings *settings, struct buffer *error);

/* Sets every setting that differs from the record (NULL: a new client), and removes those that are
 * not asked for. */
void client_settings_edit(const struct client_settings *settings,
                          const struct client_record *record, struct client_edit *edit);

#endif
