/* setting_file.h: reads the file that a variable MINTD_..._FILE names. */
#ifndef MINTD_SETTING_FILE_H
#define MINTD_SETTING_FILE_H

#include <stdbool.h>

#define SETTING_FILE_MAX 4096u
#define SETTING_FILE_STORAGE                                                                       \
    (SETTING_FILE_MAX + 2u) /* one byte more, which shows that a file is too long, and a NUL */

/* Reads the text of the file into the storage, without the newlines at its end. Returns NULL, or
 * words for what is wrong: use them before the next call. A pipe in its place is read as
 * patient_read.h has it. no_memory then tells that memory was short, not that the file is wrong. */
const char *setting_file_read(const char *path, char storage[SETTING_FILE_STORAGE],
                              bool *no_memory);

#endif
