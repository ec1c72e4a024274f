/* Where a stream leads: an address, a path, or the addresses of a name. */
#include "store/link/stream_internal.h"

#include "mintd/localhost.h"
#include <stdio.h>

static void connect_to_first(struct redis_stream *stream) {
    stream->events->on_connecting(stream->context);
    stream_connect_to_next(stream);
}

/* From number `turn` on. */
static void take_addresses(struct redis_stream *stream, const struct addrinfo *list) {
    unsigned count = 0;
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        count++;
    }
    stream->turn %= count;
    const struct addrinfo *one = list;
    for (unsigned i = 0; i < stream->turn; i++) {
        one = one->ai_next;
    }
    stream->address_count = count < STREAM_ADDRESSES_MAX ? count : STREAM_ADDRESSES_MAX;
    for (unsigned i = 0; i < stream->address_count; i++) {
        memcpy(&stream->addresses[i], one->ai_addr, one->ai_addrlen);
        one = one->ai_next == NULL ? list : one->ai_next;
    }
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *list) {
    struct redis_stream *stream = resolver->data;
    stream->is_resolving = false;
    if (!stream->is_wanted) { /* given up meanwhile */
        stream->events->on_idle(stream->context, false);
    } else if (status != 0 || list == NULL) {
        stream_fail_as(stream, status);
    } else {
        take_addresses(stream, list);
        connect_to_first(stream);
    }
    uv_freeaddrinfo(list);
}

static void resolve(struct redis_stream *stream) {
    char port[8];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof port, "%u", stream->url->port);
    stream->events->on_resolving(stream->context);
    stream->resolver.data = stream;
    int status = uv_getaddrinfo(stream->loop, &stream->resolver, on_resolved, stream->url->host,
                                port, &hints);
    if (status != 0) {
        stream_fail_as(stream, status);
        return;
    }
    stream->is_resolving = true;
}

static void take_localhost(struct redis_stream *stream) {
    stream->address_count = LOCALHOST_ADDRESSES;
    for (unsigned i = 0; i < LOCALHOST_ADDRESSES; i++) {
        const union localhost_address one =
            localhost_address((stream->turn + i) % LOCALHOST_ADDRESSES, stream->url->port);
        memcpy(&stream->addresses[i], &one, sizeof one);
    }
}

/* A path, which is one place too, or an address. */
static bool needs_no_resolver(struct redis_stream *stream) {
    const struct redis_url *url = stream->url;
    union stream_address *address = &stream->addresses[0];
    stream->address_count = 1;
    return url->is_unix || uv_ip4_addr(url->host, (int)url->port, &address->v4) == 0 ||
           uv_ip6_addr(url->host, (int)url->port, &address->v6) == 0;
}

static void begin(struct redis_stream *stream, const struct redis_url *url, unsigned turn,
                  uint64_t until_ms) {
    stream->url = url;
    stream->turn = turn;
    stream->until_ms = until_ms;
    stream->is_wanted = true;
    stream->is_connected = false;
    stream->address = 0;
    stream->trouble = STORE_TROUBLE_NONE;
    stream->reason[0] = '\0';
}

void stream_open_at(struct redis_stream *stream, const struct redis_url *url,
                    const union stream_address *address, uint64_t until_ms) {
    begin(stream, url, 0, until_ms);
    stream->address_count = 1;
    stream->addresses[0] = *address;
    connect_to_first(stream);
}

const union stream_address *stream_address(const struct redis_stream *stream) {
    return &stream->addresses[stream->address];
}

void stream_open(struct redis_stream *stream, const struct redis_url *url, unsigned turn,
                 uint64_t until_ms) {
    begin(stream, url, turn, until_ms);
    if (needs_no_resolver(stream)) {
        connect_to_first(stream);
    } else if (host_is_localhost(url->host)) {
        take_localhost(stream);
        connect_to_first(stream);
    } else {
        resolve(stream);
    }
}
