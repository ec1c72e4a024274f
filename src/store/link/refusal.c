#include "store/link/refusal.h"

#include <stddef.h>

const struct refusal *refusal_find(struct slice text) {
    static const struct refusal table[] = {
        {SLICE("NOAUTH"), STORE_TROUBLE_NOAUTH, "it wants a password"},
        {SLICE("WRONGPASS"), STORE_TROUBLE_NOAUTH, "wrong user or password"},
        {SLICE("ERR invalid password"), STORE_TROUBLE_NOAUTH, "wrong password"},
        {SLICE("ERR AUTH"), STORE_TROUBLE_NOAUTH, "it has no password, but we were given one"},
        {SLICE("ERR Client sent AUTH"), STORE_TROUBLE_NOAUTH,
         "it has no password, but we were given one"},
        {SLICE("ERR max number of clients"), STORE_TROUBLE_DISCONNECTED,
         "it has reached its maximum of clients"},
        {SLICE("DENIED"), STORE_TROUBLE_NOAUTH, "its protected mode lets no other host in"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (slice_starts_with(text, table[i].begin)) {
            return &table[i];
        }
    }
    return NULL;
}
