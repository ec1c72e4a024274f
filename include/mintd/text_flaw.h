/* text_flaw.h: what editors and shells put into a text that people do not see: a secret with it is
 * another secret. */
#ifndef MINTD_TEXT_FLAW_H
#define MINTD_TEXT_FLAW_H

#include "mintd/slice.h"

enum text_flaw {
    TEXT_FLAWLESS,
    TEXT_FLAW_UTF16, /* with its mark, or each second byte is NUL */
    TEXT_FLAW_BOM,   /* UTF-8 with a mark */
    TEXT_FLAW_NUL,
    TEXT_FLAW_BLANK, /* a space or a tab at an edge: may be meant */
};

/* The first of these that the text has. */
enum text_flaw text_flaw(struct slice text);
/* "it is UTF-16: save it as UTF-8" */
const char *text_flaw_words(enum text_flaw flaw);

#endif
