#include "mintd/block.h"
#include <stdlib.h>
#include <string.h>

struct block *block_take(struct block_pool *pool, size_t capacity) {
    struct block *block = pool->kept;
    if (capacity <= BLOCK_CAPACITY && block != NULL) {
        pool->kept = block->next;
        pool->count--;
        return block;
    }
    size_t rounded = BLOCK_CAPACITY;
    while (rounded < capacity) {
        rounded *= 2;
    }
    block = malloc(sizeof *block + rounded);
    if (block == NULL) {
        return NULL;
    }
    block->next = NULL;
    block->capacity = rounded;
    block->size = 0;
    return block;
}

void block_give(struct block_pool *pool, struct block *block) {
    if (block == NULL) {
        return;
    }
    explicit_bzero(block->data, block->size);
    if (block->capacity != BLOCK_CAPACITY || pool->count == BLOCKS_KEPT) {
        free(block);
        return;
    }
    block->size = 0;
    block->next = pool->kept;
    pool->kept = block;
    pool->count++;
}

bool block_reserve(struct block_pool *pool, struct block **block, size_t more) {
    struct block *old = *block;
    if (old != NULL && old->capacity - old->size >= more) {
        return true;
    }
    struct block *grown = block_take(pool, more + (old == NULL ? 0 : old->size));
    if (grown == NULL) {
        return false;
    }
    if (old != NULL) {
        memcpy(grown->data, old->data, old->size);
        grown->size = old->size;
        block_give(pool, old);
    }
    *block = grown;
    return true;
}

void block_keep(struct block *block, size_t offset, size_t size) {
    memmove(block->data, block->data + offset, size);
    explicit_bzero(block->data + size, block->size - size);
    block->size = size;
}

void block_pool_shrink(struct block_pool *pool) {
    unsigned target = pool->count <= BLOCKS_IDLE
                          ? pool->count
                          : pool->count - (pool->count - BLOCKS_IDLE + 7) / 8;
    while (pool->count > target) {
        free(block_take(pool, BLOCK_CAPACITY));
    }
}

void block_pool_fini(struct block_pool *pool) {
    while (pool->kept != NULL) {
        struct block *block = pool->kept;
        pool->kept = block->next;
        free(block);
    }
    pool->count = 0;
}
