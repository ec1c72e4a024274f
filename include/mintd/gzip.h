/* gzip.h: packs a whole text at once with zlib (RFC 1952). */
#ifndef MINTD_GZIP_H
#define MINTD_GZIP_H

#include "mintd/buffer.h"

/* Appends `plain`, packed. False: memory or room was short, and the buffer is as before. It takes
 * 300 KiB of memory while it runs. */
bool gzip_pack(struct slice plain, struct buffer *packed);

#endif
