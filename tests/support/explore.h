/* explore.h: every order in which things may happen, one run after the other.
 *
 * A run begins with reset(); then one of the actions that are enabled is taken, over and over,
 * until none is. Each run takes another way, until all have been taken. Two actions that commute
 * lead to the same end in either order: of ways that differ in nothing else one is taken (sleep
 * sets; P. Godefroid, Partial-Order Methods, 1996), and a run that can only repeat one is cut.
 *
 * What is enabled may depend on nothing but the actions so far: a run that goes back on a way finds
 * there what was there before, or the test fails. */
#ifndef MINTD_TEST_EXPLORE_H
#define MINTD_TEST_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#define EXPLORE_ACTIONS_MAX 32u
#define EXPLORE_STEPS_MAX 96u

struct explored {
    void *context;
    void (*reset)(void *context);
    uint32_t (*enabled)(void *context); /* a bit an action */
    void (*act)(void *context, unsigned action);
    /* Both are enabled: whether it makes no difference which comes first. */
    bool (*commute)(void *context, unsigned a, unsigned b);
    /* No action is left; whole: the run was not cut. */
    void (*end)(void *context, bool whole);
};

/* How many runs were whole. */
unsigned explore(const struct explored *explored);

#endif
