/* notify.h: tells the service manager that started mintd how it is, as sd_notify(3) does it: one
 * datagram a message, to the socket that NOTIFY_SOCKET names. Without libsystemd.
 *
 * Where NOTIFY_SOCKET is not set, all calls do nothing. A message waits for room in the socket for
 * NOTIFY_WAIT_MS at most, so the caller is the main thread, which serves no requests. */
#ifndef MINTD_INSTANCE_NOTIFY_H
#define MINTD_INSTANCE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_STATUS_MAX 200u /* bytes, with the NUL */
#define NOTIFY_WAIT_MS 1000u

struct notify {
    int fd; /* -1: there is no service manager that listens */
    struct sockaddr_un address;
    socklen_t address_size;
    uint64_t watchdog_ms; /* it acts when it hears no notify_alive() for so long; 0: it does not */
    char status[NOTIFY_STATUS_MAX]; /* what was said last */
    bool told_failure;
};

/* Reads NOTIFY_SOCKET (a path, or "@name" for the abstract namespace), WATCHDOG_USEC and
 * WATCHDOG_PID, and removes them from the environment: children are not to use them. Call it while
 * there is one thread only. What is wrong with them is logged, and then nobody is told. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);
bool notify_is_on(const struct notify *notify);

/* Each returns whether the message was sent; a failure is logged once until one succeeds. `status`
 * is one line for people. */
bool notify_ready(struct notify *notify, const char *status);
bool notify_reloading(struct notify *notify, const char *status);
bool notify_stopping(struct notify *notify, const char *status);
bool notify_status(struct notify *notify, const char *status); /* not sent where it is the same */
bool notify_alive(struct notify *notify);

#endif
