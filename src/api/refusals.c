/* refusals.c: strangers cannot fill the log.
 *
 * Each reason has a window: the second (monotonic) in its high half, the refusals within it in the
 * low one. Whoever takes the place of a window that is over, the next refusal or the tick, tells
 * how many of it got no line: so each is told once, by one of the workers. */
#include "api/refusals.h"
#include "mintd/clock.h"
#include "mintd/log.h"
#include <stdatomic.h>

#define COUNT_MAX UINT32_MAX

/* Refusals of who authenticated itself or has a good token: few, and each matters. */
static bool is_of_known_caller(enum oauth_refusal refusal) {
    switch (refusal) {
    case OAUTH_REFUSED_NO_GRANT_TYPE:
    case OAUTH_REFUSED_GRANT_UNSUPPORTED:
    case OAUTH_REFUSED_GRANT_NOT_ALLOWED:
    case OAUTH_REFUSED_SCOPE_MALFORMED:
    case OAUTH_REFUSED_SCOPE_NOT_ALLOWED:
    case OAUTH_REFUSED_TARGET_MALFORMED:
    case OAUTH_REFUSED_TARGET_NOT_ALLOWED:
    case OAUTH_REFUSED_TTL_MALFORMED:
    case OAUTH_REFUSED_TOKEN_OF_OTHER_AUDIENCE:
    case OAUTH_REFUSED_SCOPE_MISSING:
    case OAUTH_REFUSED_NO_TOKEN_PARAMETER:
    case OAUTH_REFUSED_OTHERS_TOKEN:
    case OAUTH_REFUSED_NO_RANDOMNESS:
        return true;
    default:
        return false;
    }
}

static uint64_t second_now(void) {
    return clock_monotonic_ns() / 1000000000u & UINT32_MAX;
}

static uint64_t count_of(uint64_t window) {
    return window & UINT32_MAX;
}

/* A window that is over, taken by the caller alone. */
static void tell_window(const struct api_process *process, enum oauth_refusal refusal,
                        uint64_t window) {
    if (count_of(window) > process->refusals_told) {
        log_info("refusals summed", LOG_STRING("reason", oauth_refusal_label(refusal)),
                 LOG_NUMBER("refusals", count_of(window) - process->refusals_told));
    }
}

bool refusals_is_told(struct api_process *process, enum oauth_refusal refusal) {
    _Atomic uint64_t *place = &process->refusals[refusal];
    if (process->refusals_told == 0 || is_of_known_caller(refusal) || !log_enabled(LOG_INFO)) {
        return true;
    }
    uint64_t second = second_now();
    uint64_t window = atomic_load_explicit(place, memory_order_relaxed);
    uint64_t next;
    do {
        bool goes_on = window >> 32 == second;
        next = goes_on ? window + (count_of(window) < COUNT_MAX) : (second << 32 | 1);
    } while (!atomic_compare_exchange_weak_explicit(place, &window, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    if (window >> 32 != second) {
        tell_window(process, refusal, window);
    }
    return count_of(next) <= process->refusals_told;
}

void api_tell_refusals(struct api_process *process, bool at_end) {
    uint64_t second = second_now();
    for (unsigned refusal = 0; refusal < OAUTH_REFUSAL_COUNT; refusal++) {
        _Atomic uint64_t *place = &process->refusals[refusal];
        uint64_t window = atomic_load_explicit(place, memory_order_relaxed);
        bool is_over = at_end || window >> 32 != second;
        if (window != 0 && is_over &&
            atomic_compare_exchange_strong_explicit(place, &window, 0, memory_order_relaxed,
                                                    memory_order_relaxed)) {
            tell_window(process, (enum oauth_refusal)refusal, window);
        }
    }
}
