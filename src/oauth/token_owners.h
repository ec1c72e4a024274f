/* token_owners.h: which client a token was minted for, of the tokens that last had to be fetched.
 *
 * A token's client never changes, so who asks for a token's record can ask for its client beside
 * it. What is found here is a guess all the same, since an operator may write a record by hand: the
 * record is what counts. Bounded: a newer token takes the place of one that shares its slot. */
#ifndef MINTD_TOKEN_OWNERS_H
#define MINTD_TOKEN_OWNERS_H

#include "mintd/oauth.h"

#define TOKEN_OWNERS_SLOTS 1024u

struct token_owner {
    char jti[OAUTH_JTI_SIZE];
    unsigned char client_id_size; /* 0: free */
    char client_id[OAUTH_CLIENT_ID_MAX];
};

/* Zeroed: none is known. */
struct token_owners {
    struct token_owner slots[TOKEN_OWNERS_SLOTS];
};

/* The client's id, valid until the next put; absent where it is not known. */
struct slice token_owners_find(const struct token_owners *owners, const char jti[OAUTH_JTI_SIZE]);
/* client_id: 1 to OAUTH_CLIENT_ID_MAX bytes, copied. */
void token_owners_put(struct token_owners *owners, const char jti[OAUTH_JTI_SIZE],
                      struct slice client_id);

#endif
