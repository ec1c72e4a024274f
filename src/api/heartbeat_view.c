#include "mintd/heartbeat_view.h"
#include <cjson/cJSON.h>

#define NUMBER_MAX 9e15 /* a double has each integer up to it */

static const cJSON *member_of(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static double number_of(const cJSON *item) {
    bool is_right =
        cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < NUMBER_MAX;
    return is_right ? item->valuedouble : 0;
}

static const char *text_of(const cJSON *item) {
    const char *text = cJSON_GetStringValue(item);
    return text == NULL ? "" : text;
}

cJSON *heartbeat_parse(struct slice record) {
    cJSON *json = cJSON_ParseWithLength(record.data, record.size);
    if (!cJSON_IsObject(json)) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

const char *heartbeat_text(const cJSON *record, const char *member) {
    return text_of(member_of(record, member));
}

uint64_t heartbeat_number(const cJSON *record, const char *member) {
    return (uint64_t)number_of(member_of(record, member));
}

bool heartbeat_is(const cJSON *record, const char *member) {
    return cJSON_IsTrue(member_of(record, member));
}

double heartbeat_rate(const cJSON *record, const char *name) {
    return number_of(member_of(member_of(record, "rates"), name));
}

const char *heartbeat_notice(const cJSON *record, unsigned index) {
    const cJSON *item;
    if (index >= HEARTBEAT_NOTICES_MAX) {
        return NULL;
    }
    cJSON_ArrayForEach(item, member_of(record, "notices")) {
        if (index-- == 0) {
            return text_of(item);
        }
    }
    return NULL;
}
