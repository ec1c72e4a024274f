/* client_change.h: changes to a client that leave nothing half. */
#ifndef MINTD_CLIENTS_CLIENT_CHANGE_H
#define MINTD_CLIENTS_CLIENT_CHANGE_H

#include "clients/client_record.h"

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

bool client_edit_is_empty(const struct client_edit *edit);

#define CLIENT_COMMANDS_MAX 3u

/* The commands that an edit means. They point into it, and into this struct. */
struct client_commands {
    size_t count;
    struct redis_command list[CLIENT_COMMANDS_MAX];
    struct slice set[2 + 2 * CLIENT_EDITS_MAX], removed[2 + CLIENT_EDITS_MAX], increment[4];
};

void client_commands_init(struct client_commands *commands, struct slice key,
                          const struct client_edit *edit);

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
/* The same, but where the client is not there *is_there is false, and all is well. */
enum status client_change_known(struct redis *redis, struct slice id,
                                const struct client_change *change, bool *is_there);
/* Makes the client with the fields of the edit, where there is none of that name; *made tells. */
enum status client_make(struct redis *redis, struct slice id, const struct client_edit *edit,
                        bool *made);
/* After a change: redis_settle(), also of the list of clients where it is new there, or gone. */
void client_settle(struct redis *redis, struct slice id, bool with_list);
/* Removes it; *removed tells whether it was there, also where it is still listed (REDIS). */
enum status client_delete(struct redis *redis, struct slice id, bool *removed);

#endif
