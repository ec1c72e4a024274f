/* text_flaw.h: what editors and shells put into a text without being seen. A secret with such a
 * flaw is another secret. */
#ifndef MINTD_TEXT_FLAW_H
#define MINTD_TEXT_FLAW_H

#include "mintd/slice.h"

enum text_flaw {
    TEXT_FLAWLESS,
    TEXT_FLAW_UTF16, /* with its byte order mark, or every second byte is NUL */
    TEXT_FLAW_BOM,   /* UTF-8 with a byte order mark */
    TEXT_FLAW_NUL,
    TEXT_FLAW_BLANK, /* a space or a tab at an end; it may be meant */
};

/* The first of these flaws that the text has. */
enum text_flaw text_flaw(struct slice text);
/* The flaw in words, and what to do: "it is UTF-16: save it as UTF-8". */
const char *text_flaw_words(enum text_flaw flaw);

#endif
