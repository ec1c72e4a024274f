/* completion.h: scripts that complete mintctl's command lines in a shell, printed from the table of
 * commands. They ask neither mintctl nor Redis when a key is pressed. */
#ifndef MINTCTL_COMPLETION_H
#define MINTCTL_COMPLETION_H

#include "usage.h"

void completion_bash(void);
void completion_zsh(void);
void completion_fish(void);

/* ---- what the three have in common ---- */

/* What may stand where a placeholder does: FILE is a file, PROFILE one of the profiles, and what
 * begins with a small letter ("bash|zsh") is one of these words. */
enum completion_value { COMPLETION_NOTHING, COMPLETION_FILE, COMPLETION_PROFILE, COMPLETION_WORDS };
enum completion_value completion_value(const char *placeholder);

/* Text between single quotes, a line break as a blank; with a backslash before each of `escaped`.
 */
void completion_print(const char *text, const char *escaped);
/* The words of such a placeholder, with blanks between. */
void completion_print_words(const char *placeholder);
/* The second words of a group's commands, or the first words of all (NULL), with blanks between. */
void completion_print_commands(const char *group);

#endif
