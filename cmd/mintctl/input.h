/* input.h: what is read: one line of standard input, answers of a person. */
#ifndef MINTCTL_INPUT_H
#define MINTCTL_INPUT_H

#include "mintd/slice.h"

/* One line of standard input, without its newline. On a terminal `prompt` is shown, and nothing of
 * what is typed. False, said, where there is none or it does not fit. The caller wipes. */
bool input_read_line(const char *prompt, char *storage, size_t capacity, size_t *size);

/* The same of a secret that is new: on a terminal it is asked for twice, and has to be the same. */
bool input_read_new_secret(char *storage, size_t capacity, size_t *size);

/* A yes or no: asks where standard input and standard error are a terminal. Elsewhere only --yes
 * helps: says so. */
enum input_answer { INPUT_YES, INPUT_NO, INPUT_NOBODY };
enum input_answer input_confirm(bool yes, const char *question);

/* An operand that may be a secret: `text` of the command line, or, where it is "-", a line of
 * standard input. Copied, and wiped on the command line, so that ps shows it no longer. */
bool input_read_operand(char *text, const char *prompt, char *storage, size_t capacity,
                        size_t *size);

#endif
