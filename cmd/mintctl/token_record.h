/* token_record.h: a token as it was named (itself, its jti), and what Redis holds of it. */
#ifndef MINTCTL_TOKEN_RECORD_H
#define MINTCTL_TOKEN_RECORD_H

#include "clients/client_record.h"
#include "oauth/token.h"

/* A token or a jti of the command line, or, for "-", of standard input, as a jti. USAGE, said,
 * where it is neither. A token is wiped once it is read, and a warning is given where it stood on
 * the command line. */
enum status token_operand_read(char *text, bool takes_jti, char jti[OAUTH_JTI_SIZE]);
/* Says that every user of the machine can read it there. */
void token_warn_of_command_line(const char *what);

struct token_view {
    bool is_there;
    bool is_readable;           /* else its key holds something that mintd does not write */
    struct token_record record; /* its slices point into text */
    char text[OAUTH_CLIENT_ID_MAX + OAUTH_SCOPE_MAX + OAUTH_AUDIENCE_MAX];
};

enum status token_view_read(struct redis *redis, const char jti[OAUTH_JTI_SIZE],
                            struct token_view *view);

/* Says which key holds what mintd does not write, and what to do. */
void token_say_flaw(struct redis *redis, const char jti[OAUTH_JTI_SIZE]);

/* The global generation. */
enum status generation_read(struct redis *redis, bool *is_readable, uint64_t *generation);
/* The same from the reply to GET; false: the key holds something else, or the reply is an error. */
bool generation_of(const struct value *reply, uint64_t *generation);
enum status generation_say_flaw(struct redis *redis); /* says so; REDIS */

#endif
