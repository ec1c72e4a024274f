/* Each piece that is read is hashed behind the digest so far: no file is held as a whole. */
#include "mintd/file_digest.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_SIZE 4096u
#define PIECES_MAX 256u

struct chain {
    struct crypto *crypto;
    uint8_t *digest;
    char bytes[CRYPTO_DIGEST_SIZE + PIECE_SIZE]; /* the digest so far, and a piece */
};

/* The piece is in `bytes` already. */
static bool add_piece(struct chain *chain, size_t size) {
    memcpy(chain->bytes, chain->digest, CRYPTO_DIGEST_SIZE);
    return crypto_sha256(chain->crypto, slice_of(chain->bytes, CRYPTO_DIGEST_SIZE + size),
                         chain->digest);
}

/* Behind each file, so that no two lists of files are taken for each other. */
static bool add_end(struct chain *chain, bool was_readable) {
    chain->bytes[CRYPTO_DIGEST_SIZE] = was_readable ? 'e' : 'u';
    return add_piece(chain, 1);
}

/* -1 where there is none, or a pipe in its place: what it holds can be read only once. */
static int open_file(struct slice name) {
    char path[PATH_MAX];
    if (name.size >= sizeof path) {
        return -1;
    }
    memcpy(path, name.data, name.size);
    path[name.size] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool add_file(struct chain *chain, int fd) {
    ssize_t size = 1;
    for (unsigned i = 0; i < PIECES_MAX && size > 0; i++) {
        size = read(fd, chain->bytes + CRYPTO_DIGEST_SIZE, PIECE_SIZE);
        if (size > 0 && !add_piece(chain, (size_t)size)) {
            return false;
        }
    }
    return add_end(chain, size >= 0);
}

bool file_digest(struct crypto *crypto, const struct slice *files, unsigned count,
                 uint8_t digest[CRYPTO_DIGEST_SIZE]) {
    struct chain chain = {.crypto = crypto, .digest = digest};
    bool ok = true;
    memset(digest, 0, CRYPTO_DIGEST_SIZE);
    for (unsigned i = 0; i < count && ok; i++) {
        int fd = open_file(files[i]);
        ok = fd >= 0 ? add_file(&chain, fd) : add_end(&chain, false);
        if (fd >= 0) {
            close(fd);
        }
    }
    crypto_wipe(chain.bytes, sizeof chain.bytes);
    return ok;
}
