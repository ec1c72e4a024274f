#include "mintd/descriptors.h"
#include <fcntl.h>
#include <unistd.h>

bool descriptors_fill(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* open() takes the lowest that is free, and those below are not. */
        int access =
            fd == STDOUT_FILENO ? O_RDONLY : O_RDWR; /* results that go nowhere are an error */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", access) != fd) {
            return false;
        }
    }
    return true;
}
