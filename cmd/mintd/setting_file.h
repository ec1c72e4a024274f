/* setting_file.h: the file that a MINTD_..._FILE names. */
#ifndef MINTD_CMD_SETTING_FILE_H
#define MINTD_CMD_SETTING_FILE_H

#include <stdbool.h>

#define SETTING_FILE_MAX 4096u
#define SETTING_FILE_STORAGE (SETTING_FILE_MAX + 2u) /* one byte too many tells, and a NUL */

/* Reads its text, without the newlines at its end, into the storage. NULL, or what is wrong with
 * it: to be used before the next call; no_memory then tells that it was memory, not the file. */
const char *setting_file_read(const char *path, char storage[SETTING_FILE_STORAGE],
                              bool *no_memory);

#endif
