#include "store/redis/clock.h"

#include "mintd/clock.h"
#include "mintd/log.h"

#define PERIOD_MS 60000u
#define APART_MS 2000
#define NS_PER_MS 1000000u

static int64_t magnitude(int64_t number) {
    return number < 0 ? -number : number;
}

static void tell(struct redis_clock *clock) {
    int64_t skew_ms = 0;
    (void)clock_skew_ms(&skew_ms); /* what is certain of it */
    if (magnitude(skew_ms) > APART_MS && magnitude(skew_ms - clock->told_ms) > APART_MS) {
        clock->told_ms = skew_ms;
        log_warning("the clocks of this machine and of redis are apart: run NTP on both; tokens go "
                    "by that of redis",
                    LOG_NUMBER("skew_ms", skew_ms));
    } else if (magnitude(skew_ms) <= APART_MS && clock->told_ms != 0) {
        clock->told_ms = 0;
        log_info("the clocks of this machine and of redis agree again");
    }
}

/* Milliseconds since the epoch; 0: it is no time. */
static uint64_t time_of(const struct reply *reply) {
    unsigned long long seconds, micros;
    if (reply->type != REPLY_ARRAY || reply->elements != 2) {
        return 0;
    }
    const struct reply *first = reply_first(reply);
    bool is_time = slice_to_number(first->text, INT64_MAX / 1000, &seconds) &&
                   slice_to_number(reply_next(first)->text, 999999, &micros);
    return is_time ? seconds * 1000 + micros / 1000 : 0;
}

/* Any other error says nothing of the next minute: a script that runs for long, for instance. */
static bool may_not_be_asked(const struct reply *reply) {
    return reply->type == REPLY_ERROR && (slice_starts_with(reply->text, S("NOPERM")) ||
                                          slice_starts_with(reply->text, S("ERR unknown command")));
}

/* Redis read its clock at some moment of the round trip. One more: both are cut to whole
 * milliseconds. */
static void on_time(void *context, const struct link_result *result) {
    struct redis_clock *clock = context;
    if (result->reply == NULL) {
        return; /* the connection is lost */
    }
    uint64_t round_trip_ms = (clock_monotonic_ns() - clock->sent_ns) / NS_PER_MS;
    uint64_t time_ms = time_of(result->reply);
    if (may_not_be_asked(result->reply)) { /* not before the next greeting */
        uv_timer_stop(&clock->timer);
        clock_share(0, 0);
    }
    if (time_ms == 0) {
        return;
    }
    clock_share(time_ms, time_ms + round_trip_ms + 1);
    tell(clock);
}

static void ask(struct redis_clock *clock) {
    const struct link_handler handler = {.on_reply = on_time, .context = clock, .replies = 1};
    struct output *out = link_begin(clock->link);
    unsigned slot;
    if (out == NULL) {
        return; /* the link is busy or down: there will be another minute */
    }
    output_command(out, 1);
    output_argument(out, S("TIME"));
    clock->sent_ns = clock_monotonic_ns();
    if (!link_end(clock->link, &handler, &slot)) {
        link_fail(clock->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

static void on_timer(uv_timer_t *timer) {
    ask(timer->data);
}

void redis_clock_init(struct redis_clock *clock, uv_loop_t *loop, struct redis_link *link,
                      bool is_asked) {
    *clock = (struct redis_clock){.link = link, .is_asked = is_asked};
    uv_timer_init(loop, &clock->timer);
    clock->timer.data = clock;
}

void redis_clock_start(struct redis_clock *clock) {
    if (clock->is_asked) {
        uv_timer_start(&clock->timer, on_timer, PERIOD_MS, PERIOD_MS);
        ask(clock);
    }
}

void redis_clock_stop(struct redis_clock *clock) {
    if (!uv_is_closing((uv_handle_t *)&clock->timer)) {
        uv_timer_stop(&clock->timer);
    }
}

void redis_clock_close(struct redis_clock *clock, void *data, uv_close_cb on_closed) {
    clock->timer.data = data;
    uv_close((uv_handle_t *)&clock->timer, on_closed);
}
