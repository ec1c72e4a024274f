/* parser.h: the bytes of one request become a struct http_request.
 *
 * llhttp lies behind it. What llhttp lets through and must not pass (head.h), and every limit of
 * http.h, is checked here. The parser owns no bytes: it keeps offsets into those of the caller. */
#ifndef MINTD_HTTP_PARSER_H
#define MINTD_HTTP_PARSER_H

#include "http/head.h"

enum parser_step {
    PARSER_MORE,   /* all bytes are taken, and more are needed */
    PARSER_HEAD,   /* the head is in and announces a body: run again to read that */
    PARSER_DONE,   /* the request is in */
    PARSER_REFUSED /* see parser_refusal(); where the next request begins is not known */
};

struct parser;

struct parser *parser_new(void); /* NULL without memory */
void parser_free(struct parser *p);
/* Before the first byte of every request. */
void parser_start(struct parser *p);

/* Goes on with a request. data[0 .. size) is all that has arrived of it, from its first byte on;
 * the next request may begin in it. Between two runs the bytes may move. A chunked body is decoded
 * in place. Not to be called again after PARSER_DONE or PARSER_REFUSED. */
enum parser_step parser_run(struct parser *p, char *data, size_t size);

/* How many bytes of data are the request's. After PARSER_MORE: these must be kept, and the next
 * ones go right behind them. After PARSER_DONE: the next request begins there. */
size_t parser_taken(const struct parser *p);
struct refusal parser_refusal(const struct parser *p);

/* What has been understood, as slices of data; after PARSER_REFUSED as much as there is. */
void parser_describe(const struct parser *p, const char *data, struct http_request *request);
/* Whether more than empty lines has arrived. */
bool parser_has_begun(const struct parser *p);
/* These two after PARSER_HEAD or PARSER_DONE. */
bool parser_keeps_alive(const struct parser *p);
bool parser_is_http_1_0(const struct parser *p);
/* After PARSER_MORE: whether the client waits for "100 Continue": it asked for it, and nothing of
 * the body has come. */
bool parser_awaits_continue(const struct parser *p);

#endif
