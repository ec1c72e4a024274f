/* file_digest.h: what files hold, to be compared with what they held before. */
#ifndef MINTD_FILE_DIGEST_H
#define MINTD_FILE_DIGEST_H

#include "mintd/crypto.h"

/* One digest of the contents of `count` files, links followed, of each 1 MiB at most. A file that
 * cannot be read counts as a content of its own, the same each time. Blocks. Nothing that was read
 * stays in memory. False: no digest could be made. */
bool file_digest(struct crypto *crypto, const struct slice *files, unsigned count,
                 uint8_t digest[CRYPTO_DIGEST_SIZE]);

#endif
