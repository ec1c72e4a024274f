/* store_answer.h: how the stores of this folder begin and end an operation: bounds and counters. */
#ifndef MINTD_STORE_ANSWER_H
#define MINTD_STORE_ANSWER_H

#include "mintd/store.h"

/* Clears the result; what the caller set stays. */
void store_operation_reset(struct store_operation *operation);

/* Sets answer and trouble, and counts them. `metrics` may be NULL. */
void store_operation_set(struct store_operation *operation, struct store_metrics *metrics,
                         enum store_answer answer, enum store_trouble trouble);

/* Whether all names and values are within the bounds of store.h. */
bool store_fields_are_valid(const struct store_field *fields, size_t count);

#endif
