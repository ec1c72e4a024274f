/* client_record.h: a client as Redis has it. */
#ifndef MINTD_CLIENTS_CLIENT_RECORD_H
#define MINTD_CLIENTS_CLIENT_RECORD_H

#include "clients/redis.h"
#include "oauth/oauth_internal.h"

struct client_record {
    struct value *reply; /* the hash: names and values */
    bool is_known;       /* it is there, and has a secret */
    bool is_no_hash;     /* its key holds something else: it has no field, and is not readable */
    bool is_readable;    /* mintd can make sense of it */
    struct oauth_client client;
    bool standing_is_readable; /* the same of what is looked at for each use of a token */
    struct oauth_client_standing standing;
};

/* An operand as a client's id; false, said, where it cannot be one. */
bool client_id_read(const char *text, struct slice *id);
enum status client_unknown(struct slice id);                            /* says so; REFUSED */
enum status client_no_hash(const struct redis *redis, struct slice id); /* the same */

/* client_record_fini() after DONE, and only then; is_known may be false. One that is no hash is
 * said, and REFUSED. */
enum status client_record_read(struct redis *redis, struct slice id, struct client_record *record);
/* The same, but one that is no hash is DONE too. */
enum status client_record_look(struct redis *redis, struct slice id, struct client_record *record);
/* One question more in a batch: the record, watched where it is to be changed. */
void client_record_ask(struct redis *redis, struct redis_batch *batch, struct slice id,
                       bool watches);
/* As client_record_look(), from the reply to that question, which is the record's from then on. */
enum status client_record_of(struct redis *redis, struct value *reply,
                             struct client_record *record);
/* The same from the fields of a hash, copied; none: there is no such client. False: no memory. */
bool client_record_of_fields(const struct store_field *fields, size_t count,
                             struct client_record *record);
void client_record_fini(struct client_record *record);

/* A field; absent where there is none. */
struct slice client_field(const struct client_record *record, const char *name);
/* The same of "secret:<n>" (part ""), "secret:<n>:expires" (":expires") …; n from 1 to 4. */
struct slice client_secret_field(const struct client_record *record, unsigned n, const char *part);
/* A number that a field holds; 0 where it holds none. */
uint64_t client_number(struct slice text);

#endif
