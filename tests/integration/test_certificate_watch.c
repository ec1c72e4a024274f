/* F-11: the certificate's files are looked at again and again, by what they hold. */
#include "instance/certificate.h"
#include "support/caught_log.h"
#include "support/certificate.h"
#include "support/loop.h"
#include "unit/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_MS 5u
#define SOME_LOOKS_MS 60u
#define TOO_LONG_MS 10000u

struct world {
    struct test_loop loop;
    struct certificate pairs[2];
    char folder[64], link[96], next[96], certificate[128], key[128];
    struct api_process process;
    struct certificate_watch watch;
    unsigned fresh, awaited;
};

static struct tls_context *read_files(void *data, struct buffer *error, bool *no_memory) {
    const struct world *world = data;
    return http_tls_new(world->watch.files[0], world->watch.files[1], error, no_memory);
}

static void on_fresh(void *data, struct tls_context *tls) {
    struct world *world = data;
    certificate_tell(tls, &world->process);
    world->fresh++;
    tls_context_free(tls);
}

/* As Kubernetes does it: another folder behind the same link. */
static void point_to(struct world *world, const char *folder) {
    assert_int_equal(symlink(folder, world->next), 0);
    assert_int_equal(rename(world->next, world->link), 0);
}

static void make_paths(struct world *world) {
    snprintf(world->folder, sizeof world->folder, "/tmp/mintd-watch-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->link, sizeof world->link, "%s/data", world->folder);
    snprintf(world->next, sizeof world->next, "%s/next", world->folder);
    snprintf(world->certificate, sizeof world->certificate, "%s/cert.pem", world->link);
    snprintf(world->key, sizeof world->key, "%s/key.pem", world->link);
}

/* changes_early: behind the first reading, and ahead of the watch. */
static int open_world_that(void **state, bool changes_early) {
    struct world *world = test_calloc(1, sizeof *world);
    make_paths(world);
    certificate_make(&world->pairs[0], "first");
    certificate_make(&world->pairs[1], "second");
    point_to(world, world->pairs[0].folder);
    test_loop_open(&world->loop);
    world->watch = (struct certificate_watch){
        .files = {slice_of_string(world->certificate), slice_of_string(world->key)},
        .file_count = 2,
        .read = read_files,
        .refusal = "not reloaded, the old one stays in use",
        .on_fresh = on_fresh,
        .data = world,
        .look_ms = LOOK_MS,
    };
    caught_log_start(LOG_INFO);
    struct crypto *crypto = crypto_new();
    assert_true(file_digest(crypto, world->watch.files, 2, world->watch.seen));
    crypto_free(crypto);
    if (changes_early) {
        point_to(world, world->pairs[1].folder);
    }
    assert_true(certificate_watch_init(&world->watch, &world->loop.loop));
    *state = world;
    return 0;
}

static int open_world(void **state) {
    return open_world_that(state, false);
}

static int open_world_that_changes_early(void **state) {
    return open_world_that(state, true);
}

static int close_world(void **state) {
    struct world *world = *state;
    caught_log_end();
    certificate_watch_close(&world->watch);
    test_loop_close(&world->loop);
    certificate_watch_fini(&world->watch);
    certificate_remove(&world->pairs[0]);
    certificate_remove(&world->pairs[1]);
    unlink(world->link);
    rmdir(world->folder);
    test_free(world);
    return 0;
}

static bool is_fresh(void *data) {
    const struct world *world = data;
    return world->fresh >= world->awaited;
}

static void await_fresh(struct world *world, unsigned times) {
    world->awaited = times;
    assert_true(test_loop_run_until(&world->loop, is_fresh, world, TOO_LONG_MS));
}

/* What was logged while nothing was taken into use over some looks. */
static const char *log_of_some_looks(struct world *world) {
    unsigned before = world->fresh;
    test_loop_run_for(&world->loop, SOME_LOOKS_MS);
    assert_int_equal(world->fresh, before);
    const char *told = caught_log_end();
    caught_log_start(LOG_INFO);
    return told;
}

static void a_swapped_link_is_used_once(void **state) {
    struct world *world = *state;
    point_to(world, world->pairs[1].folder);
    await_fresh(world, 1);
    assert_int_equal(caught_log_count(log_of_some_looks(world), "certificate in use"), 1);
    assert_true(world->process.certificate_expiry_s > 0);
}

static void what_changed_before_the_watch_is_found(void **state) {
    await_fresh(*state, 1);
}

static void the_same_content_is_not_read_again(void **state) {
    struct world *world = *state;
    char command[512];
    snprintf(command, sizeof command, "cp %s %s.new && mv %s.new %s", world->certificate,
             world->pairs[0].file, world->pairs[0].file, world->pairs[0].file);
    assert_int_equal(system(command), 0);
    assert_string_equal(log_of_some_looks(world), "");
}

/* The certificate is written, its key not yet. */
static void half_a_pair_waits_for_the_other_half(void **state) {
    struct world *world = *state;
    assert_int_equal(rename(world->pairs[1].file, world->pairs[0].file), 0);
    const char *told = log_of_some_looks(world);
    assert_int_equal(caught_log_count(told, "not reloaded, the old one stays in use"), 1);
    assert_int_equal(caught_log_count(told, "does not belong to the certificate"), 1);
    assert_int_equal(rename(world->pairs[1].key_file, world->pairs[0].key_file), 0);
    await_fresh(world, 1);
}

static void a_file_that_is_away_is_told_once(void **state) {
    struct world *world = *state;
    char aside[128];
    snprintf(aside, sizeof aside, "%s.aside", world->pairs[0].key_file);
    assert_int_equal(rename(world->pairs[0].key_file, aside), 0);
    assert_int_equal(caught_log_count(log_of_some_looks(world), "not reloaded"), 1);
    assert_int_equal(rename(aside, world->pairs[0].key_file), 0);
    await_fresh(world, 1);
}

static void a_reload_does_not_ask_whether_they_changed(void **state) {
    struct world *world = *state;
    struct certificate_fresh fresh;
    if (certificate_read(&world->watch, &fresh)) {
        certificate_use(&world->watch, &fresh);
    }
    assert_int_equal(world->fresh, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_swapped_link_is_used_once, open_world, close_world),
        cmocka_unit_test_setup_teardown(what_changed_before_the_watch_is_found,
                                        open_world_that_changes_early, close_world),
        cmocka_unit_test_setup_teardown(the_same_content_is_not_read_again, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(half_a_pair_waits_for_the_other_half, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(a_file_that_is_away_is_told_once, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_reload_does_not_ask_whether_they_changed, open_world,
                                        close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
