/* sampler: measures how long refusals take, and whether the time tells them apart.
 *
 *     sampler PORT SAMPLES SEED same|different < requests
 *
 * A line of the input is a class and the credentials of one request, in base64: "unknown eDp5". All
 * requests go over one connection, the next when the last one is answered, in an order drawn at
 * random; within a class in turn. From the first byte written to the last byte read counts. All
 * answers have to be the same but for the values of Date and X-Request-Id (`same`; with `different`
 * they are not looked at).
 *
 * Welch's t for each pair of classes, of all samples and of those up to a percentile of all classes
 * together: outliers are the machine's, and cut for all alike. The classes count as told apart
 * where |t| reaches 4.5 in any of these. Prints what it saw. Exit status 0: as the last argument
 * says; 1: not; 2: trouble. */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BODY "grant_type=client_credentials"
#define CLASSES_MAX 8u
#define REQUESTS_MAX 64u
#define WARM_UP 5000u /* requests that are not counted, or as many as a class has samples */
#define THRESHOLD 4.5

static const double percentiles[] = {100, 99, 90, 50};
#define PERCENTILES (sizeof percentiles / sizeof percentiles[0])

struct request {
    char text[1024];
    size_t size;
};

struct class {
    char name[32];
    struct request requests[REQUESTS_MAX];
    size_t request_count, next;
    double *samples; /* nanoseconds */
    size_t count;
};

static struct class classes[CLASSES_MAX];
static size_t class_count;

_Noreturn static void trouble(const char *what) {
    fprintf(stderr, "sampler: %s\n", what);
    exit(2);
}

/* ---- input ---- */

static struct class *class_named(const char *name) {
    for (size_t i = 0; i < class_count; i++) {
        if (strcmp(classes[i].name, name) == 0) {
            return &classes[i];
        }
    }
    if (class_count == CLASSES_MAX) {
        trouble("too many classes");
    }
    struct class *class = &classes[class_count++];
    snprintf(class->name, sizeof class->name, "%s", name);
    return class;
}

static void read_requests(void) {
    char name[32], credentials[512];
    while (scanf("%31s %511s", name, credentials) == 2) {
        struct class *class = class_named(name);
        if (class->request_count == REQUESTS_MAX) {
            trouble("too many requests in a class");
        }
        struct request *request = &class->requests[class->request_count++];
        request->size = (size_t)snprintf(
            request->text, sizeof request->text,
            "POST /token HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
            credentials, strlen(BODY), BODY);
        if (request->size != classes[0].requests[0].size) {
            trouble("the requests are not of one length");
        }
    }
    if (class_count < 2) {
        trouble("two classes are needed");
    }
}

/* ---- one request ---- */

static int connect_to(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = 30};
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0) {
        trouble("cannot connect");
    }
    return fd;
}

/* The size of the answer, once its head is in; else 0. */
static size_t whole_size(char *answer, size_t size) {
    answer[size] = '\0';
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, "\r\nContent-Length:");
    if (end == NULL) {
        return 0;
    }
    if (length == NULL || length > end) {
        trouble("an answer without a length");
    }
    return (size_t)(end + 4 - answer) + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Nanoseconds; the answer is a string afterwards. */
static double ask(int fd, const struct request *request, char *answer, size_t capacity) {
    uint64_t start = now_ns();
    if (write(fd, request->text, request->size) != (ssize_t)request->size) {
        trouble("cannot write");
    }
    size_t size = 0, wanted = 0;
    while (wanted == 0 || size < wanted) {
        ssize_t got = read(fd, answer + size, capacity - 1 - size);
        if (got <= 0) {
            trouble("no answer");
        }
        size += (size_t)got;
        wanted = whole_size(answer, size);
    }
    uint64_t end = now_ns();
    if (size != wanted) {
        trouble("more than an answer");
    }
    return (double)(end - start);
}

/* Takes the value of a field out. */
static void blank(char *answer, const char *field) {
    char *value = strcasestr(answer, field);
    if (value == NULL) {
        trouble("a field is missing");
    }
    value += strlen(field);
    char *end = strstr(value, "\r\n");
    memmove(value, end, strlen(end) + 1);
}

static void compare(char *answer) {
    static char first[4096];
    blank(answer, "\r\nDate:");
    blank(answer, "\r\nX-Request-Id:");
    if (first[0] == '\0') {
        snprintf(first, sizeof first, "%s", answer);
    } else if (strcmp(first, answer) != 0) {
        fprintf(stderr, "sampler: two answers differ:\n%s\n%s\n", first, answer);
        exit(1);
    }
}

/* ---- all of them ---- */

static uint64_t random_state;

static size_t draw(size_t below) { /* splitmix64 */
    uint64_t z = (random_state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (size_t)((z ^ (z >> 31)) % below);
}

static void sample(unsigned port, size_t samples, bool same) {
    char answer[4096];
    size_t warm_up = samples < WARM_UP ? samples : WARM_UP;
    int fd = connect_to(port);
    for (size_t i = 0; i < class_count; i++) {
        classes[i].samples = calloc(samples, sizeof *classes[i].samples);
        if (classes[i].samples == NULL) {
            trouble("no memory");
        }
    }
    for (size_t sent = 0, left = samples * class_count; left != 0; sent++) {
        struct class *class = &classes[draw(class_count)];
        if (class->count == samples) {
            continue;
        }
        const struct request *request = &class->requests[class->next++ % class->request_count];
        double taken = ask(fd, request, answer, sizeof answer);
        if (same) {
            compare(answer);
        }
        if (sent >= warm_up) {
            class->samples[class->count++] = taken;
            left--;
        }
    }
    close(fd);
}

/* ---- the verdict ---- */

struct moments {
    double n, mean, variance;
};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value that so many percent of all samples do not exceed. */
static double pooled_percentile(double percent) {
    size_t all = class_count * classes[0].count, kept = 0;
    double *pool = malloc(all * sizeof *pool);
    if (pool == NULL) {
        trouble("no memory");
    }
    for (size_t i = 0; i < class_count; i++) {
        memcpy(pool + kept, classes[i].samples, classes[i].count * sizeof *pool);
        kept += classes[i].count;
    }
    qsort(pool, all, sizeof *pool, by_value);
    double value = pool[(size_t)(percent / 100 * (double)(all - 1))];
    free(pool);
    return value;
}

static struct moments moments_of(const struct class *class, double limit) {
    struct moments m = {0};
    double squares = 0;
    for (size_t i = 0; i < class->count; i++) {
        if (class->samples[i] <= limit) { /* Welford */
            double delta = class->samples[i] - m.mean;
            m.n++;
            m.mean += delta / m.n;
            squares += delta * (class->samples[i] - m.mean);
        }
    }
    m.variance = m.n > 1 ? squares / (m.n - 1) : 0;
    return m;
}

static double welch(struct moments a, struct moments b) {
    double spread = sqrt(a.variance / a.n + b.variance / b.n);
    return spread > 0 ? (a.mean - b.mean) / spread : 0;
}

/* The largest |t| of all pairs and crops. */
static double report(void) {
    double worst = 0;
    for (size_t p = 0; p < PERCENTILES; p++) {
        double limit = pooled_percentile(percentiles[p]);
        struct moments m[CLASSES_MAX];
        printf("samples up to percentile %g (%.1f us)\n", percentiles[p], limit / 1000);
        for (size_t i = 0; i < class_count; i++) {
            m[i] = moments_of(&classes[i], limit);
            printf("  %-24s n %7.0f  mean %9.3f us\n", classes[i].name, m[i].n, m[i].mean / 1000);
            for (size_t j = 0; j < i; j++) {
                double t = welch(m[i], m[j]);
                worst = fmax(worst, fabs(t));
                printf("    against %-22s t %8.2f  difference %8.1f ns%s\n", classes[j].name, t,
                       m[i].mean - m[j].mean, fabs(t) >= THRESHOLD ? "  <-- told apart" : "");
            }
        }
    }
    return worst;
}

int main(int argc, char **argv) {
    bool same = argc == 5 && strcmp(argv[4], "same") == 0;
    if (argc != 5 || (!same && strcmp(argv[4], "different") != 0)) {
        trouble("usage: sampler PORT SAMPLES SEED same|different < requests");
    }
    size_t samples = strtoul(argv[2], NULL, 10);
    random_state = strtoull(argv[3], NULL, 10);
    if (samples < 2) {
        trouble("too few samples");
    }
    read_requests();
    sample((unsigned)strtoul(argv[1], NULL, 10), samples, same);
    double worst = report();
    printf("largest |t| %.2f; told apart from %.1f on\n", worst, THRESHOLD);
    for (size_t i = 0; i < class_count; i++) {
        free(classes[i].samples);
    }
    return (worst < THRESHOLD) == same ? 0 : 1;
}
