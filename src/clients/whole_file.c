#include "clients/whole_file.h"
#include "mintd/patient_read.h"
#include "mintd/say.h"
#include "mintd/text_flaw.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static size_t without_newline(const char *text, size_t size) {
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        size--;
    }
    return size;
}

/* `name` is fit to be shown. */
static bool read_all(int fd, const char *name, char *storage, size_t capacity, size_t *size) {
    int error = patient_read(fd, storage, capacity, size);
    enum text_flaw flaw = text_flaw(slice_of(storage, *size));
    if (error == ETIMEDOUT) {
        say("%s: nothing more came from it for 5 s", name);
    } else if (error != 0) {
        say("%s: cannot be read: %s", name, strerror(error));
    } else if (*size == capacity) {
        say("%s: it is longer than %zu bytes", name, capacity - 1);
    } else if (flaw != TEXT_FLAWLESS && flaw != TEXT_FLAW_BLANK) {
        say("%s: %s", name, text_flaw_words(flaw));
    } else {
        *size = without_newline(storage, *size);
        return true;
    }
    return false;
}

bool whole_file_read(const char *path, char *storage, size_t capacity, size_t *size) {
    char name[PATH_SHOWN_MAX]; /* a file of clients may have named it, whoever wrote that */
    visible(slice_of_string(path), name, sizeof name);
    *size = 0;
    int fd = patient_open(path);
    if (fd < 0) {
        say("%s: cannot be read: %s", name, strerror(errno));
        return false;
    }
    bool done = read_all(fd, name, storage, capacity, size);
    close(fd);
    return done;
}

bool whole_input_read(char *storage, size_t capacity, size_t *size) {
    return read_all(STDIN_FILENO, "standard input", storage, capacity, size);
}
