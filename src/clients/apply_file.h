/* apply_file.h: a file that declares clients, as mintctl client apply takes it: read and checked as
 * a whole. */
#ifndef MINTD_CLIENTS_APPLY_FILE_H
#define MINTD_CLIENTS_APPLY_FILE_H

#include "clients/client_settings.h"
#include "mintd/password.h"
#include <cjson/cJSON.h>

enum apply_switch { APPLY_UNSAID, APPLY_OFF, APPLY_ON };

struct apply_entry {
    struct slice id;
    struct client_settings settings;
    enum apply_switch disabled;
    struct slice grants; /* absent: as they are */
    bool has_secrets;    /* said: these, and no others */
    unsigned stored_count;
    struct slice stored[OAUTH_SECRETS_MAX];   /* of "secrets" */
    uint64_t ends[OAUTH_SECRETS_MAX];         /* when each is over; 0: never */
    size_t secret_size;                       /* of "secret_file"; 0: none */
    char *secret;                             /* wiped */
    char new_stored[PASSWORD_STORED_MAX + 1]; /* its hash, once one was needed */
    bool no_memory;                           /* why it could not be read */
    struct buffer text;                       /* lists and numbers of the settings */
    bool differs;                             /* from what Redis has; of those who compare */
    bool is_new;                              /* Redis has none of that name; the same */
};

struct apply_file {
    cJSON *json; /* the texts lie here */
    size_t count;
    struct apply_entry *entries;
    struct apply_entry **sorted; /* the same by id */
};

/* Of `most` bytes, of which no more is touched than the file has. The path "-" is standard input.
 * USAGE, said with the name of the entry, where something is wrong. apply_file_fini() in any case.
 */
enum status apply_file_read(const char *path, size_t most, struct apply_file *file);
void apply_file_fini(struct apply_file *file);
/* NULL: the file does not have it. */
const struct apply_entry *apply_file_find(const struct apply_file *file, struct slice id);

#endif
