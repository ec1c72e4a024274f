/* health.h: asks an instance over HTTP whether it is ready, for health checks of containers without
 * a shell. */
#ifndef MINTCTL_HEALTH_H
#define MINTCTL_HEALTH_H

/* Gets the URL (http://host[:port]/path) and waits 3 s at most. Returns the exit status: 0 for a
 * 200, 1 for anything else, 2 for a URL that is none; a line on standard output or standard error
 * says what it was. */
int health_check(const char *url);

#endif
