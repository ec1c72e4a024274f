/* Opens the listening sockets of one address, for all workers.
 *
 * Happy path: resolve; bind once alone, to find out whether the address is free; then one
 * SO_REUSEPORT socket a worker. With SO_REUSEPORT alone two servers would share a port and nobody
 * would be told.
 *
 * Failure modes: one line in `error` that says what is wrong and what may help; nothing stays open.
 */
#include "http/address.h"
#include "http/server.h"
#include "mintd/http_server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096
#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
};

/* ---- what went wrong ---- */

static const char *explain(int error) {
    switch (error) {
    case EADDRINUSE:
        return "already in use: stop the other program, or choose another port with --listen";
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

/* All sockets take the port that the first one got. Returns 0 or an errno value. */
static int listen_tcp(const struct addrinfo *where, unsigned count, int *fds) {
    union socket_address address = {0};
    socklen_t size = where->ai_addrlen;
    memcpy(&address, where->ai_addr, size);
    if (!is_free(&address.any, size)) {
        return errno;
    }
    for (unsigned i = 0; i < count; i++) {
        fds[i] = bind_tcp(&address.any, size, count > 1);
        if (fds[i] < 0 || listen(fds[i], BACKLOG) != 0 ||
            getsockname(fds[i], &address.any, &size) != 0) {
            int error = errno;
            close_all(fds, fds[i] < 0 ? i : i + 1);
            return error;
        }
    }
    return 0;
}

/* The next address of a name is tried where this machine cannot have the one before; one that is
 * taken is an error. */
static bool is_worth_another(int error) {
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

static const struct addrinfo *find_family(const struct addrinfo *list, int family) {
    while (list != NULL && list->ai_family != family) {
        list = list->ai_next;
    }
    return list;
}

/* All interfaces: one socket for both families, or for IPv4 where there is no IPv6. */
static int listen_everywhere(const struct addrinfo *list, unsigned count, int *fds) {
    const struct addrinfo *v6 = find_family(list, AF_INET6);
    const struct addrinfo *v4 = find_family(list, AF_INET);
    int error = v6 == NULL ? EAFNOSUPPORT : listen_tcp(v6, count, fds);
    return is_worth_another(error) && v4 != NULL ? listen_tcp(v4, count, fds) : error;
}

static int listen_first(const struct addrinfo *list, unsigned count, int *fds) {
    int error = EADDRNOTAVAIL;
    for (; list != NULL && is_worth_another(error); list = list->ai_next) {
        error = listen_tcp(list, count, fds);
    }
    return error;
}

static bool open_tcp(struct slice text, const struct address *address, unsigned count, int *fds,
                     struct buffer *error) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    bool everywhere = address->host[0] == '\0';
    struct addrinfo *list;
    int problem = getaddrinfo(everywhere ? NULL : address->host, address->port, &hints, &list);
    if (problem != 0) {
        complain(error, text, gai_strerror(problem));
        return false;
    }
    int code = everywhere ? listen_everywhere(list, count, fds) : listen_first(list, count, fds);
    freeaddrinfo(list);
    if (code != 0) {
        complain(error, text, explain(code));
    }
    return code == 0;
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
    if (listen(fd, BACKLOG) != 0) {
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

static bool open_unix(struct slice text, const struct address *address, unsigned count, int *fds,
                      struct buffer *error) {
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    memcpy(where.sun_path, address->path, sizeof where.sun_path);
    int code = clear_path(&where);
    if (code == 0) {
        code = listen_unix(&where, count, fds);
    }
    if (code != 0) {
        complain(error, text, explain_unix(code));
    }
    return code == 0;
}

/* ---- the contract ---- */

bool http_listen(struct slice text, unsigned count, int *fds, struct buffer *error) {
    struct address address;
    if (!address_parse(text, &address, error)) {
        return false;
    }
    return address.is_unix ? open_unix(text, &address, count, fds, error)
                           : open_tcp(text, &address, count, fds, error);
}

void http_listener_name(int fd, struct buffer *name) {
    union socket_address address = {0};
    socklen_t size = sizeof address;
    char text[INET6_ADDRSTRLEN];
    if (getsockname(fd, &address.any, &size) != 0) {
        return;
    }
    switch (address.any.sa_family) {
    case AF_UNIX:
        buffer_append_format(name, "unix:%s", address.path.sun_path);
        return;
    case AF_INET6:
        inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text);
        buffer_append_format(name, "[%s]:%u", text, ntohs(address.v6.sin6_port));
        return;
    default:
        inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
        buffer_append_format(name, "%s:%u", text, ntohs(address.v4.sin_port));
        return;
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
