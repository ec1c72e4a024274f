#include "info.h"

bool info_read(struct redis *redis, unsigned node, struct info *info) {
    const struct slice arguments[] = {S("INFO")};
    info->reply = redis_try_at(redis, node, arguments, 1);
    return info->reply != NULL;
}

void info_fini(struct info *info) {
    value_free(info->reply);
    info->reply = NULL;
}

bool info_is_there(const struct info *info) {
    return value_is(info->reply, REDIS_VALUE_TEXT);
}

struct slice info_field(const struct info *info, const char *name) {
    struct slice rest = info_is_there(info) ? info->reply->text : SLICE_ABSENT, line;
    while (slice_split(&rest, '\n', &line)) {
        struct slice value = line, key;
        slice_split(&value, ':', &key);
        if (!slice_is_absent(value) && slice_equal(key, slice_of_string(name))) {
            bool has_return = value.size != 0 && value.data[value.size - 1] == '\r';
            return slice_of(value.data, value.size - has_return);
        }
    }
    return SLICE_ABSENT;
}

uint64_t info_number(const struct info *info, const char *name) {
    unsigned long long number = 0;
    return slice_to_number(info_field(info, name), INT64_MAX, &number) ? number : 0;
}

bool info_is_valkey(const struct info *info) {
    return !slice_is_absent(info_field(info, "valkey_version"));
}

struct slice info_version(const struct info *info) {
    return info_field(info, info_is_valkey(info) ? "valkey_version" : "redis_version");
}
