#include "store/redis/redirect.h"

#include "store/redis/cluster.h"

static enum redirect_kind kind_of(struct slice code) {
    return slice_equal(code, S("MOVED"))      ? REDIRECT_MOVED
           : slice_equal(code, S("ASK"))      ? REDIRECT_ASK
           : slice_equal(code, S("TRYAGAIN")) ? REDIRECT_AGAIN
                                              : REDIRECT_NONE;
}

/* "host:port", "[v6]:port" or "v6:port". */
static bool read_place(struct slice place, struct redirect *redirect) {
    size_t colon = place.size;
    unsigned long long port;
    while (colon != 0 && place.data[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0 || !slice_to_number(slice_skip(place, colon), 65535, &port) || port == 0) {
        return false;
    }
    struct slice host = slice_of(place.data, colon - 1);
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        host = slice_of(host.data + 1, host.size - 2);
    }
    redirect->host = host;
    redirect->port = (unsigned)port;
    return !slice_equal(host, S("?"));
}

static bool read_target(struct slice text, struct redirect *redirect) {
    struct slice rest = text, first, place;
    unsigned long long slot;
    if (!slice_split(&rest, ' ', &first) || !slice_to_number(first, CLUSTER_SLOTS - 1, &slot) ||
        !slice_split(&rest, ' ', &place)) {
        return false;
    }
    redirect->slot = (unsigned)slot;
    return read_place(place, redirect);
}

struct redirect redirect_read(struct slice error) {
    struct redirect redirect = {.kind = REDIRECT_NONE, .host = S("")};
    struct slice rest = error, code = SLICE_ABSENT;
    slice_split(&rest, ' ', &code);
    enum redirect_kind kind = kind_of(code);
    bool has_target = kind == REDIRECT_MOVED || kind == REDIRECT_ASK;
    if (!has_target || read_target(rest, &redirect)) {
        redirect.kind = kind;
    }
    return redirect;
}
