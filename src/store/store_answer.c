#include "store/store_answer.h"

void store_operation_reset(struct store_operation *operation) {
    operation->answer = STORE_UNKNOWN;
    operation->trouble = STORE_TROUBLE_NONE;
    operation->value = SLICE_ABSENT;
    operation->fields = NULL;
    operation->field_count = 0;
    operation->number = 0;
    operation->from_memory = false;
    operation->is_doubtful = false;
    operation->copy = (struct store_copy){0, 0};
    operation->holds = false;
    operation->next = operation->previous = operation->next_waiting = NULL;
    operation->waits_for = NULL;
    operation->way.held = NULL;
    operation->way.hops = operation->way.waits = 0;
    operation->way.is_aside = operation->way.awaits_replicas = false;
    operation->is_unordered = false;
}

void store_operation_set(struct store_operation *operation, struct store_metrics *metrics,
                         enum store_answer answer, enum store_trouble trouble) {
    operation->answer = answer;
    operation->trouble = trouble;
    if (metrics == NULL) {
        return;
    }
    counter_add(&metrics->answers[answer], 1);
    if (answer == STORE_UNKNOWN) {
        counter_add(&metrics->troubles[trouble], 1);
    }
}

bool store_fields_are_valid(const struct store_field *fields, size_t count) {
    if (count == 0 || count > STORE_FIELDS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name.size > STORE_KEY_MAX || fields[i].value.size > STORE_VALUE_MAX) {
            return false;
        }
    }
    return true;
}
