/* refusals.h: how many refusals of strangers are told one by one. */
#ifndef MINTD_API_REFUSALS_H
#define MINTD_API_REFUSALS_H

#include "mintd/api.h"

/* Counts a refusal. Whether it gets a line of its own: the caller is known (it authenticated
 * itself, or its token is good), or it is among the first of its reason within this second. */
bool refusals_is_told(struct api_process *process, enum oauth_refusal refusal);

#endif
