/* What the log says of a link. */
#include "store/link/link_internal.h"

#include "mintd/log.h"
#include <stdio.h>

struct words {
    const char *field, *connected, *back, *lost, *refuses, *useless;
};

static const struct words *words_of(const struct redis_link *link) {
    static const struct words redis = {
        "redis",
        "redis is connected",
        "redis is back",
        "redis is lost",
        "redis refuses us; check the user, its password and its rights",
        "redis cannot be used yet",
    };
    static const struct words sentinel = {
        "sentinel",
        "a sentinel is connected",
        "a sentinel is back",
        "a sentinel is lost",
        "a sentinel refuses us; check --redis-sentinel-user and its password",
        "a sentinel cannot be asked yet",
    };
    static const struct words second = {
        "redis",
        "redis is connected, for writes that wait for replicas",
        "redis is back, for writes that wait for replicas",
        "redis is lost, for writes that wait for replicas: they are 503",
        "redis refuses to wait for replicas: writes that wait are 503; check the user's rights",
        "redis cannot be asked to wait for replicas: writes that wait are 503",
    };
    return link->is_second ? &second : link->peer == LINK_TO_SENTINEL ? &sentinel : &redis;
}

void link_say_failure(struct redis_link *link, enum store_trouble trouble, const char *reason) {
    if (link->state != LINK_UP && strcmp(reason, link->reason) == 0) {
        return;
    }
    bool is_ours = trouble == STORE_TROUBLE_NOAUTH || trouble == STORE_TROUBLE_NOPERM;
    const struct words *words = words_of(link);
    const char *message = link->state == LINK_UP ? words->lost
                          : is_ours              ? words->refuses
                                                 : words->useless;
    log_line(is_ours ? LOG_ERROR : LOG_WARNING, message, LOG_STRING(words->field, link->address),
             LOG_STRING("trouble", store_trouble_name(trouble)), LOG_STRING("reason", reason),
             LOG_END);
    snprintf(link->reason, sizeof link->reason, "%s", reason);
}

void link_say_up(const struct redis_link *link) {
    const struct words *words = words_of(link);
    if (link->has_been_up) {
        log_info(words->back, LOG_STRING(words->field, link->address),
                 LOG_NUMBER("away_ms", link->up_ms - link->lost_ms));
    } else {
        log_info(words->connected, LOG_STRING(words->field, link->address));
    }
}
