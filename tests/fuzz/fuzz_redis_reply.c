/* Whatever a server sends: parsed in pieces of any size, and read as the answer to each verb.
 *
 * Input: a byte that says how large the pieces are, then what the server sends. */
#include "fuzz/fuzz.h"
#include "store/link/error.h"
#include "store/link/reply.h"
#include "store/redis/answer.h"

#define NODES_MAX 160u /* small, so that too big is reached soon */
#define TEXT_MAX 2048u

static volatile char sink;

/* Reads all of it, for the sanitizer to see. */
static void touch(struct slice s) {
    for (size_t i = 0; i < s.size; i++) {
        sink = s.data[i];
    }
}

/* Every node has to be inside the reply, and all of them have to be reached by walking. */
static const struct reply *walk(const struct reply *reply, const struct reply *end) {
    FUZZ_REQUIRE(reply < end && reply->below <= (size_t)(end - reply - 1));
    touch(reply->text);
    const struct reply *behind = reply + 1 + reply->below;
    const struct reply *at = reply + 1;
    for (uint32_t i = 0; i < reply->elements; i++) {
        at = walk(at, behind);
    }
    FUZZ_REQUIRE(at == behind);
    return behind;
}

/* What a map says of a name is a part of it. */
static void find_texts(const struct reply *reply) {
    static const struct slice names[] = {SLICE("ip"), SLICE("hostname"), SLICE("")};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && reply->elements > 1; i++) {
        touch(reply_find_text(reply, names[i]));
    }
}

static void answer_as_all(const struct reply *reply) {
    for (enum redis_verb verb = REDIS_GET; verb < REDIS_CALL; verb++) {
        struct redis_fields fields;
        struct store_operation operation = {.number = 0};
        bool possible = redis_answer(verb, reply, &fields, &operation);
        FUZZ_REQUIRE(possible || operation.answer == STORE_UNKNOWN);
        FUZZ_REQUIRE((operation.answer == STORE_UNKNOWN) ==
                     (operation.trouble != STORE_TROUBLE_NONE));
        const char *words = redis_error_no_master(operation.trouble);
        FUZZ_REQUIRE(words == NULL || words[0] != '\0');
        for (size_t i = 0; i < operation.field_count; i++) {
            touch(operation.fields[i].name);
            touch(operation.fields[i].value);
        }
        touch(operation.value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct reply_reader *reader;
    if (reader == NULL) {
        reader = reply_reader_new(NODES_MAX, TEXT_MAX);
    }
    if (size == 0 || reader == NULL || !reply_reader_reset(reader)) {
        return 0;
    }
    size_t piece = (size_t)data[0] + 1;
    for (size_t at = 1; at < size; at += piece) {
        const struct reply *reply = NULL;
        enum reply_progress progress;
        size_t rest = size - at;
        reply_reader_feed(reader, slice_of((const char *)data + at, piece < rest ? piece : rest));
        while ((progress = reply_reader_next(reader, &reply)) < REPLY_NEED_MORE) {
            if (progress == REPLY_READY) {
                walk(reply, reply + 1 + reply->below);
                find_texts(reply);
                answer_as_all(reply);
            } else {
                touch(reply->text);
            }
        }
        if (progress == REPLY_BROKEN) {
            FUZZ_REQUIRE(reply_reader_error(reader) != NULL);
            reply_reader_free(reader); /* as a connection that ends does */
            reader = NULL;
            reply_reader_free(reader);
            return 0;
        }
    }
    return 0;
}
