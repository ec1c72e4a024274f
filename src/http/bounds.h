/* bounds.h: what a server asks of http_bounds.h. */
#ifndef MINTD_HTTP_BOUNDS_INTERNAL_H
#define MINTD_HTTP_BOUNDS_INTERNAL_H

#include "mintd/http_bounds.h"
#include "mintd/ip.h"

enum bounds_answer { BOUNDS_ADMITTED, BOUNDS_FULL, BOUNDS_ADDRESS_FULL };

/* What a connection holds while it is open. */
struct bounds_place {
    uint32_t at[2];
    bool is_taken;
    bool has_address; /* it is counted for its address */
};

/* bounds NULL: all are admitted. From any thread. A handshake begins at now_ms (monotonic). */
enum bounds_answer bounds_begin_handshake(struct http_bounds *bounds, const struct ip *peer,
                                          uint64_t now_ms);
enum bounds_answer bounds_enter(struct http_bounds *bounds, const struct ip *peer,
                                struct bounds_place *place);
void bounds_leave(struct http_bounds *bounds, struct bounds_place *place);
/* Whether it is time to tell the log that addresses were full, and how many connections were turned
 * away for it since the last time: once a minute, for all servers together. */
bool bounds_should_tell(struct http_bounds *bounds, uint64_t now_ms, uint64_t *count);

#endif
