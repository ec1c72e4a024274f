#include "clients/whole_file.h"
#include "mintd/say.h"
#include "mintd/text_flaw.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool read_all(int fd, const char *name, char *storage, size_t capacity, size_t *size) {
    *size = 0;
    while (*size < capacity) {
        ssize_t count = read(fd, storage + *size, capacity - *size);
        if (count == 0) {
            return true;
        }
        if (count < 0 && errno != EINTR) {
            say("%s: cannot be read: %s", name, strerror(errno));
            return false;
        }
        *size += count > 0 ? (size_t)count : 0;
    }
    say("%s: it is longer than %zu bytes", name, capacity - 1);
    return false;
}

static size_t without_newline(const char *text, size_t size) {
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        size--;
    }
    return size;
}

bool whole_file_read(const char *path, char *storage, size_t capacity, size_t *size) {
    char name[PATH_SHOWN_MAX]; /* a file of clients may have named it, whoever wrote that */
    visible(slice_of_string(path), name, sizeof name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        say("%s: cannot be read: %s", name, strerror(errno));
        return false;
    }
    bool done = read_all(fd, name, storage, capacity, size);
    close(fd);
    enum text_flaw flaw = text_flaw(slice_of(storage, *size));
    if (done && flaw != TEXT_FLAWLESS && flaw != TEXT_FLAW_BLANK) {
        say("%s: %s", name, text_flaw_words(flaw));
        return false;
    }
    *size = without_newline(storage, *size);
    return done;
}
