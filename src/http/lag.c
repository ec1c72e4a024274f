#include "http/lag.h"

static uint64_t since(uint64_t now_ns, uint64_t then_ns) {
    return now_ns > then_ns ? now_ns - then_ns : 0; /* libuv's time is cut to milliseconds */
}

void lag_begin_turn(struct http_lag *lag, uint64_t polled_ns) {
    lag->began_ns = polled_ns;
    lag->looks_left = 0;
    lag->was_asked = false;
    if (since(polled_ns, lag->ended_ns) > LAG_SLEEP_NS) {
        lag->before_ns = 0;
    }
}

static void count_answered(struct http_lag *lag, uint64_t now_ns) {
    uint64_t length_ns = since(now_ns, lag->counted_ns);
    if (length_ns < LAG_MAX_NS) {
        return;
    }
    lag->crowd_max = lag->answered * LAG_MAX_NS / length_ns;
    lag->answered = lag->refused = 0;
    lag->counted_ns = now_ns;
}

void lag_end_turn(struct http_lag *lag, uint64_t now_ns) {
    lag->before_ns = since(now_ns, lag->began_ns);
    lag->ended_ns = now_ns;
    lag->began_ns = 0;
    count_answered(lag, now_ns);
}

static bool is_late(const struct http_lag *lag, uint64_t lag_ns) {
    unsigned part = lag->is_overload ? 2 : 1;
    return lag_ns > LAG_MAX_NS / part ||
           (lag->crowd > LAG_CROWD / part && lag->crowd > lag->crowd_max / part);
}

void lag_look(struct http_lag *lag, uint64_t now_ns) {
    uint64_t lag_ns = lag->before_ns + since(now_ns, lag->began_ns);
    lag->is_overload = lag->is_overload && since(now_ns, lag->late_last_ns) < LAG_QUIET_NS;
    lag->is_busy = lag_ns > LAG_MAX_NS / 4;
    lag->is_late = false;
    if (!is_late(lag, lag_ns)) {
        lag->late_since_ns = 0;
        return;
    }
    if (lag->late_since_ns == 0 || since(now_ns, lag->late_last_ns) > LAG_PATIENCE_NS) {
        lag->late_since_ns = now_ns; /* nobody asked in between: of that time nothing is known */
    }
    lag->late_last_ns = now_ns;
    lag->is_overload = lag->is_overload || since(now_ns, lag->late_since_ns) >= LAG_PATIENCE_NS;
    lag->is_late = lag->is_overload;
}

bool lag_refuse(struct http_lag *lag) {
    if (!lag->is_late || (lag->is_busy && lag->refused >= lag->crowd_max / 2)) {
        return false;
    }
    lag->refused++;
    return true;
}
