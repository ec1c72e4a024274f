/* An attempt to connect: a name to addresses, an address or a path to a socket. */
#include "mintd/localhost.h"
#include "store/redis_link_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#define KEEPALIVE_S 1u

static void tune_tcp(struct redis_link *link) {
    uv_os_fd_t fd;
    unsigned timeout_ms = LINK_SILENCE_MS;
    uv_tcp_nodelay(&link->socket.tcp, 1);
    uv_tcp_keepalive(&link->socket.tcp, 1, KEEPALIVE_S);
    if (uv_fileno(&link->socket.handle, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    }
}

static void on_connect(uv_connect_t *connect, int status) {
    struct redis_link *link = connect->data;
    if (link->state != LINK_CONNECTING) {
        return; /* given up meanwhile */
    }
    if (status == 0 && !link->url.is_unix) {
        tune_tcp(link);
    }
    if (status == 0) {
        status = traffic_start(link);
    }
    if (status != 0) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, uv_strerror(status));
        return;
    }
    link_set_state(link, LINK_GREETING, "connected");
    greeting_start(link);
}

/* CONNECTING; `address` is not looked at for a unix socket. */
static void link_connect(struct redis_link *link, const struct sockaddr *address) {
    link_set_state(link, LINK_CONNECTING, "an attempt");
    if (!traffic_reset(link)) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, "out of memory");
        return;
    }
    int status = link->url.is_unix ? uv_pipe_init(link->loop, &link->socket.pipe, 0)
                                   : uv_tcp_init(link->loop, &link->socket.tcp);
    if (status == 0) {
        link->socket_open = true;
        link->socket.handle.data = link->connect.data = link;
        if (link->url.is_unix) {
            uv_pipe_connect(&link->connect, &link->socket.pipe, link->url.host, on_connect);
        } else {
            status = uv_tcp_connect(&link->connect, &link->socket.tcp, address, on_connect);
        }
    }
    if (status != 0) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, uv_strerror(status));
    }
}

static const struct sockaddr *pick_address(struct addrinfo *list, unsigned turn) {
    unsigned count = 0;
    for (struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        count++;
    }
    struct addrinfo *one = list;
    for (turn %= count; turn != 0; turn--) {
        one = one->ai_next;
    }
    return one->ai_addr;
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *list) {
    struct redis_link *link = resolver->data;
    link->resolving = false;
    if (link->state != LINK_RESOLVING) { /* too late */
        link_maybe_closed(link);
    } else if (status != 0 || list == NULL) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, uv_strerror(status));
    } else {
        link_connect(link, pick_address(list, link->address_turn));
    }
    uv_freeaddrinfo(list);
}

static void link_resolve(struct redis_link *link) {
    char port[8];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof port, "%u", link->url.port);
    link_set_state(link, LINK_RESOLVING, "an attempt");
    link->resolver.data = link;
    int status =
        uv_getaddrinfo(link->loop, &link->resolver, on_resolved, link->url.host, port, &hints);
    if (status != 0) {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, uv_strerror(status));
        return;
    }
    link->resolving = true;
}

void link_attempt(struct redis_link *link) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    const struct redis_url *url = &link->url;
    if (link->resolving) { /* the resolver still works for an attempt that was given up */
        link_retry_later(link);
        return;
    }
    if (url->is_unix || uv_ip4_addr(url->host, (int)url->port, &address.v4) == 0 ||
        uv_ip6_addr(url->host, (int)url->port, &address.v6) == 0) {
        link_connect(link, &address.any);
    } else if (host_is_localhost(url->host)) {
        const union localhost_address one =
            localhost_address(link->address_turn % LOCALHOST_ADDRESSES, url->port);
        link_connect(link, &one.any);
    } else {
        link_resolve(link);
    }
}
