/* block.h: memory for the bytes of requests and answers, lent out and taken back.
 *
 *      data .. data + size             in use
 *      data + size .. data + capacity  room
 *
 * A request that is cut in two and answers on their way out lie in blocks; an idle connection has
 * none. What a block held is wiped when it comes back. A few blocks of the common size are kept;
 * all others go back to the heap. */
#ifndef MINTD_HTTP_BLOCK_H
#define MINTD_HTTP_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define BLOCK_CAPACITY 4096u /* of those that are kept */
#define BLOCKS_KEPT 64u

struct block {
    struct block *next; /* while it is kept */
    size_t capacity;
    size_t size;
    uv_write_t request; /* for the write that sends the block */
    char data[];
};

struct block_pool {
    struct block *kept;
    unsigned count;
};

/* Empty, with room for at least `capacity` bytes; NULL without memory. */
struct block *block_take(struct block_pool *pool, size_t capacity);
/* NULL is fine. */
void block_give(struct block_pool *pool, struct block *block);
/* Makes room for `more` bytes behind those in use, taking a block where *block is NULL. The block
 * may move. On false, without memory, nothing has changed. */
bool block_reserve(struct block_pool *pool, struct block **block, size_t more);
/* Keeps `size` bytes from `offset` on, moved to the front; the rest is wiped. */
void block_keep(struct block *block, size_t offset, size_t size);
/* Frees those that are kept. */
void block_pool_fini(struct block_pool *pool);

#endif
