/* clients_file.h: a file that declares clients, applied to the store of an instance.
 *
 * It is the file that `mintctl client apply` reads, and the code is the same. No client is
 * removed. A client changes as a whole or not at all, even where somebody else changes it at the
 * same moment. So several instances may apply the same file at once. Both calls block: call them
 * on a thread that may wait. */
#ifndef MINTD_CLIENTS_FILE_H
#define MINTD_CLIENTS_FILE_H

#include "mintd/local_store.h"
#include "mintd/redis_store.h"
#include "mintd/say.h"

#define CLIENTS_FILE_MAX (16u * 1024u * 1024u) /* bytes */

/* Reads and checks the whole file, and the files that it names as secret_file. False: `error` has
 * one line that says what is wrong, without any secret. no_memory then tells that memory was
 * short, and that the file may be right. */
bool clients_file_check(const char *path, struct buffer *error, bool *no_memory);

/* Where the clients are. All that it points to outlives the call. */
struct clients_place {
    struct memory_data *memory; /* NULL: the clients are in Redis, which is: */
    const struct redis_url *redis;
    struct slice sentinel_user, sentinel_password; /* absent: none */
    struct tls_context *tls;                       /* set where redis->is_tls; else NULL */
    struct slice tls_name;                         /* absent: the host of the URL */
    struct slice prefix, name;                     /* of the keys; and the name of the connection */
    struct redis_password *password;               /* NULL: the password of the URL */
    struct slice identity;                         /* the one Redis that is served; absent: any */
    struct redis_told *told;
};

enum clients_file_end {
    CLIENTS_FILE_APPLIED,
    CLIENTS_FILE_WRONG,   /* the file is wrong; or a client without a secret is not in the store */
    CLIENTS_FILE_REFUSED, /* no memory; or a key holds no client; or others changed a client again
                             and again */
    CLIENTS_FILE_AWAY,    /* Redis does not answer, or answers with an error */
};

struct clients_file_result {
    enum clients_file_end end;
    size_t made, changed, same; /* clients; set when APPLIED */
    char problem[SAY_LINE_MAX]; /* one line without a secret; set when not APPLIED */
};

/* Lets another thread end clients_file_apply(). */
struct clients_stopper;
struct clients_stopper *clients_stopper_new(void); /* NULL: no memory */
void clients_stopper_free(struct clients_stopper *stopper);
/* A call that is under way ends soon (not APPLIED); a later call ends at once. */
void clients_stop(struct clients_stopper *stopper);

/* Reads the file and makes the clients what it says. Warnings are logged. WRONG: no client has
 * been changed. REFUSED or AWAY: some clients may have been changed; apply the file again for the
 * rest. */
void clients_file_apply(const char *path, const struct clients_place *place,
                        struct clients_stopper *stopper, struct clients_file_result *result);

#endif
