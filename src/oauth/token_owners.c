#include "oauth/token_owners.h"
#include "mintd/encoding.h"
#include <limits.h>
#include <string.h>

_Static_assert(OAUTH_CLIENT_ID_MAX <= UCHAR_MAX, "its size is kept in a byte");

/* An id is a digest: its first digits are as good as a hash. */
static size_t slot_of(const char jti[OAUTH_JTI_SIZE]) {
    uint8_t first[2] = {0, 0};
    (void)hex_decode(slice_of(jti, 2 * sizeof first), first, sizeof first);
    return ((size_t)first[0] << 8u | first[1]) % TOKEN_OWNERS_SLOTS;
}

struct slice token_owners_find(const struct token_owners *owners, const char jti[OAUTH_JTI_SIZE]) {
    const struct token_owner *owner = &owners->slots[slot_of(jti)];
    bool known = owner->client_id_size != 0 && memcmp(owner->jti, jti, OAUTH_JTI_SIZE) == 0;
    return known ? slice_of(owner->client_id, owner->client_id_size) : SLICE_ABSENT;
}

void token_owners_put(struct token_owners *owners, const char jti[OAUTH_JTI_SIZE],
                      struct slice client_id) {
    struct token_owner *owner = &owners->slots[slot_of(jti)];
    memcpy(owner->jti, jti, OAUTH_JTI_SIZE);
    owner->client_id_size = (unsigned char)client_id.size;
    memcpy(owner->client_id, client_id.data, client_id.size);
}
