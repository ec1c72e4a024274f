/* client_record.h: a client as Redis has it, and changes to it that leave nothing half. */
#ifndef MINTCTL_CLIENT_RECORD_H
#define MINTCTL_CLIENT_RECORD_H

#include "oauth/oauth_internal.h"
#include "redis.h"

struct client_record {
    struct value *reply; /* the hash: names and values */
    bool is_known;       /* it is there, and has a secret */
    bool is_readable;    /* mintd can make sense of it */
    struct oauth_client client;
    bool standing_is_readable; /* the same of what is looked at for each use of a token */
    struct oauth_client_standing standing;
};

/* An operand as a client's id; false, said, where it cannot be one. */
bool client_id_read(const char *text, struct slice *id);
enum status client_unknown(struct slice id); /* says so; REFUSED */

/* client_record_fini() after DONE, and only then; is_known may be false. */
enum status client_record_read(struct redis *redis, struct slice id, struct client_record *record);
void client_record_fini(struct client_record *record);

/* A field; absent where there is none. */
struct slice client_field(const struct client_record *record, const char *name);
/* The same of "secret:<n>" (part ""), "secret:<n>:expires" (":expires") …; n from 1 to 4. */
struct slice client_secret_field(const struct client_record *record, unsigned n, const char *part);
/* A number that a field holds; 0 where it holds none. */
uint64_t client_number(struct slice text);

/* ---- changes ---- */

#define CLIENT_EDITS_MAX 40u

/* Fields to be set and removed at once. Texts are copied. */
struct client_edit {
    unsigned set_count, removed_count;
    struct store_field set[CLIENT_EDITS_MAX];
    struct slice removed[CLIENT_EDITS_MAX];
    bool next_generation;
    struct buffer text; /* what the slices point to */
    char storage[8192];
};

void client_edit_init(struct client_edit *edit);
void client_edit_set(struct client_edit *edit, struct slice name, struct slice value);
void client_edit_set_number(struct client_edit *edit, struct slice name, uint64_t number);
void client_edit_remove(struct client_edit *edit, struct slice name);
/* "secret:<n>" and part as a name, until the edit ends. */
struct slice client_edit_secret_name(struct client_edit *edit, unsigned n, const char *part);

/* Decides on the fields from what is there now; anything but DONE ends the change. It may be asked
 * again, where somebody else was quicker. */
struct client_change {
    enum status (*decide)(void *context, const struct client_record *record,
                          struct client_edit *edit);
    void *context;
};

/* Reads, decides and writes, as if nobody else did anything meanwhile (WATCH). REFUSED, said, where
 * the client is not there. */
enum status client_change(struct redis *redis, struct slice id, const struct client_change *change);
/* Makes the client with the fields of the edit, where there is none of that name; *made tells. */
enum status client_make(struct redis *redis, struct slice id, const struct client_edit *edit,
                        bool *made);
/* Removes it; *removed tells whether it was there. */
enum status client_delete(struct redis *redis, struct slice id, bool *removed);

#endif
