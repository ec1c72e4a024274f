/* block.h: memory for the bytes of requests and answers, lent out and taken back.
 *
 *     data .. data + size             in use
 *     data + size .. data + capacity  room
 *
 * A request that arrives in pieces lies in a block, and so do answers that are still to be sent.
 * An idle connection has no block. The pool wipes a block when it comes back. It keeps blocks of
 * the common size, as many as the last busy moment needed, and frees them bit by bit afterwards.
 * Blocks of other sizes, and those beyond BLOCKS_KEPT, go back to the heap at once. */
#ifndef MINTD_BLOCK_H
#define MINTD_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#define BLOCK_CAPACITY 4096u /* bytes of a block that the pool keeps */
#define BLOCKS_KEPT 1024u    /* blocks, at most */
#define BLOCKS_IDLE 64u      /* so many of them stay when it is quiet */

struct block {
    struct block *next; /* the next one, while the pool keeps it */
    size_t capacity;
    size_t size;
    char data[];
};

struct block_pool {
    struct block *kept;
    unsigned count;
};

/* An empty block with room for at least `capacity` bytes; NULL without memory. The caller owns
 * it. */
struct block *block_take(struct block_pool *pool, size_t capacity);
/* Gives the block back to the pool; its bytes are wiped. NULL is fine. */
void block_give(struct block_pool *pool, struct block *block);
/* Makes room for `more` bytes behind those in use; where *block is NULL it takes a block. The
 * block may move. False: no memory, and nothing has changed. */
bool block_reserve(struct block_pool *pool, struct block **block, size_t more);
/* Keeps `size` bytes from `offset` on and moves them to the front. The rest is wiped. */
void block_keep(struct block *block, size_t offset, size_t size);
/* Frees an eighth of the blocks that are kept beyond BLOCKS_IDLE. */
void block_pool_shrink(struct block_pool *pool);
/* Frees all blocks that are kept. */
void block_pool_fini(struct block_pool *pool);

#endif
