/* http.c: a request parsed, an answer encoded. */
#include "http/durations.h"
#include "http/parser.h"
#include "http/response.h"
#include "micro.h"

#define SECRET_BODY                                                                                \
    "{\"message\":\"Welcome to the secret area!\",\"client\":{\"id\":\"svc-a\"},"                  \
    "\"scope\":\"read write\",\"expires_in\":2999}"

static struct parser *parser;
static char request[1024];
static size_t request_size;

static void prepare(struct slice text) {
    if (parser == NULL) {
        parser = parser_new();
        MICRO_REQUIRE(parser != NULL);
    }
    MICRO_REQUIRE(text.size <= sizeof request);
    memcpy(request, text.data, text.size);
    request_size = text.size;
}

static void prepare_get(void) {
    prepare(S("GET /secret HTTP/1.1\r\nHost: mintd.example:4001\r\nUser-Agent: curl/7.88.1\r\n"
              "Accept: */*\r\nAuthorization: " MICRO_BEARER "\r\n\r\n"));
}

static void prepare_post(void) {
    prepare(S("POST /auth HTTP/1.1\r\nHost: mintd.example:4001\r\nUser-Agent: curl/7.88.1\r\n"
              "Accept: */*\r\nAuthorization: " MICRO_BASIC "\r\n"
              "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\n"
              "grant_type=client_credentials"));
}

static void parse(struct http_request *parsed) {
    enum parser_step step;
    parser_start(parser);
    do {
        step = parser_run(parser, request, request_size);
        parser_describe(parser, request, parsed);
    } while (step == PARSER_HEAD);
    MICRO_REQUIRE(step == PARSER_DONE && parser_taken(parser) == request_size);
    MICRO_REQUIRE(!slice_is_absent(http_field_value(parsed, HTTP_FIELD_AUTHORIZATION)));
}

static void parse_get(unsigned i) {
    (void)i;
    struct http_request parsed;
    parse(&parsed);
    MICRO_REQUIRE(parsed.method == HTTP_METHOD_GET && parsed.path.size == 7);
}

static void parse_post(unsigned i) {
    (void)i;
    struct http_request parsed;
    parse(&parsed);
    MICRO_REQUIRE(parsed.method == HTTP_METHOD_POST && parsed.body.size == 29);
}

static void encode(unsigned i) {
    (void)i;
    static const struct http_header headers[] = {
        {SLICE("Content-Type"), SLICE("application/json")},
        {SLICE("Cache-Control"), SLICE("no-store")},
    };
    static const struct http_response response = {
        .status = 200, .headers = headers, .header_count = 2, .body = SLICE(SECRET_BODY)};
    static const struct response_frame frame = {
        .connection = RESPONSE_KEEPS,
        .date = SLICE("Sun, 06 Nov 1994 08:49:37 GMT"),
        .request_id = SLICE("0123456789abcdef-0000001a"),
    };
    static char storage[1024];
    struct buffer out = buffer_of(storage, sizeof storage);
    MICRO_REQUIRE(response_size_bound(&response, &frame) <= sizeof storage);
    response_encode(&response, &frame, &out);
    MICRO_REQUIRE(!out.overflow && out.size > sizeof SECRET_BODY);
}

/* What its duration costs a request, with its part of a look at the clock. By a start that is long
 * ago it falls behind all bounds, which costs most. */
static void time_request(unsigned i) {
    (void)i;
    static struct durations durations;
    static struct histogram histogram;
    MICRO_REQUIRE(durations_now(&durations) != 0);
    durations_note(&durations, 0, &histogram);
    MICRO_REQUIRE(durations.noted < DURATIONS_NOTED);
}

const struct micro_scenario micro_http[] = {
    {"http_parse_get_secret", 1000, prepare_get, parse_get},
    {"http_parse_post_auth", 1000, prepare_post, parse_post},
    {"http_encode_response", 1000, NULL, encode},
    {"http_time_request", 1600, NULL, time_request},
    {.name = NULL},
};
