/* Happy path: empty lines are skipped, llhttp runs over the head, head_check() judges it, llhttp
 * runs over the body and pauses behind its last byte.
 *
 * Failure modes: llhttp refuses (explain() chooses the answer), a callback refuses, or a limit is
 * passed. Whoever comes first sets p->refusal, and llhttp is not asked again until parser_start().
 */
#include "http/parser.h"
#include "http/rules.h"
#include <llhttp.h>
#include <stdlib.h>

#define BLANK_MAX 16u             /* bytes of empty lines ahead of a request */
#define FRAMING_MAX (16u * 1024u) /* bytes of a chunked body that are not content */

enum phase { PHASE_BLANK, PHASE_HEAD, PHASE_BODY };

struct parser {
    llhttp_t llhttp;
    char *base;   /* the request's first byte, during a run */
    size_t limit; /* how much from there on llhttp may see in it */
    enum phase phase;
    size_t taken;
    struct head head;
    struct extent name, value; /* of the field that is coming in */
    bool has_body, is_too_large, is_complete;
    size_t head_size, trailer_size;
    size_t body_start, body_size;
    size_t framing;
    struct refusal refusal;
};

/* The result is what an llhttp callback returns. */
static int refuse(struct parser *p, unsigned status, const char *description) {
    if (p->refusal.status == 0) {
        p->refusal = (struct refusal){status, description};
    }
    return HPE_USER;
}

static int pass_or_refuse(struct parser *p, struct refusal refusal) {
    return refusal.status == 0 ? 0 : refuse(p, refusal.status, refusal.description);
}

/* ---- the head ---- */

/* llhttp gives a text in pieces, cut wherever the input was cut; in our bytes they lie together. */
static void extend(const struct parser *p, struct extent *extent, const char *at, size_t size) {
    if (extent->size == 0) {
        extent->offset = (size_t)(at - p->base);
    }
    extent->size += size;
}

static int on_target(llhttp_t *llhttp, const char *at, size_t size) {
    struct parser *p = llhttp->data;
    extend(p, &p->head.target, at, size);
    if (p->head.target.size > HTTP_MAX_TARGET) {
        return refuse(p, 414, "the request target is over 8 KiB: send a shorter one");
    }
    return 0;
}

/* Trailers come the same way as fields; they are counted and dropped (RFC 9110 6.5.1). */
static int count_trailer(struct parser *p, size_t size) {
    p->trailer_size += size;
    if (p->head_size + p->trailer_size > HTTP_MAX_HEAD) {
        return refuse(p, 431, "head and trailers are over 16 KiB: send fewer or shorter fields");
    }
    return 0;
}

static int on_field_name(llhttp_t *llhttp, const char *at, size_t size) {
    struct parser *p = llhttp->data;
    if (p->phase == PHASE_BODY) {
        return count_trailer(p, size);
    }
    extend(p, &p->name, at, size);
    return 0;
}

static int on_field_value(llhttp_t *llhttp, const char *at, size_t size) {
    struct parser *p = llhttp->data;
    if (p->phase == PHASE_BODY) {
        return count_trailer(p, size);
    }
    extend(p, &p->value, at, size);
    return 0;
}

static int on_field_complete(llhttp_t *llhttp) {
    struct parser *p = llhttp->data;
    if (p->phase == PHASE_BODY) {
        return pass_or_refuse(p, head_count_line(&p->head));
    }
    struct refusal refusal = head_add_field(&p->head, p->base, extent_text(p->base, p->name),
                                            extent_text(p->base, p->value));
    p->name = p->value = (struct extent){0, 0};
    return pass_or_refuse(p, refusal);
}

static void note_method(struct parser *p) {
    p->head.method_name = slice_of_string(llhttp_method_name((llhttp_method_t)p->llhttp.method));
}

static int on_target_complete(llhttp_t *llhttp) {
    note_method(llhttp->data);
    return 0;
}

static int on_head_complete(llhttp_t *llhttp) {
    struct parser *p = llhttp->data;
    /* Set for Upgrade and CONNECT, where llhttp would leave HTTP behind the head. */
    llhttp->upgrade = 0;
    p->head.version_major = llhttp->http_major;
    p->head.version_minor = llhttp->http_minor;
    int refused = pass_or_refuse(p, head_check(&p->head, slice_of(p->base, p->limit)));
    if (refused != 0) {
        return refused;
    }
    p->has_body = p->head.is_chunked || llhttp->content_length != 0;
    p->is_too_large = llhttp->content_length > HTTP_MAX_BODY;
    return p->has_body ? HPE_PAUSED : 0;
}

/* ---- the body ---- */

static int on_chunk_head(llhttp_t *llhttp) {
    struct parser *p = llhttp->data;
    if (llhttp->content_length > HTTP_MAX_BODY - p->body_size) {
        return refuse(p, 413, "the body is over 16 KiB: send a shorter one");
    }
    return 0;
}

/* Chunks move together; what they overwrite has been parsed. */
static int on_body(llhttp_t *llhttp, const char *at, size_t size) {
    struct parser *p = llhttp->data;
    char *end = p->base + p->body_start + p->body_size;
    if (end != at) {
        memmove(end, at, size);
    }
    p->body_size += size;
    return 0;
}

static int on_complete(llhttp_t *llhttp) {
    struct parser *p = llhttp->data;
    p->is_complete = true;
    return HPE_PAUSED;
}

/* ---- what llhttp refuses ---- */

/* A method is one that is not known here if a token goes on or ends with a space; else it is noise.
 */
static int explain_method(struct parser *p, size_t position) {
    char c = position < p->limit ? p->base[position] : '\0';
    if (rules_is_token_char(c) || (c == ' ' && position > p->head.line)) {
        return refuse(p, 501, "the request method is not known here");
    }
    return refuse(p, 400, "this is no HTTP request: send METHOD target HTTP/1.1");
}

static int explain_version(struct parser *p) {
    unsigned major = p->llhttp.http_major, minor = p->llhttp.http_minor;
    if (major > 1 || (major == 1 && minor > 1)) {
        return refuse(p, 505, "this server speaks HTTP/1.1 and HTTP/1.0");
    }
    return refuse(p, 400, "malformed request line: send METHOD target HTTP/1.1");
}

static int explain(struct parser *p, enum llhttp_errno error, size_t position) {
    switch (error) {
    case HPE_INVALID_METHOD:
        return explain_method(p, position);
    case HPE_INVALID_VERSION:
        return explain_version(p);
    case HPE_PAUSED_H2_UPGRADE:
        return refuse(p, 505, "this server speaks HTTP/1.1 and HTTP/1.0");
    case HPE_INVALID_URL:
        return refuse(p, 400, "malformed request target: send a path that begins with a slash");
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse(p, 400, "send one Content-Length in digits, or chunked, and not both");
    case HPE_INVALID_TRANSFER_ENCODING:
        return refuse(p, 400, "the only transfer coding understood is chunked");
    default:
        return refuse(p, 400,
                      p->phase == PHASE_BODY ? "malformed chunk or trailer in the body"
                                             : "malformed request line or header field");
    }
}

/* ---- running ---- */

/* RFC 9112 2.2: empty lines ahead of a request are ignored; a few of them. */
static enum parser_step run_blank(struct parser *p, const char *data, size_t size) {
    while (p->taken < size && p->taken < BLANK_MAX && data[p->taken] == "\r\n"[p->taken % 2]) {
        p->taken++;
    }
    if (p->taken == size) {
        return PARSER_MORE;
    }
    if (data[p->taken] == '\r' || data[p->taken] == '\n' || p->taken % 2 != 0) {
        refuse(p, 400, "no request line: send METHOD target HTTP/1.1");
        return PARSER_REFUSED;
    }
    p->head.line = p->taken;
    p->phase = PHASE_HEAD;
    return PARSER_HEAD;
}

/* Runs llhttp over data[taken .. limit). */
static bool execute(struct parser *p, char *data, size_t limit) {
    p->base = data;
    p->limit = limit;
    llhttp_resume(&p->llhttp);
    enum llhttp_errno error = llhttp_execute(&p->llhttp, data + p->taken, limit - p->taken);
    p->taken = limit;
    if (error != HPE_OK) {
        p->taken = (size_t)(llhttp_get_error_pos(&p->llhttp) - data);
    }
    if (error != HPE_OK && error != HPE_PAUSED) {
        explain(p, error, p->taken);
    }
    return p->refusal.status == 0;
}

static enum parser_step run_head(struct parser *p, char *data, size_t size) {
    if (!execute(p, data, size < HTTP_MAX_HEAD ? size : HTTP_MAX_HEAD)) {
        return PARSER_REFUSED;
    }
    if (p->is_complete) {
        return PARSER_DONE;
    }
    if (llhttp_get_errno(&p->llhttp) == HPE_PAUSED) {
        p->phase = PHASE_BODY;
        p->head_size = p->body_start = p->taken;
        return PARSER_HEAD;
    }
    if (p->taken == HTTP_MAX_HEAD) {
        refuse(p, 431, "the request head is over 16 KiB: send fewer or shorter fields");
        return PARSER_REFUSED;
    }
    return PARSER_MORE;
}

static enum parser_step run_body(struct parser *p, char *data, size_t size) {
    if (p->is_too_large) {
        refuse(p, 413, "the body is over 16 KiB: send a shorter one");
        return PARSER_REFUSED;
    }
    size_t taken_before = p->taken, body_before = p->body_size;
    if (!execute(p, data, size)) {
        return PARSER_REFUSED;
    }
    p->framing += (p->taken - taken_before) - (p->body_size - body_before);
    if (p->framing > FRAMING_MAX) {
        refuse(p, 413, "over 16 KiB of chunk framing: send fewer and larger chunks");
        return PARSER_REFUSED;
    }
    if (p->is_complete) {
        return PARSER_DONE;
    }
    p->taken = p->body_start + p->body_size;
    return PARSER_MORE;
}

enum parser_step parser_run(struct parser *p, char *data, size_t size) {
    if (p->phase == PHASE_BLANK) {
        enum parser_step step = run_blank(p, data, size);
        if (step != PARSER_HEAD) {
            return step;
        }
    }
    return p->phase == PHASE_HEAD ? run_head(p, data, size) : run_body(p, data, size);
}

/* ---- what is known ---- */

size_t parser_taken(const struct parser *p) {
    return p->taken;
}

struct refusal parser_refusal(const struct parser *p) {
    return p->refusal;
}

void parser_describe(const struct parser *p, const char *data, struct http_request *request) {
    head_describe(&p->head, data, request);
    request->announces_body = p->has_body;
    request->body_too_large = p->is_too_large;
    request->body = slice_of(data + p->body_start, p->is_complete ? p->body_size : 0);
}

bool parser_has_begun(const struct parser *p) {
    return p->phase != PHASE_BLANK;
}

bool parser_keeps_alive(const struct parser *p) {
    return head_keeps_alive(&p->head);
}

bool parser_is_http_1_0(const struct parser *p) {
    return head_is_http_1_0(&p->head);
}

bool parser_awaits_continue(const struct parser *p) {
    return p->head.expects_continue && p->phase == PHASE_BODY && p->body_size + p->framing == 0;
}

/* ---- its life ---- */

static const llhttp_settings_t settings = {
    .on_url = on_target,
    .on_url_complete = on_target_complete,
    .on_header_field = on_field_name,
    .on_header_value = on_field_value,
    .on_header_value_complete = on_field_complete,
    .on_headers_complete = on_head_complete,
    .on_chunk_header = on_chunk_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

struct parser *parser_new(void) {
    struct parser *p = malloc(sizeof *p);
    if (p != NULL) {
        parser_start(p);
    }
    return p;
}

void parser_free(struct parser *p) {
    free(p);
}

void parser_start(struct parser *p) {
    memset(p, 0, sizeof *p);
    llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
    p->llhttp.data = p;
}
