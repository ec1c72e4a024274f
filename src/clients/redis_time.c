/* redis_time.c: Redis' clock, by which this run goes: so what is written and what is told is right
 * where this machine's clock is not. */
#include "clients/redis_internal.h"
#include "mintd/clock.h"

#define NS_PER_MS 1000000u

uint64_t redis_time_of(const struct value *reply) {
    unsigned long long seconds, micros;
    bool is_time = reply->kind == REDIS_VALUE_LIST && reply->count == 2 &&
                   slice_to_number(reply->items[0].text, INT64_MAX / 1000, &seconds) &&
                   slice_to_number(reply->items[1].text, 999999, &micros);
    return is_time ? seconds * 1000 + micros / 1000 : 0;
}

/* Of the first node that answers: they are taken to run alike, as mintd takes them. Redis read its
 * clock at some moment of the round trip. One more: both are cut to whole milliseconds. */
enum status redis_follow_clock(struct redis *redis) {
    const struct slice time[] = {S("TIME")};
    struct value *reply = NULL;
    uint64_t sent_ns = 0;
    for (unsigned node = 0; node < redis_node_count(redis) && reply == NULL; node++) {
        sent_ns = clock_monotonic_ns();
        reply = redis_send(redis, SLICE_ABSENT, node, &(struct redis_command){time, 1}, 1);
    }
    if (reply == NULL) {
        redis_say_silence(redis, redis->target.address);
        return STATUS_REDIS;
    }
    uint64_t time_ms = redis_time_of(reply);
    if (time_ms != 0) {
        clock_share(time_ms, time_ms + (clock_monotonic_ns() - sent_ns) / NS_PER_MS + 1);
    }
    value_free(reply);
    return STATUS_DONE;
}
