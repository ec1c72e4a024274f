#include "health.h"
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_S 3
#define PART_MAX 256

struct url {
    char host[PART_MAX], port[8], path[PART_MAX];
};

/* The host may be a v6 address in brackets. */
static bool parse_url(const char *text, struct url *url) {
    strcpy(url->port, "80");
    strcpy(url->path, "/");
    return sscanf(text, "http://[%255[0-9a-fA-F:.]]:%7[0-9]%255s", url->host, url->port,
                  url->path) >= 2 ||
           sscanf(text, "http://%255[^:/ []:%7[0-9]%255s", url->host, url->port, url->path) >= 2 ||
           sscanf(text, "http://%255[^:/ []%255s", url->host, url->path) >= 1;
}

static int connect_to(const struct url *url) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const struct timeval timeout = {TIMEOUT_S, 0};
    if (getaddrinfo(url->host, url->port, &hints, &found) != 0) {
        return -1;
    }
    int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* The whole response, or as much of it as fits. */
static size_t exchange(int fd, const struct url *url, char *response, size_t capacity) {
    char request[2 * PART_MAX + 64];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: mintd\r\nConnection: close\r\n\r\n", url->path);
    size_t received = 0;
    if (send(fd, request, (size_t)size, MSG_NOSIGNAL) != size) {
        return 0;
    }
    while (received < capacity) {
        ssize_t count = recv(fd, response + received, capacity - received, 0);
        if (count <= 0) {
            break;
        }
        received += (size_t)count;
    }
    return received;
}

int health_check(const char *text) {
    struct url url;
    char response[2048];
    if (!parse_url(text, &url)) {
        fprintf(stderr,
                "mintctl: %s: it is http://host[:port]/path (where there is TLS, that of "
                "--metrics-listen)\n",
                text);
        return 2;
    }
    int fd = connect_to(&url);
    if (fd < 0) {
        fprintf(stderr, "mintctl: %s: no connection\n", text);
        return 1;
    }
    size_t size = exchange(fd, &url, response, sizeof response - 1);
    close(fd);
    response[size] = '\0';
    const char *body = strstr(response, "\r\n\r\n");
    bool ready = strncmp(response, "HTTP/1.1 200 ", 13) == 0;
    fprintf(ready ? stdout : stderr, "%s\n", body == NULL ? "no answer" : body + 4);
    return ready ? 0 : 1;
}
