#include "input.h"
#include "mintd/crypto.h"
#include "output.h"
#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define INPUT_SECRET_MAX 1100u /* more than a secret may have */

static size_t without_newline(const char *text, size_t size) {
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        size--;
    }
    return size;
}

/* Byte by byte: what stands behind the line is left to others, and there is no buffer to wipe. */
static bool read_line(char *storage, size_t capacity, size_t *size) {
    *size = 0;
    while (*size < capacity) {
        ssize_t count = read(STDIN_FILENO, storage + *size, 1);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0 || storage[*size] == '\n') {
            *size = without_newline(storage, *size);
            return true;
        }
        (*size)++;
    }
    return false;
}

static bool set_echo(bool on) {
    struct termios terminal;
    if (tcgetattr(STDIN_FILENO, &terminal) != 0) {
        return false;
    }
    if (on) {
        terminal.c_lflag |= ECHO;
    } else {
        terminal.c_lflag &= ~(tcflag_t)ECHO;
    }
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal) == 0;
}

bool input_read_line(const char *prompt, char *storage, size_t capacity, size_t *size) {
    bool hides = isatty(STDIN_FILENO) && set_echo(false);
    if (hides) {
        fprintf(stderr, "%s: ", prompt);
    }
    bool fits = read_line(storage, capacity, size);
    if (hides) {
        set_echo(true);
        fputc('\n', stderr);
    }
    if (!fits || *size == 0) {
        say(fits ? "standard input: there is no %s" : "standard input: the %s is too long", prompt);
        return false;
    }
    return true;
}

bool input_read_new_secret(char *storage, size_t capacity, size_t *size) {
    char again[INPUT_SECRET_MAX];
    size_t again_size = 0;
    if (!input_read_line("secret", storage, capacity, size)) {
        return false;
    }
    if (!isatty(STDIN_FILENO)) {
        return true;
    }
    size_t room = capacity < sizeof again ? capacity : sizeof again;
    bool same = input_read_line("the same secret again", again, room, &again_size) &&
                crypto_equal(slice_of(storage, *size), slice_of(again, again_size));
    if (!same && again_size != 0) {
        say("the two are not the same: nothing was changed");
    }
    crypto_wipe(again, sizeof again);
    return same;
}

enum input_answer input_confirm(bool yes, const char *question) {
    char answer[8];
    size_t size;
    if (yes) {
        return INPUT_YES;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        say("there is no terminal to ask on: say --yes");
        return INPUT_NOBODY;
    }
    fprintf(stderr, "%s [y/N] ", question);
    bool is_yes = read_line(answer, sizeof answer, &size) && size > 0 &&
                  (answer[0] == 'y' || answer[0] == 'Y');
    return is_yes ? INPUT_YES : INPUT_NO;
}

bool input_read_operand(char *text, const char *prompt, char *storage, size_t capacity,
                        size_t *size) {
    if (strcmp(text, "-") == 0) {
        return input_read_line(prompt, storage, capacity, size);
    }
    *size = strlen(text);
    if (*size > capacity) {
        say("the %s is too long", prompt);
        crypto_wipe(text, *size);
        return false;
    }
    memcpy(storage, text, *size);
    crypto_wipe(text, *size);
    return true;
}
