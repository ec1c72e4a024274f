/* roff.h: the little of roff that the man pages of both programs need. Everything goes to standard
 * output. */
#ifndef MINTD_CMD_ROFF_H
#define MINTD_CMD_ROFF_H

/* The head: name in capitals, section, one line of what it is, and how it is called. */
void roff_start(const char *title, const char *section, const char *name, const char *summary,
                const char *synopsis);
void roff_section(const char *title);
/* Running text; its lines are filled. */
void roff_text(const char *text);
/* The same in paragraphs: an empty line is between two; lines that begin with two blanks stay as
 * they are. */
void roff_prose(const char *text);
/* What is typed, on a line of its own, and what it does. */
void roff_example(const char *command, const char *help);
/* What a file or a variable is for. */
void roff_item(const char *name, const char *help);
/* An option with the name of its value (NULL: none) and what it means. */
void roff_option(const char *flag, const char *value, const char *help);

#endif
