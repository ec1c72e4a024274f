#include "store/link/stranger.h"

#include <stddef.h>

/* What RESP2 and RESP3 begin a value with. */
static bool begins_resp(struct slice said) {
    static const struct slice types = SLICE("+-:$*_#,(!=%~>|");
    for (size_t i = 0; i < types.size; i++) {
        if (said.size != 0 && said.data[0] == types.data[i]) {
            return true;
        }
    }
    return false;
}

const char *redis_stranger(struct slice said) {
    static const struct {
        struct slice begin;
        const char *words;
    } table[] = {
        {SLICE("HTTP/"), "it is no Redis: it speaks HTTP"},
        {SLICE("<"), "it is no Redis: it speaks HTTP, or HTML"},
        {SLICE("SSH-"), "it is no Redis: it speaks SSH"},
        /* the heads of an alert and of a handshake */
        {SLICE("\x15\x03"),
         "its port is for TLS: write rediss:// in place of redis://, or give another port"},
        {SLICE("\x16\x03"),
         "its port is for TLS: write rediss:// in place of redis://, or give another port"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (slice_starts_with(said, table[i].begin)) {
            return table[i].words;
        }
    }
    return begins_resp(said) ? NULL : "it is no Redis: what it says is in another protocol";
}
