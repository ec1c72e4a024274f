/* Opens the listening sockets of one address, for all workers.
 *
 * Happy path: resolve; for each address that the name has: bind once alone, to find out whether the
 * address is free; then one SO_REUSEPORT socket a worker. With SO_REUSEPORT alone two servers would
 * share a port and nobody would be told: they may where the caller says so, and the sockets do not
 * listen yet.
 *
 * Failure modes: one line in `error` that says what is wrong and what may help; nothing stays open.
 */
#include "http/address.h"
#include "http/listener.h"
#include "http/server.h"
#include "mintd/http_server.h"
#include "mintd/localhost.h"
#include "mintd/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TRIES 8u /* for a port that is free on all addresses of a name */
#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
};

/* ---- what went wrong ---- */

static const char *explain(int error, bool may_share) {
    switch (error) {
    case EADDRINUSE:
        return may_share
                   ? "in use by a program that does not share it: start each with --reuse-port, as "
                     "the same user, or choose another port with --listen"
                   : "already in use: stop the other program, or choose another port with --listen";
    case EACCES:
    case EPERM:
        return "permission denied: choose a port over 1023 with --listen, or grant the permission";
    case EADDRNOTAVAIL:
        return "this machine has no such address: choose another with --listen";
    default:
        return strerror(error);
    }
}

static void complain(struct buffer *error, struct slice address, const char *message) {
    buffer_append(error, address);
    buffer_append(error, S(": "));
    buffer_append(error, slice_of_string(message));
}

static void append_name(const union socket_address *address, struct buffer *name) {
    char text[INET6_ADDRSTRLEN];
    switch (address->any.sa_family) {
    case AF_UNIX:
        buffer_append_format(name, "unix:%s", address->path.sun_path);
        return;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text);
        buffer_append_format(name, "[%s]:%u", text, ntohs(address->v6.sin6_port));
        return;
    default:
        inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof text);
        buffer_append_format(name, "%s:%u", text, ntohs(address->v4.sin_port));
        return;
    }
}

static void close_all(const int *fds, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        close(fds[i]);
    }
}

/* ---- TCP ---- */

static bool set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* What is accepted inherits them: no call for each connection. */
static bool set_inherited(int fd) {
    return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
           set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_SENDS) &&
           set_option(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_RECEIVES);
}

/* A bound socket, or -1 and errno. */
static int bind_tcp(const struct sockaddr *address, socklen_t size, bool shared) {
    int fd = socket(address->sa_family, SOCKET_FLAGS, 0);
    if (fd < 0) {
        return -1;
    }
    bool both_families =
        address->sa_family == AF_INET6 &&
        IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
        (!shared || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
        (!both_families || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) && set_inherited(fd) &&
        bind(fd, address, size) == 0) {
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Whether nobody else is bound there; else errno. */
static bool is_free(const struct sockaddr *address, socklen_t size) {
    int fd = bind_tcp(address, size, false);
    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}

/* One address of a name; a name may have several. */
struct place {
    union socket_address address;
    socklen_t size;
};

/* All sockets take the port that the first one got, and so does the place. Returns 0 or an errno
 * value. */
static int open_sockets(struct place *place, struct http_sockets *sockets, int *fds) {
    union socket_address *address = &place->address;
    bool one_alone = sockets->count == 1 && !sockets->may_share;
    if (!is_free(&address->any, place->size)) {
        if (errno != EADDRINUSE || !sockets->may_share) {
            return errno;
        }
        sockets->is_shared = true;
    }
    for (unsigned i = 0; i < sockets->count; i++) {
        fds[i] = bind_tcp(&address->any, place->size, !one_alone);
        if (fds[i] < 0 || (!sockets->may_share && !http_start_listening(fds[i])) ||
            getsockname(fds[i], &address->any, &place->size) != 0) {
            int error = errno;
            close_all(fds, fds[i] < 0 ? i : i + 1);
            return error;
        }
    }
    return 0;
}

/* This machine does not have it: IPv6 is off, for instance. One that is taken is another thing. */
static bool is_absent(int error) {
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

static in_port_t *port_of(struct place *place) {
    return place->address.any.sa_family == AF_INET6 ? &place->address.v6.sin6_port
                                                    : &place->address.v4.sin_port;
}

static void tell_absent(const struct place *place) {
    char text[HTTP_ADDRESS_MAX];
    struct buffer name = buffer_of(text, sizeof text);
    append_name(&place->address, &name);
    log_info("not listening: this machine has no such address",
             LOG_TEXT("address", buffer_slice(&name)));
}

/* All of them, on one port; those that this machine does not have are left out while there is one
 * that it has. `failed`: which one it was. */
static int listen_all(struct place *places, unsigned place_count, struct http_sockets *sockets,
                      unsigned *failed) {
    int error = EADDRNOTAVAIL;
    in_port_t port = 0;
    sockets->addresses = 0;
    sockets->is_shared = false;
    for (unsigned i = 0; i < place_count; i++) {
        unsigned opened = sockets->addresses * sockets->count;
        *port_of(&places[i]) = port != 0 ? port : *port_of(&places[i]);
        error = open_sockets(&places[i], sockets, sockets->fds + opened);
        if (error == 0) {
            port = *port_of(&places[i]);
            sockets->addresses++;
        } else if (is_absent(error) && place_count > 1) {
            tell_absent(&places[i]);
        } else {
            close_all(sockets->fds, opened);
            *failed = i;
            return error;
        }
    }
    return sockets->addresses != 0 ? 0 : error;
}

/* Port 0 is any that is free on the first address; on the others it may be taken. */
static int listen_on(const struct place *places, unsigned place_count, struct http_sockets *sockets,
                     unsigned *failed) {
    int error = EADDRINUSE;
    for (unsigned tries = 0; tries < TRIES && error == EADDRINUSE; tries++) {
        struct place copies[HTTP_ADDRESSES_MAX];
        memcpy(copies, places, place_count * sizeof *places);
        bool any_port = place_count > 1 && *port_of(&copies[0]) == 0;
        error = listen_all(copies, place_count, sockets, failed);
        if (!any_port) {
            break;
        }
    }
    return error;
}

/* ---- names ---- */

static bool has_place(const struct place *places, unsigned count, const struct addrinfo *one) {
    for (unsigned i = 0; i < count; i++) {
        if (places[i].size == one->ai_addrlen &&
            memcmp(&places[i].address, one->ai_addr, one->ai_addrlen) == 0) {
            return true;
        }
    }
    return false;
}

/* False where there are more than HTTP_ADDRESSES_MAX. */
static bool take_places(const struct addrinfo *list, struct place *places, unsigned *count) {
    for (*count = 0; list != NULL; list = list->ai_next) {
        if (has_place(places, *count, list)) {
            continue;
        }
        if (*count == HTTP_ADDRESSES_MAX || list->ai_addrlen > sizeof places->address) {
            return false;
        }
        places[*count].size = list->ai_addrlen;
        memcpy(&places[(*count)++].address, list->ai_addr, list->ai_addrlen);
    }
    return true;
}

static void take_localhost(const struct address *address, struct place *places, unsigned *count) {
    for (*count = 0; *count < LOCALHOST_ADDRESSES; (*count)++) {
        union localhost_address one =
            localhost_address(*count, (unsigned)strtoul(address->port, NULL, 10));
        places[*count].size = one.any.sa_family == AF_INET6 ? sizeof one.v6 : sizeof one.v4;
        memcpy(&places[*count].address, &one, sizeof one);
    }
}

/* Blocks while a name is resolved. */
static bool find_places(struct slice text, const struct address *address, struct place *places,
                        unsigned *count, struct buffer *error) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list;
    if (host_is_localhost(address->host)) {
        take_localhost(address, places, count);
        return true;
    }
    bool everywhere = address->host[0] == '\0';
    int problem = getaddrinfo(everywhere ? NULL : address->host, address->port, &hints, &list);
    if (problem != 0) {
        complain(error, text, gai_strerror(problem));
        return false;
    }
    bool ok = take_places(list, places, count);
    freeaddrinfo(list);
    if (!ok) {
        complain(error, text, "this name has more than 8 addresses: give those to listen on");
    }
    return ok;
}

static const struct place *find_family(const struct place *places, unsigned count, int family) {
    for (unsigned i = 0; i < count; i++) {
        if (places[i].address.any.sa_family == family) {
            return &places[i];
        }
    }
    return NULL;
}

/* All interfaces: one socket for both families, or for IPv4 where there is no IPv6. */
static int listen_everywhere(const struct place *places, unsigned count,
                             struct http_sockets *sockets, unsigned *failed) {
    const struct place *v6 = find_family(places, count, AF_INET6);
    const struct place *v4 = find_family(places, count, AF_INET);
    int error = v6 == NULL ? EAFNOSUPPORT : listen_on(v6, 1, sockets, failed);
    return is_absent(error) && v4 != NULL ? listen_on(v4, 1, sockets, failed) : error;
}

static enum http_listened open_tcp(struct slice text, const struct address *address,
                                   struct http_sockets *sockets, struct buffer *error) {
    struct place places[HTTP_ADDRESSES_MAX] = {0};
    unsigned place_count, failed = 0;
    if (!find_places(text, address, places, &place_count, error)) {
        return HTTP_LISTENS_NOT;
    }
    bool everywhere = address->host[0] == '\0';
    int code = everywhere ? listen_everywhere(places, place_count, sockets, &failed)
                          : listen_on(places, place_count, sockets, &failed);
    if (code == 0) {
        return HTTP_LISTENS;
    }
    if (place_count > 1 && !everywhere) {
        append_name(&places[failed].address, error);
        buffer_append(error, S(", of "));
    }
    complain(error, text, explain(code, sockets->may_share));
    return is_absent(code) ? HTTP_HAS_NO_SUCH_ADDRESS : HTTP_LISTENS_NOT;
}

/* ---- unix ---- */

/* Whether the path is free, or a socket file that nobody answers on: then it is removed. Returns 0
 * or an errno value. */
static int clear_path(const struct sockaddr_un *where) {
    struct stat status;
    if (lstat(where->sun_path, &status) != 0) {
        return errno == ENOENT ? 0 : errno;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return EEXIST;
    }
    int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0) {
        return errno;
    }
    int error = connect(fd, (const struct sockaddr *)where, sizeof *where) == 0 ? 0 : errno;
    close(fd);
    if (error != ECONNREFUSED) {
        return error == 0 || error == EAGAIN ? EADDRINUSE : error;
    }
    return unlink(where->sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

/* fchmod() ahead of bind(): the file has mode 0666 less the umask from its beginning. */
static int bind_unix(const struct sockaddr_un *where, int fd) {
    if (fchmod(fd, 0666) != 0 || bind(fd, (const struct sockaddr *)where, sizeof *where) != 0) {
        return errno;
    }
    if (listen(fd, LISTENER_BACKLOG) != 0) {
        int error = errno;
        unlink(where->sun_path);
        return error;
    }
    return 0;
}

/* One socket for all: its queue is shared. */
static int listen_unix(const struct sockaddr_un *where, unsigned count, int *fds) {
    fds[0] = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fds[0] < 0) {
        return errno;
    }
    int error = bind_unix(where, fds[0]);
    if (error != 0) {
        close(fds[0]);
        return error;
    }
    for (unsigned made = 1; made < count; made++) {
        fds[made] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
        if (fds[made] < 0) {
            error = errno;
            unlink(where->sun_path);
            close_all(fds, made);
            return error;
        }
    }
    return 0;
}

static const char *explain_unix(int error) {
    switch (error) {
    case EADDRINUSE:
        return "already in use: stop the other program, or choose another path with --listen";
    case EEXIST:
        return "a file is there that is no socket: remove it, or choose another path with --listen";
    case ENOENT:
        return "the directory does not exist: make it first";
    case EACCES:
    case EPERM:
        return "permission denied: choose a directory that this user may write to";
    default:
        return strerror(error);
    }
}

static enum http_listened open_unix(struct slice text, const struct address *address,
                                    struct http_sockets *sockets, struct buffer *error) {
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    memcpy(where.sun_path, address->path, sizeof where.sun_path);
    int code = clear_path(&where);
    if (code == 0) {
        code = listen_unix(&where, sockets->count, sockets->fds);
    }
    if (code != 0) {
        complain(error, text, explain_unix(code));
        return HTTP_LISTENS_NOT;
    }
    sockets->addresses = 1;
    return HTTP_LISTENS;
}

/* ---- the contract ---- */

bool http_start_listening(int fd) {
    return listen(fd, LISTENER_BACKLOG) == 0;
}

enum http_listened http_listen(struct slice text, struct http_sockets *sockets,
                               struct buffer *error) {
    struct address address;
    if (!address_parse(text, &address, error)) {
        return HTTP_LISTENS_NOT;
    }
    return address.is_unix ? open_unix(text, &address, sockets, error)
                           : open_tcp(text, &address, sockets, error);
}

void http_listener_name(int fd, struct buffer *name) {
    union socket_address address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) == 0) {
        append_name(&address, name);
    }
}

void http_unlisten(struct slice text) {
    char ignored[HTTP_ADDRESS_MAX];
    struct buffer error = buffer_of(ignored, sizeof ignored);
    struct address address;
    if (address_parse(text, &address, &error) && address.is_unix) {
        unlink(address.path);
    }
}
