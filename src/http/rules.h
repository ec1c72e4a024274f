/* rules.h: what RFC 9110 and 9112 ask of a request's head, and llhttp does not check.
 *
 * Pure functions over text. */
#ifndef MINTD_HTTP_RULES_H
#define MINTD_HTTP_RULES_H

#include "mintd/http.h"

/* uri-host [ ":" port ] (RFC 9110 7.2), not empty, without userinfo. */
bool rules_host_is_valid(struct slice host);

/* Splits a request target (RFC 9112 3.2) into path and query; an absolute-form's scheme and
 * authority are checked and dropped. False where it is no target for this method. */
bool rules_split_target(enum http_method method, struct slice target, struct slice *path,
                        struct slice *query);

/* 0 where the one line of Transfer-Encoding says "chunked" and nothing else; 501 for a well-formed
 * coding that nobody here knows (RFC 9112 6.1), 400 for all that cannot be trusted. */
unsigned rules_transfer_encoding_status(struct slice value);

/* Whether a list of tokens separated by commas ("keep-alive, Upgrade") has this one, in any case.
 */
bool rules_list_has_token(struct slice list, struct slice token);

/* tchar (RFC 9110 5.6.2). */
bool rules_is_token_char(char c);

#endif
