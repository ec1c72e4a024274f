/* hiredis' reader does the syntax; the nodes it makes are ours. */
#include "store/link/reply.h"

#include <hiredis/read.h>
#include <stdlib.h>

/* The reader moves what is left of its buffer down for each KiB parsed: in small pieces that costs
 * next to nothing. */
#define PIECE 4096u

struct reply_reader {
    redisReader *parser;
    struct slice input; /* not given to the parser yet */
    const char *error;
    struct reply *nodes;
    uint32_t node_count, nodes_max;
    char *text;
    size_t text_size, text_max;
    bool too_big;
    struct reply spare; /* stands in for a node that has no room */
};

static enum reply_type type_of(int type) {
    switch (type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_VERB:
        return REPLY_TEXT;
    case REDIS_REPLY_STATUS:
        return REPLY_STATUS;
    case REDIS_REPLY_ERROR:
        return REPLY_ERROR;
    case REDIS_REPLY_ARRAY:
    case REDIS_REPLY_SET:
        return REPLY_ARRAY;
    case REDIS_REPLY_MAP:
        return REPLY_MAP;
    case REDIS_REPLY_PUSH:
        return REPLY_PUSH;
    default:
        return REPLY_OTHER;
    }
}

static struct reply *node_add(const redisReadTask *task, enum reply_type type) {
    struct reply_reader *reader = task->privdata;
    if (task->parent == NULL) {
        reader->node_count = 0;
        reader->text_size = 0;
        reader->too_big = false;
    }
    if (reader->node_count == reader->nodes_max) {
        reader->too_big = true;
        return &reader->spare;
    }
    for (const redisReadTask *above = task->parent; above != NULL; above = above->parent) {
        ((struct reply *)above->obj)->below++;
    }
    struct reply *node = &reader->nodes[reader->node_count++];
    *node = (struct reply){.type = type};
    return node;
}

static void *on_text(const redisReadTask *task, char *data, size_t size) {
    struct reply_reader *reader = task->privdata;
    struct reply *node = node_add(task, type_of(task->type));
    if (task->type == REDIS_REPLY_VERB) { /* "txt:" stands in front */
        data += 4;
        size -= 4;
    }
    if (size > reader->text_max - reader->text_size) {
        reader->too_big = true;
        return node;
    }
    char *copy = reader->text + reader->text_size;
    memcpy(copy, data, size);
    reader->text_size += size;
    node->text = slice_of(copy, size);
    return node;
}

static void *on_array(const redisReadTask *task, size_t elements) {
    unsigned depth = 0;
    for (const redisReadTask *above = task->parent; above != NULL; above = above->parent) {
        depth++;
    }
    if (depth == REPLY_DEPTH_MAX) {
        ((struct reply_reader *)task->privdata)->error = "a reply nests too deep";
        return NULL;
    }
    struct reply *node = node_add(task, type_of(task->type));
    node->elements = (uint32_t)elements;
    return node;
}

static void *on_integer(const redisReadTask *task, long long number) {
    struct reply *node = node_add(task, REPLY_INTEGER);
    node->number = number;
    return node;
}

static void *on_double(const redisReadTask *task, double number, char *text, size_t size) {
    (void)number;
    (void)text;
    (void)size;
    return node_add(task, REPLY_OTHER);
}

static void *on_nil(const redisReadTask *task) {
    return node_add(task, REPLY_NIL);
}

static void *on_boolean(const redisReadTask *task, int value) {
    (void)value;
    return node_add(task, REPLY_OTHER);
}

static const redisReplyObjectFunctions functions = {
    .createString = on_text,
    .createArray = on_array,
    .createInteger = on_integer,
    .createDouble = on_double,
    .createNil = on_nil,
    .createBool = on_boolean,
};

struct reply_reader *reply_reader_new(uint32_t nodes_max, size_t text_max) {
    struct reply_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return NULL;
    }
    reader->nodes_max = nodes_max;
    reader->text_max = text_max;
    reader->nodes = calloc(nodes_max, sizeof *reader->nodes);
    reader->text = malloc(text_max);
    if (reader->nodes == NULL || reader->text == NULL) {
        reply_reader_free(reader);
        return NULL;
    }
    return reader;
}

void reply_reader_free(struct reply_reader *reader) {
    if (reader == NULL) {
        return;
    }
    redisReaderFree(reader->parser);
    free(reader->nodes);
    free(reader->text);
    free(reader);
}

bool reply_reader_reset(struct reply_reader *reader) {
    redisReaderFree(reader->parser);
    reader->input = SLICE_ABSENT;
    reader->error = NULL;
    /* hiredis never writes to the table. */
    reader->parser = redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&functions);
    if (reader->parser == NULL) {
        return false;
    }
    reader->parser->privdata = reader;
    reader->parser->maxelements = REPLY_ELEMENTS_MAX;
    return true;
}

void reply_reader_feed(struct reply_reader *reader, struct slice input) {
    reader->input = input;
}

/* False: there is nothing left to give, or it was refused. */
static bool feed_piece(struct reply_reader *reader) {
    if (reader->input.size == 0) {
        return false;
    }
    if (reader->parser->len - reader->parser->pos > REPLY_BUFFERED_MAX) {
        reader->error = "a text of a reply is too long";
        return false;
    }
    size_t size = reader->input.size < PIECE ? reader->input.size : PIECE;
    if (redisReaderFeed(reader->parser, reader->input.data, size) != REDIS_OK) {
        reader->error = "out of memory";
        return false;
    }
    reader->input = slice_skip(reader->input, size);
    return true;
}

enum reply_progress reply_reader_next(struct reply_reader *reader, const struct reply **reply) {
    do {
        void *root = NULL;
        if (reader->error == NULL && redisReaderGetReply(reader->parser, &root) != REDIS_OK) {
            reader->error = reader->error != NULL ? reader->error : reader->parser->errstr;
        }
        if (reader->error != NULL) {
            return REPLY_BROKEN;
        }
        if (root != NULL) {
            *reply = root;
            return reader->too_big ? REPLY_TOO_BIG : REPLY_READY;
        }
    } while (feed_piece(reader));
    return reader->error != NULL ? REPLY_BROKEN : REPLY_NEED_MORE;
}

const char *reply_reader_error(const struct reply_reader *reader) {
    return reader->error;
}

struct slice reply_find_text(const struct reply *map, struct slice name) {
    const struct reply *item = reply_first(map);
    for (uint32_t i = 0; i + 1 < map->elements; i += 2) {
        const struct reply *value = reply_next(item);
        if (slice_equal(item->text, name)) {
            return value->text;
        }
        item = reply_next(value);
    }
    return SLICE_ABSENT;
}
