/* patient_read.h: what stands in a file, or comes through a pipe in its place. */
#ifndef MINTD_PATIENT_READ_H
#define MINTD_PATIENT_READ_H

#include <stddef.h>

#define PATIENT_READ_MS 5000u

/* Opens it for patient_read(), to be closed by the caller; -1 and errno. A pipe that nobody has
 * opened for writing is empty. */
int patient_open(const char *path);

/* Reads until the end, or until `capacity` bytes are there, with nothing buffered. It waits for a
 * pipe, PATIENT_READ_MS in all; where `fd` is one that blocks, the read waits as long as it takes.
 * Returns 0 or an errno value: ETIMEDOUT where a pipe gave nothing more. */
int patient_read(int fd, char *storage, size_t capacity, size_t *size);

#endif
