#include "mintd/setting_file.h"
#include "mintd/patient_read.h"
#include "mintd/text_flaw.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* 0 or an errno value. */
static int read_bytes(const char *path, char *bytes, size_t *size) {
    int fd = patient_open(path);
    if (fd < 0) {
        return errno;
    }
    int error = patient_read(fd, bytes, SETTING_FILE_MAX + 1, size);
    close(fd);
    return error;
}

const char *setting_file_read(const char *path, char storage[SETTING_FILE_STORAGE],
                              bool *no_memory) {
    size_t size = 0;
    int error = read_bytes(path, storage, &size);
    *no_memory = error == ENOMEM;
    if (error != 0) {
        return strerror(error);
    }
    if (size > SETTING_FILE_MAX) {
        return "too large: 4096 bytes at most";
    }
    enum text_flaw flaw = text_flaw(slice_of(storage, size));
    if (flaw != TEXT_FLAWLESS && flaw != TEXT_FLAW_BLANK) {
        return text_flaw_words(flaw);
    }
    while (size > 0 && (storage[size - 1] == '\n' || storage[size - 1] == '\r')) {
        size--;
    }
    storage[size] = '\0';
    return NULL;
}
