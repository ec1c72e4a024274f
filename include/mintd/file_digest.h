/* file_digest.h: a digest of files, to find out later whether they have changed. */
#ifndef MINTD_FILE_DIGEST_H
#define MINTD_FILE_DIGEST_H

#include "mintd/crypto.h"

/* Writes one digest of the contents of `count` files. Links are followed; only the first 1 MiB of
 * each file counts. A file that cannot be read, or is a pipe, counts as a content of its own, the
 * same each time. It blocks. Nothing that was read stays in memory. False: no digest could be made.
 */
bool file_digest(struct crypto *crypto, const struct slice *files, unsigned count,
                 uint8_t digest[CRYPTO_DIGEST_SIZE]);

#endif
