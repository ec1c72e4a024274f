/* screen.h: the whole terminal for a program that goes on showing the same: its other screen, keys
 * as they are pressed, nothing echoed. However the program ends (screen_end(), SIGINT, SIGTERM,
 * SIGHUP, SIGQUIT, a crash), the terminal is what it was; Ctrl-Z gives it back for so long. */
#ifndef MINTCTL_SCREEN_H
#define MINTCTL_SCREEN_H

#include <stdbool.h>

/* False: standard input and standard output are not both a terminal. Once in a process. */
bool screen_start(void);
void screen_end(void);

struct screen_size {
    unsigned rows, columns;
};
/* As the terminal says now; 24 by 80 where it does not. */
struct screen_size screen_size(void);

enum screen_event {
    SCREEN_TIME,  /* the time is over */
    SCREEN_KEY,   /* one was pressed */
    SCREEN_AGAIN, /* the size has changed, or the screen has to be drawn anew */
    SCREEN_GONE,  /* there is no terminal any more */
};
enum screen_event screen_wait(unsigned milliseconds, char *key);

#endif
