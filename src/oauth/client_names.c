#include "mintd/client_names.h"
#include "mintd/oauth.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SLOTS 256u /* a power of two, over CLIENT_NAMES_MAX: a search always meets a free one */

/* Written once, ahead of the slot by which others find it, and that ahead of the count. */
struct client_name {
    unsigned char size;
    char id[OAUTH_CLIENT_ID_MAX];
};

struct client_names {
    unsigned most;
    struct hash_seed seed;
    pthread_mutex_t lock; /* of who adds one */
    _Atomic unsigned count;
    _Atomic unsigned char slots[SLOTS]; /* index and 1; 0: free */
    struct client_name names[CLIENT_NAMES_MAX];
};

_Static_assert(CLIENT_NAMES_MAX < SLOTS && CLIENT_NAMES_MAX < UINT8_MAX, "an index fits a slot");

struct client_names *client_names_new(unsigned most, const struct hash_seed *seed) {
    struct client_names *names = calloc(1, sizeof *names);
    if (names == NULL || pthread_mutex_init(&names->lock, NULL) != 0) {
        free(names);
        return NULL;
    }
    names->most = most;
    names->seed = *seed;
    return names;
}

void client_names_free(struct client_names *names) {
    if (names != NULL) {
        pthread_mutex_destroy(&names->lock);
        free(names);
    }
}

/* The slot of this name, or the free one that it would get; what is in it. */
static unsigned look(struct client_names *names, struct slice id, unsigned *slot) {
    *slot = (unsigned)hash_bytes(id, &names->seed) % SLOTS;
    for (;; *slot = (*slot + 1) % SLOTS) {
        unsigned taken = atomic_load_explicit(&names->slots[*slot], memory_order_acquire);
        if (taken == 0 || slice_equal(client_names_at(names, taken - 1), id)) {
            return taken;
        }
    }
}

static bool is_full(const struct client_names *names) {
    return client_names_count(names) == names->most;
}

/* With the lock held. */
static unsigned add(struct client_names *names, struct slice id) {
    unsigned slot, count = client_names_count(names);
    unsigned taken = look(names, id, &slot); /* another worker may have been faster */
    if (taken != 0 || is_full(names)) {
        return taken;
    }
    memcpy(names->names[count].id, id.data, id.size);
    names->names[count].size = (unsigned char)id.size;
    atomic_store_explicit(&names->slots[slot], (unsigned char)(count + 1), memory_order_release);
    atomic_store_explicit(&names->count, count + 1, memory_order_release);
    return count + 1;
}

unsigned client_names_find(struct client_names *names, struct slice id) {
    unsigned slot;
    if (slice_equal(id, S(CLIENT_NAMES_OTHER))) {
        return CLIENT_NAMES_MAX;
    }
    bool full = is_full(names); /* ahead of the look, which then sees the last one too */
    unsigned taken = look(names, id, &slot);
    if (taken == 0 && !full) {
        pthread_mutex_lock(&names->lock);
        taken = add(names, id);
        pthread_mutex_unlock(&names->lock);
    }
    return taken == 0 ? CLIENT_NAMES_MAX : taken - 1;
}

unsigned client_names_count(const struct client_names *names) {
    return atomic_load_explicit(&names->count, memory_order_acquire);
}

struct slice client_names_at(const struct client_names *names, unsigned index) {
    return slice_of(names->names[index].id, names->names[index].size);
}
