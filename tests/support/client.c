#include "support/client.h"
#include "support/client_tls.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RECEIVE_SIZE 65536u

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
};

/* ---- connecting ---- */

static socklen_t to_socket_address(struct slice text, union socket_address *address) {
    char copy[128];
    memset(address, 0, sizeof *address);
    assert_in_range(text.size, 1, sizeof copy - 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (slice_starts_with(text, S("unix:"))) {
        address->path.sun_family = AF_UNIX;
        memcpy(address->path.sun_path, copy + 5, text.size - 4);
        return sizeof address->path;
    }
    char *colon = strrchr(copy, ':');
    assert_non_null(colon);
    *colon = '\0';
    in_port_t port = htons((uint16_t)atoi(colon + 1));
    if (copy[0] == '[') {
        colon[-1] = '\0';
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = port;
        assert_int_equal(inet_pton(AF_INET6, copy + 1, &address->v6.sin6_addr), 1);
        return sizeof address->v6;
    }
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = port;
    assert_int_equal(inet_pton(AF_INET, copy, &address->v4.sin_addr), 1);
    return sizeof address->v4;
}

void client_connect_plain(struct client *client, struct slice address) {
    union socket_address to;
    socklen_t size = to_socket_address(address, &to);
    memset(client, 0, sizeof *client);
    client->fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(client->fd >= 0);
    /* On loopback a listening socket answers at once, accepted or not. */
    if (connect(client->fd, &to.any, size) != 0) {
        assert_int_equal(errno, EINPROGRESS);
    }
    int at_once = 1;
    if (to.any.sa_family != AF_UNIX) {
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    }
}

void client_connect(struct client *client, struct slice address) {
    client_connect_plain(client, address);
    if (!slice_starts_with(address, S("unix:")) && client_tls_is_on()) {
        client_tls_open(client);
        client_tls_wait(address, client_tls_is_ready, client);
    }
}

void client_close(struct client *client) {
    if (client->fd >= 0) {
        close(client->fd);
    }
    client->fd = -1;
    client_tls_close(client);
    free(client->data);
    client->data = NULL;
    client->size = client->capacity = client->taken = 0;
}

void client_reset(struct client *client) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    client_close(client);
}

void client_shut(struct client *client) {
    if (client->tls != NULL) {
        client_tls_shut(client);
    }
    assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
}

/* ---- bytes ---- */

size_t client_push(struct client *client, struct slice bytes) {
    size_t sent = 0;
    if (client->tls != NULL) {
        return client_tls_push(client, bytes);
    }
    while (sent < bytes.size) {
        ssize_t count = send(client->fd, bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL);
        if (count < 0) {
            client->error = errno == EAGAIN ? client->error : errno;
            break;
        }
        sent += (size_t)count;
    }
    return sent;
}

void client_send(struct client *client, struct slice bytes) {
    assert_int_equal(client_push(client, bytes), bytes.size);
}

static void receive_records(struct client *client, size_t most) {
    static char records[RECEIVE_SIZE];
    while (!client->ended && client->fd >= 0 && most != 0) {
        size_t wanted = most < RECEIVE_SIZE ? most : RECEIVE_SIZE;
        ssize_t count = recv(client->fd, records, wanted, 0);
        int error = count < 0 ? errno : 0;
        client_tls_take(client, records, count > 0 ? (size_t)count : 0);
        if (error == EAGAIN) {
            return;
        }
        client->ended = count <= 0;
        client->error = error != 0 ? error : client->error;
        most -= count > 0 ? (size_t)count : 0;
    }
}

void client_receive_some(struct client *client, size_t most) {
    if (client->tls != NULL) {
        receive_records(client, most);
        return;
    }
    while (!client->ended && client->fd >= 0 && most != 0) {
        if (client->capacity - client->size < RECEIVE_SIZE) {
            client->capacity = 2 * client->capacity + RECEIVE_SIZE;
            client->data = realloc(client->data, client->capacity);
            assert_non_null(client->data);
        }
        ssize_t count = recv(client->fd, client->data + client->size,
                             most < RECEIVE_SIZE ? most : RECEIVE_SIZE, 0);
        if (count > 0) {
            client->size += (size_t)count;
            most -= (size_t)count;
            continue;
        }
        if (count < 0 && errno == EAGAIN) {
            return;
        }
        client->ended = true;
        client->error = count < 0 ? errno : client->error;
    }
}

void client_receive(struct client *client) {
    client_receive_some(client, SIZE_MAX);
}

/* ---- responses ---- */

struct slice client_field(const struct client_response *response, struct slice name) {
    struct slice rest = response->head, line, value = SLICE_ABSENT;
    while (slice_split(&rest, '\n', &line)) {
        const char *colon = memchr(line.data, ':', line.size);
        if (colon == NULL ||
            !slice_equal_nocase(slice_of(line.data, (size_t)(colon - line.data)), name)) {
            continue;
        }
        assert_true(slice_is_absent(value));
        value = slice_skip(line, name.size + 1);
        value.size--; /* the CR */
        value = slice_trim(value);
    }
    return value;
}

bool client_take_response(struct client *client, bool for_head, struct client_response *response) {
    const char *start = client->data + client->taken;
    size_t size = client->size - client->taken;
    const char *end = size == 0 ? NULL : memmem(start, size, "\r\n\r\n", 4);
    if (end == NULL) {
        return false;
    }
    struct client_response found = {.head = slice_of(start, (size_t)(end - start) + 4)};
    assert_true(found.head.size > 15);
    assert_memory_equal(start, "HTTP/1.1 ", 9);
    found.status = (unsigned)atoi(start + 9);
    unsigned long long length = 0;
    struct slice length_text = client_field(&found, S("content-length"));
    if (!for_head && !slice_is_absent(length_text)) {
        assert_true(slice_to_number(length_text, 1u << 30, &length));
    }
    if (size - found.head.size < length) {
        return false;
    }
    found.body = slice_of(end + 4, (size_t)length);
    client->taken += found.head.size + found.body.size;
    *response = found;
    return true;
}
