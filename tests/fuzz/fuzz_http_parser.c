/* Any bytes, as the requests of one connection: parsed whole, in pieces and byte by byte. However
 * they are cut, the outcome must be the same, and nobody reads outside of what has arrived.
 *
 * The first byte of the input is the size of the pieces. Of the others RUN stands for many of the
 * byte behind it, so that what is over a limit is short here. */
#include "http/parser.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUESTS_MAX 16u
#define RUN 0xfeu
#define RUN_SIZE 700u
#define TEXT_MAX (64u * 1024u)
#define LONG 4096u /* more is not cut at each byte, which would take long, */
#define CUT 61u    /* but into these */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require(bool truth, const char *what) {
    if (!truth) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* What must not depend on the cuts. */
struct outcome {
    enum parser_step step;
    size_t used;
    size_t body_size;
    uint32_t hash; /* of all that the request says */
};

static void mix(uint32_t *hash, const void *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        *hash = (*hash ^ ((const uint8_t *)data)[i]) * 16777619u;
    }
}

static void mix_slice(uint32_t *hash, struct slice s) {
    mix(hash, &s.size, sizeof s.size);
    mix(hash, s.data, s.size);
}

static uint32_t hash_request(const struct parser *p, const char *data, size_t *body_size) {
    struct http_request request;
    uint32_t hash = 2166136261u;
    parser_describe(p, data, &request);
    mix(&hash, &request.method, sizeof request.method);
    mix_slice(&hash, request.path);
    mix_slice(&hash, request.query);
    mix_slice(&hash, request.body);
    for (unsigned i = 0; i < request.field_count; i++) {
        mix(&hash, &request.fields[i].id, sizeof request.fields[i].id);
        mix_slice(&hash, request.fields[i].value);
    }
    bool flags[] = {parser_keeps_alive(p), parser_is_http_1_0(p), request.announces_body};
    mix(&hash, flags, sizeof flags);
    *body_size = request.body.size;
    require(request.body.size <= HTTP_MAX_BODY, "the body is over its limit");
    require(request.field_count <= HTTP_MAX_KNOWN_FIELDS, "too many fields");
    require(request.path.size + request.query.size <= HTTP_MAX_TARGET, "the target is too long");
    return hash;
}

/* Elsewhere, and exactly as large as it has to be. */
static char *move_to(char *old, size_t kept, size_t size) {
    char *moved = malloc(size);
    require(moved != NULL, "out of memory");
    if (kept != 0) {
        memcpy(moved, old, kept);
    }
    free(old);
    return moved;
}

static struct outcome parse(struct parser *p, struct slice text, size_t piece) {
    struct outcome outcome = {.step = PARSER_MORE};
    char *data = NULL;
    size_t size = 0, read = 0;
    parser_start(p);
    while (outcome.step == PARSER_MORE && read < text.size) {
        size_t count = text.size - read < piece ? text.size - read : piece;
        data = move_to(data, size, size + count);
        memcpy(data + size, text.data + read, count);
        size += count;
        read += count;
        do {
            outcome.step = parser_run(p, data, size);
            require(outcome.step != PARSER_HEAD || parser_has_begun(p),
                    "a head before its request");
            require(parser_has_begun(p) || !parser_awaits_continue(p), "nothing waits for a body");
        } while (outcome.step == PARSER_HEAD);
        if (outcome.step == PARSER_MORE) {
            require(parser_taken(p) <= size, "more was kept than has come");
            require(parser_taken(p) <= HTTP_MAX_HEAD + HTTP_MAX_BODY, "too much was kept");
            size = parser_taken(p);
        }
    }
    if (outcome.step == PARSER_DONE) {
        outcome.used = read - (size - parser_taken(p));
        outcome.hash = hash_request(p, data, &outcome.body_size);
    }
    if (outcome.step == PARSER_REFUSED) {
        struct http_request request;
        require(parser_refusal(p).status >= 400, "refused without a status");
        parser_describe(p, data, &request); /* the answer to it wants to know the method and id */
    }
    free(data);
    return outcome;
}

static struct slice expand(struct slice input, char text[TEXT_MAX]) {
    size_t size = 0;
    for (size_t i = 0; i < input.size; i++) {
        bool is_run = (unsigned char)input.data[i] == RUN && i + 1 < input.size;
        size_t count = is_run ? RUN_SIZE : 1;
        i += is_run;
        if (size + count > TEXT_MAX) {
            break;
        }
        memset(text + size, input.data[i], count);
        size += count;
    }
    return slice_of(text, size);
}

static bool same(struct outcome a, struct outcome b) {
    return a.step == b.step && a.used == b.used && a.body_size == b.body_size && a.hash == b.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
    if (size < 2) {
        return 0;
    }
    size_t piece = (size_t)input[0] + 1;
    static char text[TEXT_MAX];
    struct slice rest = expand(slice_of((const char *)input + 1, size - 1), text);
    struct parser *p = parser_new();
    require(p != NULL, "out of memory");
    struct outcome outcome = {.step = PARSER_DONE};
    for (unsigned i = 0; i < REQUESTS_MAX && outcome.step == PARSER_DONE && rest.size != 0; i++) {
        outcome = parse(p, rest, rest.size);
        require(same(outcome, parse(p, rest, piece)), "in pieces it is something else");
        require(same(outcome, parse(p, rest, rest.size > LONG ? CUT : 1)),
                "byte by byte it is something else");
        require(outcome.step != PARSER_DONE || outcome.used != 0, "a request of no bytes");
        rest = slice_skip(rest, outcome.used);
    }
    parser_free(p);
    return 0;
}
