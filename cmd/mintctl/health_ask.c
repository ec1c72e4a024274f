/* health_ask.c: one request to one place. Every wait has an end: what is left of 3 s is shared
 * among the addresses that are still to be tried. */
#include "health.h"
#include "mintd/clock.h"
#include "mintd/localhost.h"
#include "mintd/tls_client.h"
#include "output.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MS 3000u
#define RECORDS_MAX 4096u

struct asking {
    const struct health_target *target;
    int fd;
    uint64_t until_ns;
    struct tls_context *context;
    struct tls_session *tls; /* NULL: plain */
    struct block_pool blocks;
    char records[RECORDS_MAX]; /* as they came; the session takes them from here */
    char response[HEALTH_ANSWER_MAX];
    size_t size;
};

static uint64_t left_ms(const struct asking *a) {
    uint64_t now = clock_monotonic_ns();
    return now < a->until_ns ? (a->until_ns - now) / 1000000 : 0;
}

static bool wait_for(struct asking *a, short events, uint64_t ms) {
    struct pollfd socket = {.fd = a->fd, .events = events};
    return poll(&socket, 1, (int)ms) == 1;
}

/* ---- connecting ---- */

static bool open_socket(struct asking *a, const struct sockaddr *address, socklen_t size,
                        int family, uint64_t ms) {
    int error = 0;
    socklen_t error_size = sizeof error;
    a->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->fd < 0) {
        return false;
    }
    if (connect(a->fd, address, size) == 0 ||
        (errno == EINPROGRESS && wait_for(a, POLLOUT, ms) &&
         getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &error_size) == 0 && error == 0)) {
        return true;
    }
    close(a->fd);
    a->fd = -1;
    return false;
}

static bool connect_unix(struct asking *a) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(a->target->host);
    if (size >= sizeof address.sun_path) {
        return false;
    }
    memcpy(address.sun_path, a->target->host, size);
    return open_socket(a, (const struct sockaddr *)&address, sizeof address, AF_UNIX, left_ms(a));
}

/* Its two addresses, wherever a resolver thinks it is. */
static bool connect_localhost(struct asking *a) {
    unsigned port = (unsigned)strtoul(a->target->port, NULL, 10);
    bool connected = false;
    for (unsigned i = 0; i < LOCALHOST_ADDRESSES && !connected; i++) {
        union localhost_address address = localhost_address(i, port);
        socklen_t size = i == 0 ? sizeof address.v4 : sizeof address.v6;
        connected = open_socket(a, &address.any, size, address.any.sa_family,
                                left_ms(a) / (LOCALHOST_ADDRESSES - i));
    }
    return connected;
}

static bool connect_tcp(struct asking *a) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    unsigned count = 0;
    bool connected = false;
    if (host_is_localhost(a->target->host)) {
        return connect_localhost(a);
    }
    if (getaddrinfo(a->target->host, a->target->port, &hints, &found) != 0) {
        return false;
    }
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        count++;
    }
    for (const struct addrinfo *one = found; one != NULL && !connected; one = one->ai_next) {
        connected =
            open_socket(a, one->ai_addr, one->ai_addrlen, one->ai_family, left_ms(a) / count--);
    }
    freeaddrinfo(found);
    return connected;
}

/* ---- bytes ---- */

static bool send_bytes(struct asking *a, const char *data, size_t size) {
    while (size > 0 && wait_for(a, POLLOUT, left_ms(a))) {
        ssize_t count = send(a->fd, data, size, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        data += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return size == 0;
}

/* 0: its end, or the end of our patience. */
static size_t receive_bytes(struct asking *a, char *data, size_t size) {
    ssize_t count = wait_for(a, POLLIN, left_ms(a)) ? recv(a->fd, data, size, 0) : 0;
    return count > 0 ? (size_t)count : 0;
}

static bool send_records(struct asking *a) {
    struct block *records = tls_take_output(a->tls);
    bool sent = records == NULL || send_bytes(a, records->data, records->size);
    block_give(&a->blocks, records);
    return sent;
}

static bool feed_records(struct asking *a) {
    size_t size = receive_bytes(a, a->records, sizeof a->records);
    tls_feed(a->tls, a->records, size);
    return size != 0;
}

static void say_problem(const struct asking *a) {
    const char *doubt = tls_client_doubt(a->tls);
    say("TLS: %s%s", doubt == NULL ? "" : "its certificate is not believed: ",
        doubt == NULL ? tls_problem(a->tls) : doubt);
}

static bool shake_hands(struct asking *a) {
    enum tls_step step;
    do {
        step = tls_handshake(a->tls);
        if (!send_records(a) && step != TLS_FAILED) {
            return false;
        }
    } while (step == TLS_MORE && feed_records(a));
    if (step == TLS_FAILED) {
        say_problem(a);
    }
    return step == TLS_DONE;
}

/* ---- the question ---- */

static bool send_request(struct asking *a) {
    char text[2 * HEALTH_PART_MAX + 128];
    bool has_colon = strchr(a->target->host, ':') != NULL;
    int size =
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s%s%s\r\nConnection: close\r\n\r\n",
                 a->target->path, has_colon ? "[" : "",
                 a->target->is_unix ? "localhost" : a->target->host, has_colon ? "]" : "");
    if (a->tls == NULL) {
        return send_bytes(a, text, (size_t)size);
    }
    return tls_write(a->tls, text, (size_t)size) && send_records(a);
}

static size_t receive_some(struct asking *a, char *data, size_t size) {
    enum tls_step step = TLS_MORE;
    size_t count = 0;
    if (a->tls == NULL) {
        return receive_bytes(a, data, size);
    }
    do {
        step = tls_read(a->tls, data, size, &count);
    } while (step == TLS_MORE && feed_records(a));
    return count;
}

static void receive_response(struct asking *a) {
    size_t count = 1;
    while (a->size < HEALTH_ANSWER_MAX - 1 && count != 0) {
        count = receive_some(a, a->response + a->size, HEALTH_ANSWER_MAX - 1 - a->size);
        a->size += count;
    }
    a->response[a->size] = '\0';
}

/* Nothing secret is sent, and the instance has read its files at another moment than we: another
 * certificate than theirs is worth a word, and no reason to call it ill. */
static void compare_certificates(const struct asking *a) {
    const char *own = a->target->own_certificate;
    if (own != NULL && !tls_client_saw(a->tls, own)) {
        say("warning: it shows another certificate than the one in %s", own);
    }
}

static bool open_tls(struct asking *a) {
    const struct tls_client_options options = {.ca = slice_of_string(a->target->ca_file),
                                               .believes_all = a->target->believes_all};
    char storage[512];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    a->context = tls_client_context_new(&options, &error, NULL);
    a->tls = a->context == NULL ? NULL : tls_session_new(a->context, &a->blocks);
    storage[error.size] = '\0';
    if (!tls_client_host_is_valid(slice_of_string(a->target->host))) {
        char host[100];
        say("TLS: no certificate can be for this host: %s",
            visible(slice_of_string(a->target->host), host, sizeof host));
        return false;
    }
    if (a->tls == NULL || !tls_client_expect(a->tls, a->target->host)) {
        say("TLS: %s", error.size == 0 ? "not enough memory" : storage);
        return false;
    }
    return true;
}

static void close_tls(struct asking *a) {
    tls_session_free(a->tls);
    tls_context_free(a->context);
    block_pool_fini(&a->blocks);
}

static bool start_tls(struct asking *a) {
    if (!open_tls(a) || !shake_hands(a)) {
        return false;
    }
    compare_certificates(a);
    return true;
}

/* "HTTP/1.1 200 …": the number; 0: it is none. */
static unsigned status_of(const char *response) {
    unsigned long long status;
    struct slice digits = slice_of(response + sizeof "HTTP/1.1 " - 1, 3);
    bool has_status = strlen(response) > sizeof "HTTP/1.1 200" - 1 &&
                      strncmp(response, "HTTP/1.1 ", sizeof "HTTP/1.1 " - 1) == 0;
    return has_status && slice_to_number(digits, 999, &status) ? (unsigned)status : 0;
}

static void take_answer(const struct asking *a, struct health_answer *answer) {
    const char *body = strstr(a->response, "\r\n\r\n");
    struct slice text = slice_of_string(body == NULL ? "" : body + 4);
    while (text.size > 0 && text.data[text.size - 1] == '\n') {
        text.size--;
    }
    answer->status = body == NULL ? 0 : status_of(a->response);
    memcpy(answer->body, text.data, text.size);
    answer->body[text.size] = '\0';
}

void health_ask(const struct health_target *target, struct health_answer *answer) {
    struct asking a = {
        .target = target, .fd = -1, .until_ns = clock_monotonic_ns() + TIMEOUT_MS * 1000000ull};
    answer->status = 0;
    answer->body[0] = '\0';
    answer->is_connected = target->is_unix ? connect_unix(&a) : connect_tcp(&a);
    if (!answer->is_connected) {
        return;
    }
    if ((!target->is_tls || start_tls(&a)) && send_request(&a)) {
        receive_response(&a);
        take_answer(&a, answer);
        if (answer->status == 0) {
            say("%s: no answer in HTTP", target->host);
        }
    } else if (!target->is_tls || a.tls != NULL) {
        say("%s: no answer", target->host);
    }
    close_tls(&a);
    close(a.fd);
}
