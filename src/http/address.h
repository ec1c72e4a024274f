/* address.h: the text of a listening address, taken apart. */
#ifndef MINTD_HTTP_ADDRESS_H
#define MINTD_HTTP_ADDRESS_H

#include "mintd/buffer.h"

struct address {
    bool is_unix;
    char path[108]; /* of a unix socket */
    char host[254]; /* without brackets; empty: all interfaces */
    char port[6];   /* digits, 0 to 65535 */
};

/* False where it is malformed; error then says how it should look. */
bool address_parse(struct slice text, struct address *address, struct buffer *error);

#endif
