/* Every case is parsed whole, byte by byte, cut in two at every offset, and behind another request;
 * the outcome must be the same. An outcome is a line of text:
 *
 *      "GET /a ?q 1.1 keep host=[h] body=[x]"      a request, with the fields that are read
 *      "400"                                       refused
 *      "more"                                      not whole yet */
#include "http/parser.h"
#include "unit/unit.h"
#include <stdio.h>
#include <stdlib.h>

#define OUTCOME_MAX 4096u
#define SPLIT_ALL_MAX 2048u /* longer texts are cut at some offsets only */

struct case_ {
    const char *id;
    struct slice text;
    const char *outcome;
};

#define CASE(id, text, outcome)                                                                    \
    { id, SLICE(text), outcome }

/* ---- one run ---- */

static const char *const method_names[] = {"GET", "HEAD", "POST", "OPTIONS", "OTHER"};
static const char *const field_names[] = {
#define X(id, name) name,
    HTTP_FIELDS(X)
#undef X
};

static void render(const struct parser *p, const char *data, struct buffer *out) {
    struct http_request request;
    parser_describe(p, data, &request);
    buffer_append_format(out, "%s ", method_names[request.method]);
    buffer_append(out, request.path);
    if (!slice_is_absent(request.query)) {
        buffer_append(out, S(" ?"));
        buffer_append(out, request.query);
    }
    buffer_append(out, parser_is_http_1_0(p) ? S(" 1.0") : S(" 1.1"));
    buffer_append(out, parser_keeps_alive(p) ? S(" keep") : S(" close"));
    for (unsigned i = 0; i < request.field_count; i++) {
        buffer_append_format(out, " %s=[", field_names[request.fields[i].id]);
        buffer_append(out, request.fields[i].value);
        buffer_append(out, S("]"));
    }
    if (request.body.size != 0) {
        buffer_append(out, S(" body=["));
        buffer_append(out, request.body);
        buffer_append(out, S("]"));
    }
}

struct run {
    size_t first, each; /* sizes of the pieces */
    char outcome[OUTCOME_MAX];
    size_t used;    /* bytes of the text that were the request */
    bool continue_; /* the client was found to wait for "100 Continue" */
};

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* A copy of exactly its size, elsewhere: the sanitizer sees who reads past it, or in the old one.
 */
static char *move_to(char *old, size_t kept, size_t size) {
    char *moved = malloc(size + 1);
    assert_non_null(moved);
    if (old != NULL) {
        memcpy(moved, old, kept);
        memset(old, 'x', kept);
    }
    free(old);
    return moved;
}

static void parse(struct parser *p, struct slice text, struct run *run) {
    char *data = NULL;
    size_t size = 0, read = 0;
    enum parser_step step = PARSER_MORE;
    run->continue_ = false;
    parser_start(p);
    while (step == PARSER_MORE && read < text.size) {
        size_t piece = smaller(read == 0 ? run->first : run->each, text.size - read);
        data = move_to(data, size, size + piece);
        memcpy(data + size, text.data + read, piece);
        size += piece;
        read += piece;
        do {
            step = parser_run(p, data, size);
        } while (step == PARSER_HEAD);
        if (step == PARSER_MORE) {
            assert_true(parser_taken(p) <= size);
            assert_true(parser_taken(p) <= HTTP_MAX_HEAD + HTTP_MAX_BODY);
            size = parser_taken(p);
            run->continue_ |= parser_awaits_continue(p);
        }
    }
    struct buffer out = buffer_of(run->outcome, sizeof run->outcome - 1);
    run->used = 0;
    if (step == PARSER_MORE) {
        buffer_append(&out, S("more"));
    } else if (step == PARSER_REFUSED) {
        buffer_append_number(&out, parser_refusal(p).status);
        assert_non_null(parser_refusal(p).description);
    } else {
        run->used = read - (size - parser_taken(p));
        render(p, data, &out);
    }
    out.data[out.size] = '\0';
    free(data);
}

/* ---- all the ways ---- */

static void check_way(struct parser *p, const struct case_ *c, size_t first, size_t each,
                      size_t *used) {
    struct run run = {.first = first, .each = each};
    parse(p, c->text, &run);
    if (strcmp(run.outcome, c->outcome) != 0 || (*used != SIZE_MAX && *used != run.used)) {
        fail_msg("%s, pieces of %zu and %zu:\n  got      %s (%zu bytes)\n  expected %s", c->id,
                 first, each, run.outcome, run.used, c->outcome);
    }
    *used = run.used;
}

static void check_behind_another(struct parser *p, const struct case_ *c, size_t used) {
    const struct slice another =
        S("POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    char *data = malloc(another.size + c->text.size);
    assert_non_null(data);
    memcpy(data, another.data, another.size);
    memcpy(data + another.size, c->text.data, c->text.size);
    struct slice both = slice_of(data, another.size + c->text.size);

    struct run run = {.first = both.size, .each = 1};
    parse(p, both, &run);
    assert_string_equal(run.outcome, "POST /first 1.1 keep host=[h] body=[abc]");
    assert_int_equal(run.used, another.size);
    struct case_ rest = {c->id, slice_skip(both, run.used), c->outcome};
    check_way(p, &rest, rest.text.size, 1, &used);
    free(data);
}

static void check_case(const struct case_ *c) {
    struct parser *p = parser_new();
    assert_non_null(p);
    size_t used = SIZE_MAX;
    check_way(p, c, c->text.size, 1, &used);
    check_way(p, c, 1, 1, &used);
    size_t step = c->text.size <= SPLIT_ALL_MAX ? 1 : c->text.size / 50;
    for (size_t cut = 1; cut < c->text.size; cut += step) {
        check_way(p, c, cut, c->text.size, &used);
    }
    check_behind_another(p, c, used);
    parser_free(p);
}

#define CHECK_CASES(cases)                                                                         \
    for (size_t i_ = 0; i_ < COUNT_OF(cases); i_++) {                                              \
        check_case(&(cases)[i_]);                                                                  \
    }

#define H "Host: h\r\n"

/* ---- heads ---- */

static void test_host(void **state) {
    (void)state;
    static const struct case_ cases[] = {
        CASE("H-01", "GET /healthz HTTP/1.1\r\n\r\n", "400"),
        CASE("H-02", "GET / HTTP/1.1\r\n" H H "\r\n", "400"),
        CASE("H-02", "GET / HTTP/1.1\r\n" H "Host: other\r\n\r\n", "400"),
        CASE("H-02", "GET / HTTP/1.0\r\n" H "Host: other\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: [:::1]\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a?x\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a#x\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a,b\xe9\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "400"),
        CASE("H-03", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "400"),
        CASE("H-04", "GET / HTTP/1.1\r\nHost: h:8080\r\n\r\n", "GET / 1.1 keep host=[h:8080]"),
        CASE("H-04", "GET / HTTP/1.1\r\nHost: H.EXAMPLE.\r\n\r\n",
             "GET / 1.1 keep host=[H.EXAMPLE.]"),
        CASE("H-04", "GET / HTTP/1.1\r\nhost:[::1]:80\t \r\n\r\n",
             "GET / 1.1 keep host=[[::1]:80]"),
        CASE("H-04", "GET / HTTP/1.1\r\nHOST: h:\r\n\r\n", "GET / 1.1 keep host=[h:]"),
        CASE("H-04", "GET / HTTP/1.1\r\nHost: a%2db_c~!$&'()*+,;=\r\n\r\n",
             "GET / 1.1 keep host=[a%2db_c~!$&'()*+,;=]"),
        CASE("H-04", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "400"),
        CASE("H-04", "GET / HTTP/1.1\r\nHost:  \r\n\r\n", "400"),
        CASE("H-05", "GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz 1.0 close"),
        CASE("H-05", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / 1.0 keep"),
        CASE("H-05", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "400"),
    };
    CHECK_CASES(cases);
}

static void test_targets(void **state) {
    (void)state;
    static const struct case_ cases[] = {
        CASE("H-06", "GET http://other/healthz HTTP/1.1\r\n" H "\r\n",
             "GET /healthz 1.1 keep host=[h]"),
        CASE("H-06", "GET HTTPS://[::1]:8/a?b?c HTTP/1.1\r\n" H "\r\n",
             "GET /a ?b?c 1.1 keep host=[h]"),
        CASE("H-06", "GET http://other?q HTTP/1.1\r\n" H "\r\n", "GET / ?q 1.1 keep host=[h]"),
        CASE("H-06", "GET http://other HTTP/1.1\r\n" H "\r\n", "GET / 1.1 keep host=[h]"),
        CASE("H-06", "OPTIONS http://other HTTP/1.1\r\n" H "\r\n", "OPTIONS * 1.1 keep host=[h]"),
        CASE("H-06", "OPTIONS http://other/ HTTP/1.1\r\n" H "\r\n", "OPTIONS / 1.1 keep host=[h]"),
        CASE("H-06", "GET http://other/ HTTP/1.1\r\n\r\n", "400"),
        CASE("H-06", "GET http://u@other/ HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-06", "GET http:///a HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-06", "GET http://a:b/ HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-06", "GET ftp://other/ HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-07", "GET * HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-07", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS * 1.1 keep host=[h]"),
        CASE("H-07", "OPTIONS *x HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-07", "GET h:80 HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-07", "CONNECT h:80 HTTP/1.1\r\n" H "\r\n", "501"),
        CASE("query", "GET /a?b=c?d&e HTTP/1.1\r\n" H "\r\n", "GET /a ?b=c?d&e 1.1 keep host=[h]"),
        CASE("query", "GET /a? HTTP/1.1\r\n" H "\r\n", "GET /a ? 1.1 keep host=[h]"),
        CASE("fragment", "GET /a#b HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("fragment", "GET /a?b#c HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", "GET ! HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", "GET /\x01 HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-56", "GET /%2e%2e/ HTTP/1.1\r\n" H "\r\n", "GET /%2e%2e/ 1.1 keep host=[h]"),
    };
    CHECK_CASES(cases);
}

static void test_request_lines(void **state) {
    (void)state;
    static const struct case_ cases[] = {
        CASE("H-09", "PUT / HTTP/1.1\r\n" H "\r\n", "OTHER / 1.1 keep host=[h]"),
        CASE("H-09", "TRACE / HTTP/1.1\r\n" H "\r\n", "OTHER / 1.1 keep host=[h]"),
        CASE("V-02", "PROPFIND / HTTP/1.1\r\n" H "\r\n", "OTHER / 1.1 keep host=[h]"),
        CASE("H-11", "HEAD / HTTP/1.1\r\n" H "\r\n", "HEAD / 1.1 keep host=[h]"),
        CASE("H-10", "FOO /token HTTP/1.1\r\n" H "\r\n", "501"),
        CASE("H-10", "PO /token HTTP/1.1\r\n" H "\r\n", "501"),
        CASE("H-10", "GETX /token HTTP/1.1\r\n" H "\r\n", "501"),
        CASE("H-10", "get /healthz HTTP/1.1\r\n" H "\r\n", "501"),
        CASE("H-10", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1",
             "501"),
        CASE("H-30", "\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET / 1.1 keep host=[h]"),
        CASE("H-30", "\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET / 1.1 keep host=[h]"),
        CASE("H-30", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-30", "\nGET / HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-30", "\rGET / HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-30", "\r\n\nGET / HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-30", "\r\n\r\n", "more"),
        CASE("H-31", "GET  / HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", "GET /  HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", "GET / HTTP/1.1 \r\n" H "\r\n", "400"),
        CASE("H-31", "GET\t/ HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", "GET /\tHTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", "GET /healthz\r\n" H "\r\n", "400"),
        CASE("H-31", "GET /healthz\r\n\r\n", "400"),
        CASE("H-31", "GET /a b HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", " GET / HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("H-31", "GET\r\n" H "\r\n", "400"),
        CASE("H-32", "GET / HTTP/2.0\r\n" H "\r\n", "505"),
        CASE("H-32", "GET / HTTP/0.9\r\n" H "\r\n", "505"),
        CASE("H-32", "GET / HTTP/9.9\r\n" H "\r\n", "505"),
        CASE("H-32", "GET / HTTP/1.10\r\n" H "\r\n", "400"),
        CASE("H-32", "GET / HTTP/1.2\r\n" H "\r\n", "505"),
        CASE("H-32", "GET / http/1.1\r\n" H "\r\n", "400"),
        CASE("H-32", "GET / HTTP/x.1\r\n" H "\r\n", "400"),
        CASE("H-32", "GET / HTTP/4294967295.255\r\n" H "\r\n", "505"),
        CASE("H-32", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        CASE("RTSP", "GET / RTSP/1.0\r\n" H "\r\n", "400"),
        CASE("RTSP", "DESCRIBE / HTTP/1.1\r\n" H "\r\n", "400"),
        CASE("ICE", "SOURCE / ICE/1.0\r\n" H "\r\n", "400"),
        CASE("H-33", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"),
        CASE("H-33", "\0\0\0\0\0\0\0\0", "400"),
        CASE("H-51",
             "GET / HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
             "GET / 1.1 keep host=[h]"),
        CASE("H-51", "GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
             "GET / 1.1 keep host=[h]"),
        CASE("cut", "GET / HTTP/1.1\r\n" H, "more"),
    };
    CHECK_CASES(cases);
}

static void test_fields(void **state) {
    (void)state;
    static const struct case_ cases[] = {
        CASE("known",
             "GET / HTTP/1.1\r\n" H
             "Authorization: Bearer x \r\nX-Unknown: y\r\nExpect:\t100-Continue\r\n\r\n",
             "GET / 1.1 keep host=[h] authorization=[Bearer x] expect=[100-Continue]"),
        CASE("empty", "GET / HTTP/1.1\r\n" H "X-Request-Id:\r\nContent-Type: \t \r\n\r\n",
             "GET / 1.1 keep host=[h] x-request-id=[] content-type=[]"),
        CASE("repeated", "GET / HTTP/1.1\r\n" H "authorization: a\r\nAUTHORIZATION: b\r\n\r\n",
             "GET / 1.1 keep host=[h] authorization=[a] authorization=[b]"),
        CASE("H-24", "POST / HTTP/1.1\r\n" H "Content-Length : 5\r\n\r\nhello", "400"),
        CASE("H-24", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "400"),
        CASE("H-25", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", "400"),
        CASE("H-25", "GET / HTTP/1.1\r\n\tX: a\r\n" H "\r\n", "400"),
        CASE("H-26", "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", "400"),
        CASE("H-26", "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", "400"),
        CASE("H-26", "GET / HTTP/1.1\r\n" H "Content-Length:\r\n 5\r\n\r\nhello", "400"),
        CASE("H-27", "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", "400"),
        CASE("H-27", "GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n", "400"),
        CASE("H-27", "GET / HTTP/1.1\r\n" H "X: a\nb\r\n\r\n", "400"),
        CASE("H-27", "GET / HTTP/1.1\r\n" H "X: a\nY: b\r\n\r\n", "400"),
        CASE("H-27", "GET / HTTP/1.1\nHost: h\n\n", "400"),
        CASE("H-27", "GET / HTTP/1.1\r\n" H "X: a\r\n\rX", "400"),
        CASE("H-27", "GET / HTTP/1.1\r\n" H "\n", "400"),
        CASE("H-28", "GET / HTTP/1.1\r\n" H ": x\r\n\r\n", "400"),
        CASE("H-28", "GET / HTTP/1.1\r\n" H "X[]: a\r\n\r\n", "400"),
        CASE("H-28", "GET / HTTP/1.1\r\n" H "X\x80: a\r\n\r\n", "400"),
        CASE("H-28", "GET / HTTP/1.1\r\n" H "X Y: a\r\n\r\n", "400"),
        CASE("H-28", "GET / HTTP/1.1\r\n" H "no colon\r\n\r\n", "400"),
        CASE("H-28", "GET / HTTP/1.1\r\n" H "nocolon\r\n\r\n", "400"),
        CASE("H-29", "GET / HTTP/1.1\r\n" H "X: \xe9\r\n\r\n", "GET / 1.1 keep host=[h]"),
        CASE("H-29", "GET / HTTP/1.1\r\n" H "X: a\tb\r\n\r\n", "GET / 1.1 keep host=[h]"),
        CASE("H-39", "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
             "GET / 1.1 close host=[h]"),
        CASE("H-39", "GET / HTTP/1.1\r\n" H "Connection: CLOSE\t\r\n\r\n",
             "GET / 1.1 close host=[h]"),
        CASE("H-39", "GET / HTTP/1.1\r\n" H "Connection: keep-alive , Close\r\n\r\n",
             "GET / 1.1 close host=[h]"),
        CASE("H-39", "GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n",
             "GET / 1.1 close host=[h]"),
        CASE("H-39", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET / 1.0 close"),
        CASE("H-39", "GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n",
             "GET / 1.1 keep host=[h]"),
        CASE("H-37", "GET / HTTP/1.1\r\n" H "Expect: x\r\n\r\n", "417"),
        CASE("H-37", "GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: x\r\n\r\n", "417"),
        CASE("H-36", "GET / HTTP/1.0\r\nExpect: x\r\n\r\n", "GET / 1.0 close expect=[x]"),
    };
    CHECK_CASES(cases);
}

/* All bytes that may not stand in a value, one by one (RFC 9110 5.5). */
static void test_control_bytes_in_values(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text[64];
        int size = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" H "X: a%cb\r\n\r\n", '?');
        char *place = memchr(text, '?', (size_t)size);
        assert_non_null(place);
        *place = (char)byte;
        bool allowed = byte == '\t' || (byte >= ' ' && byte != 0x7f);
        const struct case_ c = {"H-29", slice_of(text, (size_t)size),
                                allowed ? "GET / 1.1 keep host=[h]" : "400"};
        check_case(&c);
    }
}

/* ---- bodies ---- */

#define TE "Transfer-Encoding: chunked\r\n"
#define CHUNKED "POST / HTTP/1.1\r\n" H TE "\r\n"
#define CHUNKED_HEAD "POST / 1.1 keep host=[h] transfer-encoding=[chunked]"

static void test_content_length(void **state) {
    (void)state;
    static const struct case_ cases[] = {
        CASE("length", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello",
             "POST / 1.1 keep host=[h] body=[hello]"),
        CASE("H-17", "POST / HTTP/1.1\r\n" H "Content-Length: 05\r\n\r\nhello",
             "POST / 1.1 keep host=[h] body=[hello]"),
        CASE("tabs", "POST / HTTP/1.1\r\n" H "Content-Length:  5 \r\n\r\nhello",
             "POST / 1.1 keep host=[h] body=[hello]"),
        CASE("none", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n",
             "POST / 1.1 keep host=[h]"),
        CASE("none", "POST / HTTP/1.1\r\n" H "\r\n", "POST / 1.1 keep host=[h]"),
        CASE("H-54", "GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello",
             "GET / 1.1 keep host=[h] body=[hello]"),
        CASE("1.0", "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
             "POST / 1.0 close body=[hello]"),
        CASE("H-41", "POST / HTTP/1.1\r\n" H "Content-Length: 29\r\n\r\nhello", "more"),
        CASE("H-14", "POST / HTTP/1.1\r\n" H "Content-Length: 16385\r\n\r\n", "413"),
        CASE("H-14", "POST / HTTP/1.1\r\n" H "Content-Length: 1048577\r\n\r\n", "413"),
        CASE("H-15", "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551615\r\n\r\n", "413"),
        CASE("H-15", "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\n", "400"),
        CASE("H-15",
             "POST / HTTP/1.1\r\n" H
             "Content-Length: 1000000000000000000000000000000000000000\r\n\r\n",
             "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nhello", "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\nhello", "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\nhello", "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\nhello", "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length: 5,6\r\n\r\nhello", "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length: 1_0\r\n\r\nhello", "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\nhello", "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length: 5\0\r\n\r\nhello", "400"),
        CASE("H-16", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 31\r\n\r\nhello",
             "400"),
        CASE("H-17", "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nhello", "400"),
        CASE("H-17", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
             "400"),
        CASE("H-18", "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n" TE "\r\n0\r\n\r\n", "400"),
        CASE("H-18", "POST / HTTP/1.1\r\n" H TE "Content-Length: 5\r\n\r\n0\r\n\r\n", "400"),
    };
    CHECK_CASES(cases);
}

static void test_transfer_encoding(void **state) {
    (void)state;
    static const struct case_ cases[] = {
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
             "501"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
             "400"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", "501"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", "501"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
             "400"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H TE TE "\r\n0\r\n\r\n", "400"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n" TE "\r\n0\r\n\r\n",
             "400"),
        CASE("H-20",
             "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n0\r\n\r\n",
             "400"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", "400"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", "400"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", "400"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
             "400"),
        CASE("H-20", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
             "400"),
        CASE("H-21", "POST / HTTP/1.0\r\n" TE "\r\n0\r\n\r\n", "400"),
        CASE("case", "POST / HTTP/1.1\r\n" H "transfer-encoding:\tCHUNKED \r\n\r\n0\r\n\r\n",
             "POST / 1.1 keep host=[h] transfer-encoding=[CHUNKED]"),
    };
    CHECK_CASES(cases);
}

static void test_chunks(void **state) {
    (void)state;
    static const struct case_ cases[] = {
        CASE("H-19", CHUNKED "1d\r\ngrant_type=client_credentials\r\n0\r\n\r\n",
             CHUNKED_HEAD " body=[grant_type=client_credentials]"),
        CASE("H-19", CHUNKED "1D\r\ngrant_type=client_credentials\r\n0\r\n\r\n",
             CHUNKED_HEAD " body=[grant_type=client_credentials]"),
        CASE("H-19", CHUNKED "1;a=b;c=\"d\"\r\na\r\n02\r\nbc\r\n3\r\ndef\r\n000;x\r\n\r\n",
             CHUNKED_HEAD " body=[abcdef]"),
        CASE("H-19", CHUNKED "5\r\nhello\r\n0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n",
             CHUNKED_HEAD " body=[hello]"),
        CASE("H-23", CHUNKED "5\r\nhello\r\n0\r\nAuthorization: Basic x\r\nHost: other\r\n\r\n",
             CHUNKED_HEAD " body=[hello]"),
        CASE("empty", CHUNKED "0\r\n\r\n", CHUNKED_HEAD),
        CASE("cut", CHUNKED "5\r\nhello\r\n0\r\n", "more"),
        CASE("H-14", CHUNKED "4001\r\n", "413"),
        CASE("H-22", CHUNKED "ffffffffffffffff\r\n", "413"),
        CASE("H-22", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "-1\r\nhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5_\r\nhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "11111111111111111\r\n", "400"),
        CASE("H-22", CHUNKED "5\r\r;a\r\nhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5\nhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5\rXhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5\r\nhelloX0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5\r\nhello\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5;\r\nX\r\nhello\r\n0\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5\r\nhello\r\n0\r\nA : 1\r\n\r\n", "400"),
        CASE("H-22", CHUNKED "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", "400"),
    };
    CHECK_CASES(cases);
}

/* ---- limits ---- */

static char *repeat(char *at, char c, size_t count) {
    memset(at, c, count);
    return at + count;
}

static char *put(char *at, const char *text) {
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

/* head, count times c, tail. */
static void check_long(const char *id, const char *head, char c, size_t count, const char *tail,
                       const char *outcome) {
    char *text = malloc(strlen(head) + count + strlen(tail));
    assert_non_null(text);
    char *end = put(repeat(put(text, head), c, count), tail);
    const struct case_ long_case = {id, slice_of(text, (size_t)(end - text)), outcome};
    if (outcome != NULL) {
        check_case(&long_case);
    } else { /* a request, whatever it is */
        struct parser *p = parser_new();
        struct run run = {.first = long_case.text.size, .each = 1};
        parse(p, long_case.text, &run);
        assert_int_equal(run.used, long_case.text.size);
        run.first = 1;
        parse(p, long_case.text, &run);
        assert_int_equal(run.used, long_case.text.size);
        parser_free(p);
    }
    free(text);
}

static void test_size_limits(void **state) {
    (void)state;
    const char *behind = " HTTP/1.1\r\n" H "\r\n";
    check_long("H-12", "GET /", 'a', 7969, behind, NULL);
    check_long("H-12", "GET /", 'a', HTTP_MAX_TARGET - 1, behind, NULL);
    check_long("H-12", "GET /", 'a', HTTP_MAX_TARGET, behind, "414");
    check_long("H-12", "GET /", 'a', 70000, behind, "414");
    check_long("H-12", "GET /", 'a', 70000, "", "414");

    const char *field = "GET / HTTP/1.1\r\n" H "X: ";
    size_t rest = strlen(field) + 4;
    check_long("H-13", field, 'a', HTTP_MAX_HEAD - rest, "\r\n\r\n", "GET / 1.1 keep host=[h]");
    check_long("H-13", field, 'a', HTTP_MAX_HEAD - rest + 1, "\r\n\r\n", "431");
    check_long("H-13", field, 'a', 40u * 1024u, "\r\n\r\n", "431");
    check_long("H-13", "GET / HTTP/1.1\r\n" H, 'a', 70000, "", "431");
    check_long("H-33", "", '\0', 70000, "", "400");

    check_long("H-14", CHUNKED "4000\r\n", 'a', HTTP_MAX_BODY, "\r\n0\r\n\r\n", NULL);
    check_long("H-14", CHUNKED "4000\r\n", 'a', HTTP_MAX_BODY, "\r\n1\r\na\r\n0\r\n\r\n", "413");
    check_long("H-14", "POST / HTTP/1.1\r\n" H "Content-Length: 16384\r\n\r\n", 'a', HTTP_MAX_BODY,
               "", NULL);
    check_long("H-22", CHUNKED "5;", 'a', 60000, "\r\nhello\r\n0\r\n\r\n", "413");
    check_long("H-22", CHUNKED "5;", 'a', 15000, "\r\nhello\r\n0\r\n\r\n",
               CHUNKED_HEAD " body=[hello]");
    check_long("trailer", CHUNKED "0\r\nX: ", 'a', 17000, "\r\n\r\n", "431");
    check_long("trailer", CHUNKED "0\r\nX: ", 'a', 15000, "\r\n\r\n", CHUNKED_HEAD);
}

static void check_lines(const char *id, const char *head, const char *line, unsigned count,
                        const char *tail, const char *outcome) {
    char *text = malloc(strlen(head) + count * strlen(line) + strlen(tail));
    assert_non_null(text);
    char *end = put(text, head);
    for (unsigned i = 0; i < count; i++) {
        end = put(end, line);
    }
    end = put(end, tail);
    struct slice all = slice_of(text, (size_t)(end - text));
    struct parser *p = parser_new();
    for (size_t first = 1; first <= all.size; first += all.size - 1) {
        struct run run = {.first = first, .each = 1};
        parse(p, all, &run);
        if (outcome == NULL) {
            assert_int_equal(run.used, all.size);
        } else if (strcmp(run.outcome, outcome) != 0) {
            fail_msg("%s: %s, expected %s", id, run.outcome, outcome);
        }
    }
    parser_free(p);
    free(text);
}

static void test_count_limits(void **state) {
    (void)state;
    const char *head = "GET / HTTP/1.1\r\n" H;
    check_lines("H-13", head, "X: a\r\n", HTTP_MAX_FIELDS - 1, "\r\n", NULL);
    check_lines("H-13", head, "X: a\r\n", HTTP_MAX_FIELDS, "\r\n", "431");
    check_lines("known", head, "Authorization: a\r\n", HTTP_MAX_KNOWN_FIELDS - 1, "\r\n", NULL);
    check_lines("known", head, "Authorization: a\r\n", HTTP_MAX_KNOWN_FIELDS, "\r\n", "431");
    check_lines("trailers", CHUNKED "0\r\n", "X: a\r\n", HTTP_MAX_FIELDS - 2, "\r\n", NULL);
    check_lines("trailers", CHUNKED "0\r\n", "X: a\r\n", HTTP_MAX_FIELDS - 1, "\r\n", "431");
    /* A byte a chunk: five bytes of framing for one of content. */
    check_lines("chunks", CHUNKED, "1\r\na\r\n", 2000, "0\r\n\r\n", NULL);
    check_lines("chunks", CHUNKED, "1\r\na\r\n", 4000, "0\r\n\r\n", "413");
}

/* ---- what only the caller sees ---- */

static void test_continue(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool waits;
    } cases[] = {
        {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", true},
        {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n" TE "\r\n", true},
        {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nh", false},
        {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n" TE "\r\n5", false},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", false},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", false},
    };
    struct parser *p = parser_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct run run = {.first = strlen(cases[i].text)};
        parse(p, slice_of_string(cases[i].text), &run);
        assert_string_equal(run.outcome, "more");
        assert_int_equal(run.continue_, cases[i].waits);
    }
    parser_free(p);
}

/* The head is shown before the body is looked at: also of one that is far too long. */
static void test_head_comes_before_the_body(void **state) {
    (void)state;
    static const char *const texts[] = {
        "GET /verify HTTP/1.0\r\nContent-Length: 11\r\n\r\n",
        "GET /verify HTTP/1.1\r\n" H "Content-Length: 99999999\r\n\r\n",
        "GET /verify HTTP/1.1\r\n" H TE "\r\nnonsense",
    };
    struct parser *p = parser_new();
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char data[256];
        struct http_request request;
        memcpy(data, texts[i], strlen(texts[i]));
        parser_start(p);
        assert_false(parser_has_begun(p));
        assert_int_equal(parser_run(p, data, strlen(texts[i])), PARSER_HEAD);
        assert_true(parser_has_begun(p));
        parser_describe(p, data, &request);
        assert_true(request.announces_body);
        assert_int_equal(request.body_too_large, i == 1);
        assert_slice(request.path, S("/verify"));
        assert_int_equal(request.body.size, 0);
    }
    parser_free(p);
}

static void test_empty_lines_are_no_beginning(void **state) {
    (void)state;
    char data[] = "\r\n\r\nG";
    struct parser *p = parser_new();
    assert_int_equal(parser_run(p, data, 4), PARSER_MORE);
    assert_false(parser_has_begun(p));
    assert_int_equal(parser_run(p, data, 5), PARSER_MORE);
    assert_true(parser_has_begun(p));
    parser_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_request_lines),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_control_bytes_in_values),
        cmocka_unit_test(test_content_length),
        cmocka_unit_test(test_transfer_encoding),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_size_limits),
        cmocka_unit_test(test_count_limits),
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_head_comes_before_the_body),
        cmocka_unit_test(test_empty_lines_are_no_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
