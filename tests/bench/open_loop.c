/* open_loop.c: requests by the clock, whether or not the ones before are answered (open loop).
 *
 *      open_loop --address 127.0.0.1:4001 --connections 6000 --phase 20000:3 --phase 60000:5
 * FILE...
 *
 * Each file is a whole request, a kind; arrival n is of kind n modulo their number. A phase is a
 * rate (a second) and how many seconds it lasts. An arrival takes the connection that has been
 * free for longest. Its latency counts from the moment that it was due, so a server that is slow
 * cannot slow the load down and look better by it (coordinated omission). Where no connection is
 * free it is not sent, and is counted: a server that answers too few a second is told by that.
 * With --patient a connection that was answered with Retry-After rests for so long. A connection
 * that breaks is opened again; the request on it counts as broken. With --resend it is sent once
 * more, on a new connection, and counted as resent, where nothing of an answer had come: a server
 * may close a kept connection at any time (RFC 9112, 9.3.1). With --fresh each arrival has a
 * connection of its own, of so many that are open at once.
 *
 * A line of JSON for each phase, of the requests that were due in it: answers by status with their
 * latency, for each kind; what was broken or is unanswered; how late this program itself was.
 *
 * One thread. It sends what is due, then takes what has come: each costs it some 5 us. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KINDS_MAX 8u
#define PHASES_MAX 8u
#define REQUEST_MAX 4096u
#define ANSWER_MAX 4096u            /* bytes of an answer's head and body that are read at once */
#define BUCKET_NS 100000u           /* of the histograms: 0.1 ms */
#define BUCKETS 100000u             /* up to 10 s */
#define SENDS_AT_ONCE 64u           /* then it looks for answers */
#define END_NS UINT64_C(3000000000) /* answers are waited for behind the last phase */

enum outcome { SERVED, REFUSED, OTHER, OUTCOMES };

struct histogram {
    uint64_t count;
    uint32_t buckets[BUCKETS];
};

struct kind {
    char request[REQUEST_MAX];
    size_t size;
};

struct phase {
    double rate;
    uint64_t begin_ns, end_ns;
    uint64_t due, unsent, broken, resent;
    uint64_t answered_within[OUTCOMES]; /* while the phase lasted, whenever they were due */
    uint64_t late_ns;                   /* of this program, at most */
    struct histogram *seen[KINDS_MAX][OUTCOMES];
};

struct arrival {
    uint64_t due_ns;
    uint8_t kind, phase;
};

struct connection {
    int fd;
    bool is_connected, is_busy;
    bool was_resent;
    bool is_listed; /* among the free ones, though it may have been closed since */
    struct arrival arrival;
    size_t got;       /* bytes of the answer */
    size_t body_left; /* once its head is in */
    bool head_is_in;
    unsigned status, retry_after_s;
    char head[ANSWER_MAX];
    uint64_t rests_until_ns;
    struct connection *next_free; /* or the next that rests */
};

static struct sockaddr_in address;
static struct kind kinds[KINDS_MAX];
static unsigned kind_count;
static struct phase phases[PHASES_MAX];
static unsigned phase_count, phase_now;
static struct connection *connections, *free_first, **free_last = &free_first;
static struct connection *resting_first, **resting_last = &resting_first;
static bool is_patient, resends, is_fresh, has_begun;
static unsigned connection_count = 64, connected, reopened;
static int epoll_fd;

static void die(const char *what) {
    fprintf(stderr, "open_loop: %s: %s\n", what, errno == 0 ? "wrong" : strerror(errno));
    exit(2);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- what was seen ---- */

static void note(const struct arrival *arrival, unsigned status, uint64_t at_ns) {
    enum outcome outcome = status / 100 == 2 ? SERVED : status == 503 ? REFUSED : OTHER;
    struct histogram **place = &phases[arrival->phase].seen[arrival->kind][outcome];
    if (*place == NULL && (*place = calloc(1, sizeof **place)) == NULL) {
        die("memory");
    }
    uint64_t bucket = (at_ns - arrival->due_ns) / BUCKET_NS;
    (*place)->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    (*place)->count++;
    phases[phase_now].answered_within[outcome]++;
}

static double percentile_ms(const struct histogram *h, double share) {
    uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > wanted || seen == h->count) {
            return (i + 1) * (BUCKET_NS / 1e6);
        }
    }
    return 0;
}

static void print_histogram(const char *name, const struct histogram *h) {
    printf("\"%s\":{\"count\":%llu", name, (unsigned long long)(h == NULL ? 0 : h->count));
    if (h != NULL) {
        printf(",\"p50_ms\":%.1f,\"p99_ms\":%.1f,\"max_ms\":%.1f", percentile_ms(h, 0.5),
               percentile_ms(h, 0.99), percentile_ms(h, 1));
    }
    printf("}");
}

static void print_phase(const struct phase *phase) {
    double seconds = (double)(phase->end_ns - phase->begin_ns) / 1e9;
    uint64_t answered = 0;
    printf("{\"rate\":%.0f,\"seconds\":%.3f,\"due\":%llu,\"kinds\":[", phase->rate, seconds,
           (unsigned long long)phase->due);
    for (unsigned kind = 0; kind < kind_count; kind++) {
        printf("%s{", kind == 0 ? "" : ",");
        static const char *const names[] = {"served", "refused", "other"};
        for (unsigned outcome = 0; outcome < OUTCOMES; outcome++) {
            const struct histogram *h = phase->seen[kind][outcome];
            printf("%s", outcome == 0 ? "" : ",");
            print_histogram(names[outcome], h);
            answered += h == NULL ? 0 : h->count;
        }
        printf("}");
    }
    printf("],\"served_within_per_s\":%.1f,\"refused_within_per_s\":%.1f,\"unsent\":%llu,"
           "\"broken\":%llu,\"resent\":%llu,\"unanswered\":%llu,\"late_ms\":%.1f}\n",
           (double)phase->answered_within[SERVED] / seconds,
           (double)phase->answered_within[REFUSED] / seconds, (unsigned long long)phase->unsent,
           (unsigned long long)phase->broken, (unsigned long long)phase->resent,
           (unsigned long long)(phase->due - phase->unsent - answered - phase->broken),
           (double)phase->late_ns / 1e6);
}

/* ---- connections ---- */

static void set_free(struct connection *c) {
    c->is_busy = c->was_resent = false;
    c->got = c->body_left = 0;
    c->head_is_in = false;
    if (!c->is_listed) {
        c->is_listed = true;
        c->next_free = NULL;
        *free_last = c;
        free_last = &c->next_free;
    }
}

/* In the order of their times, as long as a server always says the same. */
static void rest(struct connection *c, uint64_t until_ns) {
    c->rests_until_ns = until_ns;
    c->next_free = NULL;
    *resting_last = c;
    resting_last = &c->next_free;
}

static void wake_rested(uint64_t now) {
    while (resting_first != NULL && resting_first->rests_until_ns <= now) {
        struct connection *c = resting_first;
        resting_first = c->next_free;
        if (resting_first == NULL) {
            resting_last = &resting_first;
        }
        set_free(c);
    }
}

static struct connection *take_free(void) {
    struct connection *c;
    do {
        c = free_first;
        if (c != NULL && (free_first = c->next_free) == NULL) {
            free_last = &free_first;
        }
        if (c != NULL) {
            c->is_listed = false;
        }
    } while (c != NULL && !is_fresh && !c->is_connected);
    return c;
}

static void open_connection(struct connection *c) {
    const int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        die("socket");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->is_connected = false;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    if ((connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        die("connect");
    }
}

/* Closed by the server while it rested. */
static void end_rest(struct connection *c) {
    struct connection **at = &resting_first;
    while (*at != NULL && *at != c) {
        at = &(*at)->next_free;
    }
    if (*at != NULL) {
        *at = c->next_free;
        if (resting_last == &c->next_free) {
            resting_last = at;
        }
    }
}

/* One of --fresh: it leaves nothing behind in the kernel, so that its port is free again. */
static void end_fresh(struct connection *c) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(c->fd);
    set_free(c);
}

static bool may_be_resent(const struct connection *c) {
    return resends && !c->was_resent && c->got == 0;
}

static void reopen(struct connection *c) {
    struct phase *phase = &phases[c->arrival.phase];
    if (is_fresh) {
        phase->broken++;
        end_fresh(c);
        return;
    }
    if (c->is_busy && may_be_resent(c)) {
        phase->resent++;
        c->was_resent = true; /* once it is connected */
    } else if (c->is_busy) {
        phase->broken++;
        c->is_busy = c->was_resent = false;
    } else if (!c->is_listed) { /* else it is passed over until it is connected */
        end_rest(c);
    }
    close(c->fd);
    c->got = c->body_left = 0;
    c->head_is_in = false;
    connected -= c->is_connected ? 1 : 0;
    reopened++;
    open_connection(c);
}

static void send_request(struct connection *c) {
    const struct kind *kind = &kinds[c->arrival.kind];
    if (send(c->fd, kind->request, kind->size, MSG_NOSIGNAL) != (ssize_t)kind->size) {
        reopen(c);
    }
}

/* ---- answers ---- */

static bool read_head(struct connection *c) {
    char *end = memmem(c->head, c->got, "\r\n\r\n", 4);
    if (end == NULL) {
        return false;
    }
    *end = '\0';
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    size_t head_size = (size_t)(end + 4 - c->head);
    size_t body_size = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
    c->status = (unsigned)strtoul(c->head + 9, NULL, 10);
    const char *retry_after = strcasestr(c->head, "\r\nretry-after:");
    c->retry_after_s = retry_after == NULL ? 0 : (unsigned)strtoul(retry_after + 14, NULL, 10);
    c->head_is_in = true;
    c->body_left = body_size - (c->got - head_size);
    return true;
}

/* One request is under way on it at most, so nothing comes behind its answer. */
static void on_readable(struct connection *c) {
    ssize_t count = recv(c->fd, c->head + c->got, sizeof c->head - 1 - c->got, MSG_DONTWAIT);
    if (count <= 0) {
        if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            reopen(c);
        }
        return;
    }
    if (!c->is_busy) {
        return; /* a word ahead of its end, that nobody asked for: HAProxy's 408 */
    }
    c->got += (size_t)count;
    c->head[c->got] = '\0';
    if (c->head_is_in) {
        c->body_left -= (size_t)count;
    } else if (!read_head(c)) {
        return;
    }
    if (c->body_left == 0) {
        uint64_t now = now_ns();
        note(&c->arrival, c->status, now);
        c->is_busy = false;
        if (is_fresh) {
            end_fresh(c);
        } else if (is_patient && c->retry_after_s != 0) {
            rest(c, now + c->retry_after_s * UINT64_C(1000000000));
        } else {
            set_free(c);
        }
    }
}

static void on_connected(struct connection *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 && !has_begun) {
        errno = error;
        die("connect");
    }
    if (error != 0) {
        c->is_busy = true; /* also where it is one that is opened again: its client has failed */
        c->was_resent = true;
        reopen(c);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->is_connected = true;
    connected++;
    if (c->is_busy) {
        send_request(c);
    } else {
        set_free(c);
    }
}

static void take_events(int timeout_ms) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll_fd, events, 256, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->is_connected) {
            on_readable(c);
        } else {
            on_connected(c);
        }
    }
}

static void connect_all(void) {
    connections = calloc(connection_count, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || epoll_fd < 0) {
        die("memory");
    }
    for (unsigned i = 0; i < connection_count; i++) {
        if (is_fresh) {
            set_free(&connections[i]);
            continue;
        }
        open_connection(&connections[i]);
        while (i - connected > 64 && i > connected) {
            take_events(10);
        }
    }
    while (!is_fresh && connected < connection_count) {
        take_events(10);
    }
}

/* ---- the clock ---- */

static void arrive(struct arrival arrival, uint64_t now) {
    struct connection *c = take_free();
    struct phase *phase = &phases[arrival.phase];
    phase->due++;
    if (now - arrival.due_ns > phase->late_ns) {
        phase->late_ns = now - arrival.due_ns;
    }
    if (c == NULL) {
        phase->unsent++;
        return;
    }
    c->arrival = arrival;
    c->is_busy = true;
    if (is_fresh) {
        open_connection(c);
    } else {
        send_request(c);
    }
}

static void run_phase(struct phase *phase, unsigned index) {
    uint64_t sent = 0;
    double interval_ns = 1e9 / phase->rate;
    phase_now = index;
    for (;;) {
        uint64_t now = now_ns(), due_ns = 0;
        wake_rested(now);
        for (unsigned i = 0; i < SENDS_AT_ONCE; i++) {
            due_ns = phase->begin_ns + (uint64_t)((double)sent * interval_ns);
            if (due_ns > now || due_ns >= phase->end_ns) {
                break;
            }
            arrive((struct arrival){due_ns, (uint8_t)(sent % kind_count), (uint8_t)index}, now);
            sent++;
        }
        if (now >= phase->end_ns) {
            return;
        }
        take_events(due_ns > now ? (int)((due_ns - now + 999999) / 1000000) : 0);
    }
}

static void run(void) {
    uint64_t begin_ns = now_ns() + 50000000;
    has_begun = true;
    for (unsigned i = 0; i < phase_count; i++) {
        uint64_t length_ns = phases[i].end_ns;
        phases[i].begin_ns = begin_ns;
        begin_ns = phases[i].end_ns = begin_ns + length_ns;
    }
    for (unsigned i = 0; i < phase_count; i++) {
        run_phase(&phases[i], i);
    }
    uint64_t until_ns = now_ns() + END_NS;
    bool is_open = true;
    while (is_open && now_ns() < until_ns) {
        take_events(10);
        is_open = false;
        for (unsigned i = 0; i < connection_count && !is_open; i++) {
            is_open = connections[i].is_busy;
        }
    }
    for (unsigned i = 0; i < phase_count; i++) {
        print_phase(&phases[i]);
    }
}

/* ---- arguments ---- */

static void read_kind(const char *path) {
    struct kind *kind = &kinds[kind_count++];
    FILE *file = fopen(path, "rb");
    if (kind_count > KINDS_MAX || file == NULL) {
        die(path);
    }
    kind->size = fread(kind->request, 1, sizeof kind->request, file);
    fclose(file);
}

static void read_phase(const char *text) {
    char *end;
    struct phase *phase = &phases[phase_count++];
    phase->rate = strtod(text, &end);
    double seconds = *end == ':' ? strtod(end + 1, NULL) : 0;
    phase->end_ns = (uint64_t)(seconds * 1e9); /* until it begins */
    if (phase_count > PHASES_MAX || phase->rate <= 0 || seconds <= 0) {
        die("--phase RATE:SECONDS");
    }
}

static void read_address(const char *text) {
    char host[64] = "";
    const char *colon = strchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        die("--address");
    }
    memcpy(host, text, (size_t)(colon - text));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        die("--address");
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        errno = 0;
        if (strcmp(argv[i], "--address") == 0 && i + 1 < argc) {
            read_address(argv[++i]);
        } else if (strcmp(argv[i], "--connections") == 0 && i + 1 < argc) {
            connection_count = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--phase") == 0 && i + 1 < argc) {
            read_phase(argv[++i]);
        } else if (strcmp(argv[i], "--patient") == 0) {
            is_patient = true;
        } else if (strcmp(argv[i], "--resend") == 0) {
            resends = true;
        } else if (strcmp(argv[i], "--fresh") == 0) {
            is_fresh = true;
        } else {
            read_kind(argv[i]);
        }
    }
    if (kind_count == 0 || phase_count == 0 || connection_count == 0 || address.sin_port == 0) {
        errno = 0;
        die("--address HOST:PORT --connections N --phase RATE:SECONDS... FILE...");
    }
    connect_all();
    run();
    return 0;
}
