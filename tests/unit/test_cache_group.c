/* The group of memories, on several threads. */
#include "store/cache/member.h"
#include "support/fault.h"
#include "unit/unit.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MEMBERS 4u
#define NOTICES 500u /* of each member */

/* One that stands for a worker: counts what it is told. */
struct worker {
    struct cache_member *member;
    sem_t woken;
    unsigned notices; /* keys to forget */
    unsigned told;    /* own notices that all have acted on */
    char last_key[32];
    void *last_told;
    struct world *world;
    unsigned index;
    unsigned told_of[NOTICES]; /* on_told of each of its own */
    pthread_t thread;
};

struct world {
    struct cache_group *group;
    struct worker workers[MEMBERS];
    atomic_uint busy; /* that still tell or wait */
};

static void wake(void *context) {
    struct worker *worker = context;
    sem_post(&worker->woken);
}

static void on_notice(void *context, struct slice key) {
    struct worker *worker = context;
    worker->notices++;
    snprintf(worker->last_key, sizeof worker->last_key, "%.*s", (int)key.size, key.data);
}

static void on_told(void *context, void *told) {
    struct worker *worker = context;
    worker->told++;
    worker->last_told = told;
}

static const struct cache_member_events events = {wake, on_notice, on_told};

static int set_up(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->group = cache_group_new(MEMBERS);
    assert_non_null(world->group);
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct worker *worker = &world->workers[i];
        worker->world = world;
        worker->index = i;
        sem_init(&worker->woken, 0, 0);
        worker->member = cache_member_join(world->group, &events, worker);
        assert_non_null(worker->member);
    }
    *state = world;
    return 0;
}

static void leave(struct worker *worker) {
    if (worker->member != NULL) {
        cache_member_leave(worker->member);
        worker->member = NULL;
    }
}

static int tear_down(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        leave(&world->workers[i]);
        sem_destroy(&world->workers[i].woken);
    }
    cache_group_free(world->group);
    free(world);
    return 0;
}

static bool is_woken(struct worker *worker) {
    bool woken = false;
    while (sem_trywait(&worker->woken) == 0) {
        woken = true;
    }
    return woken;
}

static struct cache_notice *send(struct worker *worker, const char *key, void *told) {
    struct cache_notice *notice = cache_notice_new(worker->member, slice_of_string(key), told);
    assert_non_null(notice);
    cache_notice_send(notice);
    return notice;
}

/* ---- one step after the other ---- */

static void all_forget_then_the_teller_is_told(void **state) {
    struct world *world = *state;
    struct worker *teller = &world->workers[1];
    char key[] = "token:x";
    struct cache_notice *notice = cache_notice_new(teller->member, slice_of_string(key), key);
    assert_non_null(notice);
    memset(key, '-', sizeof key - 1); /* copied */
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_false(is_woken(&world->workers[i])); /* not sent yet */
    }
    cache_notice_send(notice);
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct worker *worker = &world->workers[i];
        assert_int_equal(teller->told, 0);
        if (worker == teller) {
            assert_false(is_woken(worker));
            continue;
        }
        assert_true(is_woken(worker));
        cache_member_drain(worker->member);
        assert_int_equal(worker->notices, 1);
        assert_string_equal(worker->last_key, "token:x");
    }
    assert_true(is_woken(teller));
    assert_int_equal(teller->told, 0); /* not from inside another's drain */
    cache_member_drain(teller->member);
    assert_int_equal(teller->told, 1);
    assert_ptr_equal(teller->last_told, key);
    for (unsigned i = 0; i < MEMBERS; i++) {
        cache_member_drain(world->workers[i].member);
    }
    assert_int_equal(teller->told, 1);
    assert_int_equal(teller->notices, 0);
}

static void group_is_full_at_its_bound(void **state) {
    struct world *world = *state;
    assert_null(cache_member_join(world->group, &events, world));
}

static void one_alone_is_told_at_its_next_drain(void **state) {
    struct world *world = *state;
    for (unsigned i = 1; i < MEMBERS; i++) {
        leave(&world->workers[i]);
    }
    struct worker *alone = &world->workers[0];
    send(alone, "k", world);
    assert_true(is_woken(alone));
    assert_int_equal(alone->told, 0);
    cache_member_drain(alone->member);
    assert_int_equal(alone->told, 1);
}

/* Before it has drained: nobody waits for it. */
static void who_leaves_has_forgotten(void **state) {
    struct world *world = *state;
    struct worker *teller = &world->workers[0];
    send(teller, "a", world);
    send(teller, "b", world);
    for (unsigned i = 1; i < MEMBERS - 1; i++) {
        cache_member_drain(world->workers[i].member);
    }
    cache_member_drain(teller->member);
    assert_int_equal(teller->told, 0);
    leave(&world->workers[MEMBERS - 1]);
    assert_true(is_woken(teller));
    cache_member_drain(teller->member);
    assert_int_equal(teller->told, 2);
    assert_int_equal(world->workers[MEMBERS - 1].notices, 0);
    is_woken(&world->workers[MEMBERS - 1]);
    cache_notice_drop(send(teller, "c", world));
    assert_false(is_woken(&world->workers[MEMBERS - 1])); /* nor is it told any more */
}

/* At each moment of a notice's life: the others act on it or not, the teller hears nothing. */
static void dropped_notice_is_nobodys(void **state) {
    struct world *world = *state;
    struct worker *teller = &world->workers[0];
    cache_notice_drop(cache_notice_new(teller->member, S("not sent"), world));
    for (unsigned drained = 0; drained < MEMBERS; drained++) {
        struct cache_notice *notice = send(teller, "k", world);
        for (unsigned i = 1; i <= drained; i++) {
            cache_member_drain(world->workers[i].member);
        }
        cache_notice_drop(notice); /* with drained == MEMBERS - 1: it lies there to be told */
        for (unsigned i = 1; i < MEMBERS; i++) {
            cache_member_drain(world->workers[i].member);
        }
        cache_member_drain(teller->member);
        assert_int_equal(teller->told, 0);
        assert_int_equal(world->workers[1].notices, drained + 1);
    }
}

/* With its dropped notices in others' inboxes, and others' in its own. */
static void teller_may_leave(void **state) {
    struct world *world = *state;
    struct worker *teller = &world->workers[0];
    cache_notice_drop(send(teller, "mine", world));
    send(&world->workers[1], "anothers", world);
    struct cache_notice *done = send(teller, "done", world);
    for (unsigned i = 1; i < MEMBERS; i++) {
        cache_member_drain(world->workers[i].member);
    }
    cache_notice_drop(done);
    leave(teller);
    cache_member_drain(world->workers[1].member);
    assert_int_equal(world->workers[1].told, 1);
    assert_int_equal(world->workers[1].notices, 2);
}

static void without_memory(void **state) {
    struct world *world = *state;
    fault_fail_at(1);
    struct cache_notice *notice = cache_notice_new(world->workers[0].member, S("k"), world);
    fault_disarm();
    assert_null(notice);
    fault_fail_at(1);
    struct cache_group *group = cache_group_new(3);
    fault_disarm();
    assert_null(group);
    cache_group_free(NULL);
}

/* ---- all at once ---- */

static void count_told(void *context, void *told) {
    struct worker *worker = context;
    worker->told++;
    (*(unsigned *)told)++;
}

static const struct cache_member_events counting = {wake, on_notice, count_told};

static void wait_for_wake(struct worker *worker) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    if (sem_timedwait(&worker->woken, &until) != 0) {
        abort(); /* cmocka may fail a test on its own thread alone */
    }
}

/* Tells, acts, waits until its own are all told, and until those of all others are. */
static void *work(void *context) {
    struct worker *worker = context;
    for (unsigned i = 0; i < NOTICES; i++) {
        send(worker, "token:y", &worker->told_of[i]);
        if (i % 3 == worker->index % 3) {
            cache_member_drain(worker->member);
        }
    }
    while (worker->told < NOTICES) {
        wait_for_wake(worker);
        cache_member_drain(worker->member);
    }
    atomic_fetch_sub(&worker->world->busy, 1);
    for (unsigned i = 0; i < MEMBERS; i++) {
        wake(&worker->world->workers[i]);
    }
    while (atomic_load(&worker->world->busy) != 0) {
        wait_for_wake(worker);
        cache_member_drain(worker->member);
    }
    return NULL;
}

static void use_counting_events(struct world *world) {
    cache_group_free(world->group);
    world->group = cache_group_new(MEMBERS);
    assert_non_null(world->group);
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct worker *worker = &world->workers[i];
        worker->member = cache_member_join(world->group, &counting, worker);
        assert_non_null(worker->member);
    }
}

static void threads_all_hear_of_all(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        leave(&world->workers[i]);
    }
    use_counting_events(world);
    world->busy = MEMBERS;
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct worker *worker = &world->workers[i];
        assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        pthread_join(world->workers[i].thread, NULL);
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct worker *worker = &world->workers[i];
        assert_int_equal(worker->notices, (MEMBERS - 1) * NOTICES);
        for (unsigned k = 0; k < NOTICES; k++) {
            assert_int_equal(worker->told_of[k], 1);
        }
    }
}

/* Drops every other notice, at a moment that chance decides, and leaves while others still tell. */
static void *work_and_go(void *context) {
    struct worker *worker = context;
    struct cache_notice *notices[NOTICES];
    for (unsigned i = 0; i < NOTICES; i++) {
        notices[i] = send(worker, "token:z", &worker->told_of[i]);
        if (i % 5 == worker->index) {
            cache_member_drain(worker->member);
        }
        for (unsigned k = i % 2 == 0 ? 0 : i; k <= i; k += 7) {
            if (notices[k] != NULL && worker->told_of[k] == 0) {
                cache_notice_drop(notices[k]);
            }
            notices[k] = NULL;
        }
    }
    for (unsigned i = 0; i < NOTICES; i++) {
        if (notices[i] != NULL && worker->told_of[i] == 0) {
            cache_notice_drop(notices[i]);
        }
    }
    leave(worker);
    return NULL;
}

static void threads_drop_and_leave(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        leave(&world->workers[i]);
    }
    use_counting_events(world);
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct worker *worker = &world->workers[i];
        assert_int_equal(pthread_create(&worker->thread, NULL, work_and_go, worker), 0);
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        pthread_join(world->workers[i].thread, NULL);
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        for (unsigned k = 0; k < NOTICES; k++) {
            assert_in_range(world->workers[i].told_of[k], 0, 1);
        }
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_forget_then_the_teller_is_told),
        TEST(group_is_full_at_its_bound),
        TEST(one_alone_is_told_at_its_next_drain),
        TEST(who_leaves_has_forgotten),
        TEST(dropped_notice_is_nobodys),
        TEST(teller_may_leave),
        TEST(without_memory),
        TEST(threads_all_hear_of_all),
        TEST(threads_drop_and_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
