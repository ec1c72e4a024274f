#include "instance/notify.h"
#include "mintd/clock.h"
#include "mintd/log.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE_MAX (NOTIFY_STATUS_MAX + 100u)
#define WATCHDOG_MAX_US UINT64_C(86400000000) /* a day */

/* ---- the environment ---- */

static void warn(const char *variable, const char *problem) {
    log_warning("the service manager is not told how mintd is", LOG_STRING("setting", variable),
                LOG_STRING("problem", problem));
}

static bool read_number(const char *text, uint64_t most, uint64_t *number) {
    unsigned long long parsed;
    bool ok = text != NULL && slice_to_number(slice_of_string(text), most, &parsed);
    *number = ok ? parsed : 0;
    return ok;
}

/* False: there is none, or it makes no sense, which is logged. */
static bool read_address(struct notify *notify) {
    const char *name = getenv("NOTIFY_SOCKET");
    size_t size = name == NULL ? 0 : strlen(name);
    if (size == 0) {
        return false;
    }
    if (name[0] != '/' && name[0] != '@') {
        warn("NOTIFY_SOCKET", "it is a path, or @ and a name");
        return false;
    }
    if (size < 2 || size >= sizeof notify->address.sun_path) {
        warn("NOTIFY_SOCKET", "it is too short or too long");
        return false;
    }
    bool is_abstract = name[0] == '@';
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, size + 1);
    if (is_abstract) {
        notify->address.sun_path[0] = '\0'; /* and no NUL at its end */
    }
    notify->address_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (is_abstract ? 0 : 1));
    return true;
}

/* WATCHDOG_PID names the process that is watched: a parent of ours may be meant. */
static void read_watchdog(struct notify *notify) {
    const char *period = getenv("WATCHDOG_USEC"), *owner = getenv("WATCHDOG_PID");
    uint64_t us, pid;
    if (period == NULL ||
        (owner != NULL && (!read_number(owner, INT32_MAX, &pid) || pid != (uint64_t)getpid()))) {
        return;
    }
    if (!read_number(period, WATCHDOG_MAX_US, &us) || us == 0) {
        log_warning("the watchdog is off", LOG_STRING("setting", "WATCHDOG_USEC"),
                    LOG_STRING("problem", "it is a number of microseconds, a day at most"));
        return;
    }
    notify->watchdog_ms = us < 2000 ? 2 : us / 1000;
}

void notify_open(struct notify *notify) {
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    const struct timeval wait = {.tv_sec = NOTIFY_WAIT_MS / 1000};
    memset(notify, 0, sizeof *notify);
    notify->fd = -1;
    if (read_address(notify)) {
        read_watchdog(notify);
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (notify->fd < 0 ||
            setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0) {
            warn("NOTIFY_SOCKET", strerror(errno));
            notify_close(notify);
        }
    }
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        unsetenv(variables[i]);
    }
}

void notify_close(struct notify *notify) {
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    notify->fd = -1;
    notify->watchdog_ms = 0;
}

bool notify_is_on(const struct notify *notify) {
    return notify->fd >= 0;
}

/* ---- messages ---- */

static bool send_message(struct notify *notify, const char *message) {
    if (notify->fd < 0) {
        return false;
    }
    size_t size = strlen(message);
    ssize_t sent;
    do {
        sent = sendto(notify->fd, message, size, MSG_NOSIGNAL,
                      (const struct sockaddr *)&notify->address, notify->address_size);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && !notify->told_failure) {
        log_warning("the service manager cannot be told how mintd is",
                    LOG_STRING("problem", strerror(errno)));
    }
    notify->told_failure = sent < 0;
    return sent >= 0;
}

/* A state, and the status that goes with it. */
static bool send_state(struct notify *notify, const char *state, const char *status) {
    char message[MESSAGE_MAX];
    snprintf(notify->status, sizeof notify->status, "%s", status);
    snprintf(message, sizeof message, "%sSTATUS=%s", state, notify->status);
    bool sent = send_message(notify, message);
    if (!sent) {
        notify->status[0] = '\0'; /* the next one is not the same */
    }
    return sent;
}

bool notify_ready(struct notify *notify, const char *status) {
    return send_state(notify, "READY=1\n", status);
}

/* Without the time, a manager cannot tell whether READY=1 belongs to this reload. */
bool notify_reloading(struct notify *notify, const char *status) {
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu\n",
             (unsigned long long)(clock_monotonic_ns() / 1000));
    return send_state(notify, state, status);
}

bool notify_stopping(struct notify *notify, const char *status) {
    return send_state(notify, "STOPPING=1\n", status);
}

bool notify_status(struct notify *notify, const char *status) {
    return strncmp(notify->status, status, sizeof notify->status - 1) == 0 ||
           send_state(notify, "", status);
}

bool notify_alive(struct notify *notify) {
    return send_message(notify, "WATCHDOG=1");
}
