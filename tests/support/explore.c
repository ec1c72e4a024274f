#include "support/explore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* A state on the way. */
struct fork {
    uint32_t enabled;
    uint32_t asleep; /* would repeat what was seen: here, or before it on the way */
    unsigned taken;
};

struct way {
    struct fork forks[EXPLORE_STEPS_MAX];
    unsigned length; /* of what is known of it */
};

static uint32_t bit(unsigned action) {
    return UINT32_C(1) << action;
}

static unsigned first_of(uint32_t actions) {
    return (unsigned)__builtin_ctz(actions);
}

/* Those that sleep on behind this action. */
static uint32_t asleep_behind(const struct explored *explored, const struct fork *fork) {
    uint32_t asleep = 0;
    for (unsigned action = 0; action < EXPLORE_ACTIONS_MAX; action++) {
        if ((fork->asleep & bit(action)) != 0 &&
            explored->commute(explored->context, action, fork->taken)) {
            asleep |= bit(action);
        }
    }
    return asleep;
}

/* True: the run was not cut. */
static bool run(const struct explored *explored, struct way *way) {
    uint32_t asleep = 0;
    explored->reset(explored->context);
    for (unsigned step = 0;; step++) {
        uint32_t enabled = explored->enabled(explored->context);
        if (step < way->length) {
            assert_int_equal(way->forks[step].enabled, enabled);
        } else if ((enabled & ~asleep) == 0) {
            return enabled == 0;
        } else {
            assert_true(step < EXPLORE_STEPS_MAX);
            way->forks[way->length++] = (struct fork){
                .enabled = enabled, .asleep = asleep, .taken = first_of(enabled & ~asleep)};
        }
        asleep = asleep_behind(explored, &way->forks[step]);
        explored->act(explored->context, way->forks[step].taken);
    }
}

/* False: there is no other way. */
static bool turn_off(struct way *way) {
    while (way->length != 0) {
        struct fork *last = &way->forks[way->length - 1];
        last->asleep |= bit(last->taken);
        uint32_t left = last->enabled & ~last->asleep;
        if (left != 0) {
            last->taken = first_of(left);
            return true;
        }
        way->length--;
    }
    return false;
}

unsigned explore(const struct explored *explored) {
    struct way *way = calloc(1, sizeof *way);
    unsigned count = 0;
    assert_non_null(way);
    do {
        bool whole = run(explored, way);
        explored->end(explored->context, whole);
        count += whole;
    } while (turn_off(way));
    free(way);
    return count;
}
