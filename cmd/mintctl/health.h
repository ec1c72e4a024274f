/* health.h: asks an instance over HTTP whether it is ready, for health checks of containers without
 * a shell. */
#ifndef MINTCTL_HEALTH_H
#define MINTCTL_HEALTH_H

#include <stdbool.h>

#define HEALTH_PART_MAX 256
#define HEALTH_ANSWER_MAX 4096u

/* One place to ask. */
struct health_target {
    bool is_unix, is_tls;
    char host[HEALTH_PART_MAX]; /* a name or an address; the path of a unix socket */
    char port[8], path[HEALTH_PART_MAX];
    /* Whom to believe, where there is TLS. */
    bool believes_all;
    const char *ca_file;         /* NULL: the system's authorities */
    const char *own_certificate; /* of the instance itself: what it shows is compared with it */
};

/* http://host[:port][/path], https://…, unix:/path; without a path it is /readyz. False: it is
 * none. */
bool health_target_read(const char *url, struct health_target *target);
/* What a listener of MINTD_LISTEN ("host:port") is asked by, from this machine: one or two places.
 * 0: it is none. */
unsigned health_targets_of_listener(const char *address, struct health_target targets[2]);

struct health_answer {
    bool is_connected;            /* something was reached */
    unsigned status;              /* of HTTP; 0: it said nothing of that kind */
    char body[HEALTH_ANSWER_MAX]; /* the end of lines cut off; ends with a NUL */
};

/* Each address of the place, 3 s at most together. What is wrong with TLS, and that nothing comes
 * from what was reached, is said on standard error; the rest is the caller's to tell. */
void health_ask(const struct health_target *target, struct health_answer *answer);

#endif
