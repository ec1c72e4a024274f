#include "mintd/redis_store.h"

#define MAJOR_MAX 1000000u

enum redis_age redis_age_of(struct slice version) {
    struct slice rest = version, text;
    unsigned long long major;
    if (!slice_split(&rest, '.', &text) || !slice_to_number(text, MAJOR_MAX, &major)) {
        return REDIS_AGE_UNKNOWN;
    }
    return major < REDIS_OLDEST_MAJOR ? REDIS_AGE_OLD : REDIS_AGE_GOOD;
}
