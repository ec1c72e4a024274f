/* block.h: memory for the bytes of requests and answers, lent out and taken back.
 *
 *      data .. data + size             in use
 *      data + size .. data + capacity  room
 *
 * A request that is cut in two and answers on their way out lie in blocks; an idle connection has
 * none. What a block held is wiped when it comes back. Blocks of the common size are kept: as many
 * as a busy moment needed, and bit by bit fewer afterwards; all others go back to the heap. */
#ifndef MINTD_BLOCK_H
#define MINTD_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#define BLOCK_CAPACITY 4096u /* of those that are kept */
#define BLOCKS_KEPT 1024u    /* at most */
#define BLOCKS_IDLE 64u      /* of these stay when it is quiet */

struct block {
    struct block *next; /* while it is kept */
    size_t capacity;
    size_t size;
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
/* Frees an eighth of those that are kept beyond BLOCKS_IDLE. */
void block_pool_shrink(struct block_pool *pool);
/* Frees those that are kept. */
void block_pool_fini(struct block_pool *pool);

#endif
