/* caught_log.h: what is logged meanwhile, for a test to read. */
#ifndef MINTD_TEST_CAUGHT_LOG_H
#define MINTD_TEST_CAUGHT_LOG_H

#include "mintd/log.h"

/* From now on what is logged from this level on is kept; standard error leads there too. */
void caught_log_start(enum log_level level);
/* Ends that, and the log is silent again. What was kept, valid until the next end. */
const char *caught_log_end(void);
/* How often the words are in the text. */
unsigned caught_log_count(const char *text, const char *words);

#endif
