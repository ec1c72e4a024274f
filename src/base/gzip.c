#include "mintd/gzip.h"
#include <stdlib.h>
#define ZLIB_CONST /* input is not written to */
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* 32 KiB, and a head and an end as gzip has them */
#define MEMORY_LEVEL 8        /* zlib's default */

/* Through our own calls, which tests make fail. */
static void *allocate(void *context, unsigned count, unsigned size) {
    (void)context;
    return calloc(count, size);
}

static void release(void *context, void *memory) {
    (void)context;
    free(memory);
}

bool gzip_pack(struct slice plain, struct buffer *packed) {
    z_stream stream = {.zalloc = allocate, .zfree = release};
    if (plain.size > UINT32_MAX || packed->capacity - packed->size > UINT32_MAX ||
        deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return false;
    }
    stream.next_in = (const Bytef *)plain.data;
    stream.avail_in = (uInt)plain.size;
    stream.next_out = (Bytef *)packed->data + packed->size;
    stream.avail_out = (uInt)(packed->capacity - packed->size);
    bool is_whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    if (is_whole) {
        packed->size += stream.total_out;
    }
    deflateEnd(&stream);
    return is_whole;
}
