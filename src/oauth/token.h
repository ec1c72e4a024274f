/* token.h: the form of a token, its id, and the record that stands for it in the store. */
#ifndef MINTD_OAUTH_TOKEN_H
#define MINTD_OAUTH_TOKEN_H

#include "mintd/oauth.h"

/* What the store holds of a token, as JSON. After a read the slices point into the `text` given. */
struct token_record {
    struct slice client_id, scope, audience;
    uint64_t issued_at, expires_at; /* epoch seconds */
    uint64_t generation, global_generation;
};

/* Puts prefix ("mtd_"), 43 random base62 characters and their checksum into text. False without
 * randomness. */
bool token_text_make(struct crypto *crypto, struct slice prefix, char text[OAUTH_TOKEN_SIZE]);
/* Whether text has that form, checksum included. */
bool token_text_is_valid(struct slice prefix, struct slice text);
/* The jti of a token. */
bool token_id_of(struct crypto *crypto, struct slice text, char jti[OAUTH_JTI_SIZE]);

void token_record_write(const struct token_record *record, struct buffer *json);
/* Of its JSON, of which the largest that we write is a quarter: reading takes as long as it is. */
#define TOKEN_RECORD_MAX 16384u
/* False where it is not such a record, or text has no room. */
bool token_record_read(struct slice json, struct token_record *record, struct buffer *text);

#endif
