#include "mintd/patient_read.h"
#include "mintd/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

int patient_open(const char *path) {
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* Whether there is something, or an end, before it is `until_ms`. */
static int wait_for_more(int fd, uint64_t until_ms) {
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms >= until_ms) {
        return ETIMEDOUT;
    }
    return poll(&wanted, 1, (int)(until_ms - now_ms)) < 0 && errno != EINTR ? errno : 0;
}

int patient_read(int fd, char *storage, size_t capacity, size_t *size) {
    uint64_t until_ms = clock_monotonic_ms() + PATIENT_READ_MS;
    int error = 0;
    *size = 0;
    while (*size < capacity && error == 0) {
        ssize_t count = read(fd, storage + *size, capacity - *size);
        if (count == 0) {
            return 0;
        }
        if (count > 0) {
            *size += (size_t)count;
        } else if (errno == EAGAIN) {
            error = wait_for_more(fd, until_ms);
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    return error;
}
