/* whole_file.h: a file that is read at once. */
#ifndef MINTD_CLIENTS_WHOLE_FILE_H
#define MINTD_CLIENTS_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define PATH_SHOWN_MAX 512u /* bytes of a path in a message, with its NUL: a longer one is cut */

/* A whole file into storage, without the newline at its end; unbuffered. False, said, where it
 * cannot be read or does not fit. A pipe in its place is read as patient_read.h has it. */
bool whole_file_read(const char *path, char *storage, size_t capacity, size_t *size);
/* The same of what is left of standard input; where that blocks, for as long as it takes. */
bool whole_input_read(char *storage, size_t capacity, size_t *size);

#endif
