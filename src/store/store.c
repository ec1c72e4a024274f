/* Names of what can be wrong with a store. */
#include "mintd/store.h"

const char *store_trouble_name(enum store_trouble trouble) {
    static const char *const names[] = {
#define X(id, name) name,
        STORE_TROUBLES(X)
#undef X
    };
    return (unsigned)trouble < STORE_TROUBLE_COUNT ? names[trouble] : "unknown";
}
