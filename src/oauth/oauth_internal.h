/* oauth_internal.h: what the files of this folder share. */
#ifndef MINTD_OAUTH_INTERNAL_H
#define MINTD_OAUTH_INTERNAL_H

#include "mintd/oauth.h"
#include "oauth/digest_memory.h"
#include "oauth/secret_usage.h"
#include "oauth/token_owners.h"

struct oauth {
    struct oauth_options options;
    /* Slow checks that succeeded, as (stored, secret): a client pays for one and not for each mint,
     * and a rotation ends it. */
    struct digest_memory verified;
    struct digest_memory barred; /* (client, address) with too many failures */
    /* (id that does not exist, address), with the number of tries */
    struct digest_memory strangers;
    bool bars_anybody;
    struct token_owners owners;
    struct secret_usage usage;
    /* Whether a slow secret was ever seen here: from then on every failed attempt costs a slow
     * check, so that time does not tell an unknown client from a wrong secret. */
    bool slow_secrets_in_use;
    struct oauth_slow_check *slow_checks; /* under way: each is there once */
};

/* Of generations and times: what a number in JSON holds exactly. */
#define OAUTH_NUMBER_MAX 9007199254740992ull /* 2^53 */

/* Keys, without the store's prefix. */
#define OAUTH_KEY_GENERATION "generation"
#define OAUTH_KEY_CLIENTS "clients"
#define OAUTH_KEY_STORAGE (8 + OAUTH_CLIENT_ID_MAX)

/* "client:<id>" into storage of OAUTH_KEY_STORAGE bytes. */
struct slice oauth_client_key(struct slice id, char *storage);
/* "token:<jti>" into the same. */
struct slice oauth_token_key(const char jti[OAUTH_JTI_SIZE], char *storage);

/* The global generation out of the answer of a store_get; a missing key is 0. False where it is not
 * a number. */
bool oauth_generation_read(const struct store_operation *answer, uint64_t *generation);

/* A client out of the answer of a store_read_hash. False where a field makes no sense or it is too
 * long. */
bool oauth_client_read(const struct store_operation *answer, struct oauth_client *client);

/* Whether a token of it can be good, out of the same; ABSENT is no client. */
bool oauth_client_read_standing(const struct store_operation *answer,
                                struct oauth_client_standing *standing);

/* A hash without a secret is no client: a late write of one field must not bring a removed client
 * back. */
bool oauth_client_has_secret(const struct oauth_client *client);

/* What an authentication that ended with NONE rests on: the client, and the generation where it was
 * wanted. How many premises that are; their keys lie in `storage`, of OAUTH_KEY_STORAGE bytes. */
unsigned oauth_authentication_premises(const struct oauth_authentication *a, char *storage,
                                       struct store_premise premises[STORE_PREMISES_MAX]);

/* ---- failure_limit.c ---- */

/* Until when (monotonic ms) this client is barred at this address; 0: it is not. No command. */
uint64_t oauth_failure_barred_until(struct oauth *oauth, struct slice client_id,
                                    struct slice address);
/* The same of all ids that do not exist together. */
uint64_t oauth_failure_strangers_barred_until(struct oauth *oauth, struct slice address);
/* The name that failures of this client are counted under. */
struct slice oauth_failure_name(struct slice client_id, bool client_known);
/* Counts one more failure. */
enum progress oauth_failure_count(struct oauth *oauth, struct slice name, struct slice address,
                                  struct store_operation *operation);
/* Until when it is barred (monotonic ms) where that was one too many; else 0. */
uint64_t oauth_failure_bar(struct oauth *oauth, struct slice client_id, bool client_known,
                           struct slice address, const struct store_operation *counted);

/* ---- scope.c ---- */

/* Why the requested scopes cannot be granted to the client, or NONE with the list to grant. */
enum oauth_refusal oauth_scope_grant(const struct oauth_client *client, struct slice requested,
                                     struct buffer *granted);
/* The same for audiences; `resources` separated by newlines. Besides its own audiences every client
 * may have own_resource; it gets that one only where it asks for it. */
enum oauth_refusal oauth_audience_grant(const struct oauth_client *client,
                                        struct slice own_resource, struct slice resources,
                                        struct slice audience, struct buffer *granted);

#endif
