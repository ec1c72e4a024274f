/* screen.c: handlers call only what is safe in one: write(), tcsetattr(), raise(). */
#include "screen.h"
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The other screen, without a cursor; and back. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static struct termios before, during;
static volatile sig_atomic_t is_on, draw_again;

static void put(const char *text, size_t size) {
    ssize_t written = write(STDOUT_FILENO, text, size);
    (void)written; /* a terminal that is gone has nobody to be told */
}

static void enter(void) {
    tcsetattr(STDIN_FILENO, TCSADRAIN, &during);
    put(ENTER, sizeof ENTER - 1);
    is_on = 1;
}

static void leave(void) {
    if (is_on) {
        is_on = 0;
        put(LEAVE, sizeof LEAVE - 1);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    }
}

/* SA_RESETHAND: raised again it does what it does by itself, as soon as this returns. */
static void on_end(int number) {
    leave();
    raise(number);
}

/* Goes on behind raise() when the shell brings it to the front. */
static void on_stop(int number) {
    (void)number;
    leave();
    raise(SIGSTOP);
    enter();
    draw_again = 1;
}

static void on_resize(int number) {
    (void)number;
    draw_again = 1;
}

static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigfillset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void set_handlers(void) {
    static const int ends[] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT, SIGSEGV,
                               SIGABRT, SIGBUS,  SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        handle(ends[i], on_end, (int)SA_RESETHAND);
    }
    handle(SIGTSTP, on_stop, SA_RESTART);
    handle(SIGWINCH, on_resize, SA_RESTART);
}

bool screen_start(void) {
    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) {
        return false;
    }
    during = before;
    during.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    during.c_cc[VMIN] = 1;
    during.c_cc[VTIME] = 0;
    set_handlers();
    enter();
    return true;
}

void screen_end(void) {
    leave();
}

struct screen_size screen_size(void) {
    struct winsize size = {0};
    struct screen_size usual = {24, 80};
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col;
    return is_known ? (struct screen_size){size.ws_row, size.ws_col} : usual;
}

/* What has come ahead of the wait is not missed: these signals are let in only within ppoll(). */
enum screen_event screen_wait(unsigned milliseconds, char *key) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    struct timespec time = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    sigset_t held, usual;
    int count = 0;
    sigemptyset(&held);
    sigaddset(&held, SIGWINCH);
    sigaddset(&held, SIGTSTP);
    sigprocmask(SIG_BLOCK, &held, &usual);
    if (!draw_again) {
        count = ppoll(&input, 1, &time, &usual);
    }
    sigprocmask(SIG_SETMASK, &usual, NULL);
    if (draw_again) {
        draw_again = 0;
        return SCREEN_AGAIN;
    }
    if (count == 0) {
        return SCREEN_TIME;
    }
    if (count < 0) {
        return SCREEN_AGAIN;
    }
    return read(STDIN_FILENO, key, 1) == 1 ? SCREEN_KEY : SCREEN_GONE;
}
