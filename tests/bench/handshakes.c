/* handshakes PORT SECONDS CONNECTIONS full|resumed: TLS 1.3 connections to 127.0.0.1, each with one
 * request (standard input) and the answer to it, as often as they can be had.
 *
 * So many threads do the same: connect, shake hands, ask, read to the end, which the server makes
 * since the request says "Connection: close". "resumed" offers what the last connection got; one
 * that is not resumed is counted as refused, as one that is where none should be. Prints the line
 * that load.lua prints too. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_TIMES 1000000u
#define MOST_THREADS 64u

struct client {
    pthread_t thread;
    SSL_CTX *context;
    SSL_SESSION *session; /* from the last connection; NULL: none */
};

static struct sockaddr_in server;
static char request[4096];
static int request_size;
static bool resumes;
static double deadline;
static _Atomic unsigned done, refused, broken;
static float times[MOST_TIMES]; /* microseconds */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int on_session(SSL *ssl, SSL_SESSION *session) {
    struct client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(client->session);
    client->session = session;
    return 1;
}

static bool ask(SSL *ssl) {
    char answer[16384];
    bool is_good = false, is_first = true;
    if (SSL_write(ssl, request, request_size) != request_size) {
        return false;
    }
    int size;
    while ((size = SSL_read(ssl, answer, sizeof answer)) > 0) {
        if (is_first) {
            is_good = size > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
            is_first = false;
        }
    }
    return is_good;
}

static bool exchange(struct client *client, int fd) {
    SSL *ssl = SSL_new(client->context);
    bool is_good = false;
    SSL_set_fd(ssl, fd);
    if (resumes && client->session != NULL) {
        SSL_set_session(ssl, client->session);
    }
    bool is_resumed = resumes && client->session != NULL;
    if (SSL_connect(ssl) == 1) {
        if ((SSL_session_reused(ssl) == 1) != is_resumed) {
            atomic_fetch_add(&refused, 1);
        }
        is_good = ask(ssl);
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    return is_good;
}

static void connect_once(struct client *client) {
    double began = now();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    bool is_good =
        connect(fd, (const struct sockaddr *)&server, sizeof server) == 0 && exchange(client, fd);
    close(fd);
    if (!is_good) {
        atomic_fetch_add(&broken, 1);
        return;
    }
    unsigned place = atomic_fetch_add(&done, 1);
    times[place % MOST_TIMES] = (float)((now() - began) * 1e6);
}

static void *run(void *argument) {
    struct client *client = argument;
    while (now() < deadline && atomic_load(&broken) < 100) {
        connect_once(client);
    }
    return NULL;
}

static void start(struct client *client) {
    client->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_app_data(client->context, client);
    SSL_CTX_set_min_proto_version(client->context, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(client->context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client->context, on_session);
    if (pthread_create(&client->thread, NULL, run, client) != 0) {
        exit(1);
    }
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static struct client clients[MOST_THREADS];
    if (argc != 5) {
        fprintf(stderr, "usage: handshakes PORT SECONDS CONNECTIONS full|resumed\n");
        return 2;
    }
    server = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned threads = (unsigned)atoi(argv[3]);
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    resumes = strcmp(argv[4], "resumed") == 0;
    request_size = (int)fread(request, 1, sizeof request, stdin);
    double began = now();
    deadline = began + atof(argv[2]);
    for (unsigned i = 0; i < threads; i++) {
        start(&clients[i]);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    double seconds = now() - began;
    unsigned count = done < MOST_TIMES ? done : MOST_TIMES;
    qsort(times, count, sizeof times[0], ascending);
    printf("bench {\"requests\": %u, \"seconds\": %.6f, \"p50\": %.1f, \"p99\": %.1f, \"refused\": "
           "%u, "
           "\"broken\": %u, \"timeouts\": 0}\n",
           done, seconds, (double)times[count / 2], (double)times[count * 99 / 100], refused,
           broken);
    return 0;
}
