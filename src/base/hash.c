/* Multiply and fold, 16 bytes a step: each step multiplies two words, each mixed with a word that
 * depends on the seed, to 128 bits and adds both halves. */
#include "mintd/hash.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t fold(uint64_t a, uint64_t b) {
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t read_word(const char *bytes, size_t size) {
    uint64_t word = 0;
    memcpy(&word, bytes, size < 8 ? size : 8);
    return word;
}

uint64_t hash_bytes(struct slice bytes, const struct hash_seed *seed) {
    uint64_t state = seed->words[0] ^ 0x9e3779b97f4a7c15u;
    const char *at = bytes.data;
    size_t left = bytes.size;
    while (left > 16) {
        state = fold(read_word(at, 8) ^ seed->words[1], read_word(at + 8, 8) ^ state);
        at += 16;
        left -= 16;
    }
    uint64_t first = left == 0 ? 0 : read_word(at, left);
    uint64_t second = left <= 8 ? 0 : read_word(at + 8, left - 8);
    state = fold(first ^ seed->words[1], second ^ state);
    return fold(state ^ bytes.size, seed->words[1] ^ 0xd6e8feb86659fd93u);
}
