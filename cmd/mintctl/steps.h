/* steps.h: the way of an explanation, step by step, as text while it goes or as JSON at its end. */
#ifndef MINTCTL_STEPS_H
#define MINTCTL_STEPS_H

#include "command.h"
#include "mintd/oauth.h"
#include <cjson/cJSON.h>

struct steps {
    cJSON *json;                /* NULL: text */
    cJSON *list;                /* becomes a part of it at the end */
    enum oauth_refusal refusal; /* of the step that failed; NONE while all went well */
};

bool steps_init(struct steps *steps, bool as_json); /* false: no memory, said */

/* One step that went well. The texts are plain: what comes from elsewhere goes through visible().
 */
void step_good(struct steps *steps, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One that is worth a word, and decides nothing. */
void step_note(struct steps *steps, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The one that ends the way; returns REFUSED. */
enum status step_refused(struct steps *steps, enum oauth_refusal refusal, const char *name,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The verdict: REFUSED where a step failed; another status is passed on, without a verdict. */
enum status steps_end(struct steps *steps, enum status status);

#endif
