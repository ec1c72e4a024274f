#include "store/link/error.h"

struct slice redis_error_code(struct slice text) {
    struct slice rest = text, code = SLICE_ABSENT;
    slice_split(&rest, ' ', &code);
    return code;
}

enum store_trouble redis_error_trouble(struct slice text) {
    static const struct {
        struct slice code;
        enum store_trouble trouble;
    } table[] = {
        {SLICE("READONLY"), STORE_TROUBLE_READONLY},
        {SLICE("UNBLOCKED"), STORE_TROUBLE_READONLY}, /* WAIT: it has become a replica */
        {SLICE("LOADING"), STORE_TROUBLE_LOADING},
        {SLICE("OOM"), STORE_TROUBLE_OOM},
        {SLICE("MISCONF"), STORE_TROUBLE_MISCONF},
        {SLICE("MASTERDOWN"), STORE_TROUBLE_MASTERDOWN},
        {SLICE("NOREPLICAS"), STORE_TROUBLE_NOREPLICAS},
        {SLICE("MOVED"), STORE_TROUBLE_CLUSTER},
        {SLICE("ASK"), STORE_TROUBLE_CLUSTER},
        {SLICE("TRYAGAIN"), STORE_TROUBLE_CLUSTER},
        {SLICE("CLUSTERDOWN"), STORE_TROUBLE_CLUSTER},
        {SLICE("CROSSSLOT"), STORE_TROUBLE_CLUSTER},
        {SLICE("NOAUTH"), STORE_TROUBLE_NOAUTH},
        {SLICE("WRONGPASS"), STORE_TROUBLE_NOAUTH},
        {SLICE("NOPERM"), STORE_TROUBLE_NOPERM},
        {SLICE("WRONGTYPE"), STORE_TROUBLE_WRONGTYPE},
    };
    struct slice code = redis_error_code(text);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (slice_equal(code, table[i].code)) {
            return table[i].trouble;
        }
    }
    return STORE_TROUBLE_PROTOCOL;
}

const char *redis_error_no_master(enum store_trouble trouble) {
    switch (trouble) {
    case STORE_TROUBLE_READONLY:
        return "it has become a replica";
    case STORE_TROUBLE_MASTERDOWN:
        return "it is a replica without its master";
    case STORE_TROUBLE_LOADING:
        return "it is loading its data";
    default:
        return NULL;
    }
}
