/* slow_check.c: happy path: a check is put among those under way and given to the pool; what comes
 * in the meantime and asks the same waits for it, too. When the pool answers, all of them have the
 * result. Failure: one that is given up takes those with it that wait for it: nobody knows whether
 * the secret is right. Without a digest nothing is shared. */
#include "oauth/slow_check.h"
#include "mintd/clock.h"
#include "oauth/oauth_internal.h"

/* What tells it from others; false: nothing does. */
static bool name_check(struct oauth *oauth, struct oauth_slow_check *check,
                       const struct oauth_slow_question *question) {
    struct crypto *crypto = oauth->options.crypto;
    uint8_t of_client[CRYPTO_DIGEST_SIZE];
    return crypto_keyed_digest(crypto, question->client_id, question->stored, of_client) &&
           crypto_keyed_digest(crypto, slice_of((const char *)of_client, sizeof of_client),
                               question->offered, check->digest);
}

static bool can_share(const struct oauth_slow_check *first, const struct oauth_slow_check *check) {
    return first->is_named &&
           crypto_equal(slice_of((const char *)first->digest, sizeof first->digest),
                        slice_of((const char *)check->digest, sizeof check->digest)) &&
           (first->job.lane == PASSWORD_AHEAD || slice_equal(first->job.source, check->job.source));
}

/* Waits for one that is under way, where there is one. */
static bool join(struct oauth *oauth, struct oauth_slow_check *check) {
    for (struct oauth_slow_check *first = oauth->slow_checks; first != NULL; first = first->next) {
        if (can_share(first, check)) {
            check->next = first->sharers;
            first->sharers = check;
            counter_add(&oauth->options.metrics->shared_checks, 1);
            return true;
        }
    }
    return false;
}

static void end_check(struct oauth_slow_check *check, const struct oauth_slow_check *first) {
    uint64_t waited_ns = first->job.waited_ns;
    check->was_checked = first->job.was_checked;
    check->matches = first->job.matches;
    check->wait_left_ns -= waited_ns < check->wait_left_ns ? waited_ns : check->wait_left_ns;
}

static void remove_check(struct oauth *oauth, const struct oauth_slow_check *check) {
    struct oauth_slow_check **place = &oauth->slow_checks;
    while (*place != check) {
        place = &(*place)->next;
    }
    *place = check->next;
}

/* All have the result before one is told: whoever is told may start the next check in its place. */
static void on_checked(struct password_job *job) {
    struct oauth_slow_check *first = container_of(job, struct oauth_slow_check, job);
    struct oauth *oauth = first->oauth;
    remove_check(oauth, first);
    histogram_record(&oauth->options.metrics->slow_check_wait, job->waited_ns);
    struct oauth_slow_check *check = first->sharers;
    for (struct oauth_slow_check *each = check; each != NULL; each = each->next) {
        end_check(each, first);
    }
    end_check(first, first);
    first->on_done(first);
    while (check != NULL) {
        struct oauth_slow_check *next = check->next;
        check->on_done(check);
        check = next;
    }
}

bool oauth_slow_check_start(struct oauth *oauth, struct oauth_slow_check *check,
                            const struct oauth_slow_question *question) {
    const struct oauth_options *options = &oauth->options;
    check->oauth = oauth;
    check->sharers = NULL;
    check->job.source = question->source;
    check->job.on_done = on_checked;
    check->job.deadline_ns = clock_monotonic_ns() + check->wait_left_ns;
    check->is_named = name_check(oauth, check, question);
    if (check->is_named && join(oauth, check)) {
        return true;
    }
    if (!password_pool_submit(options->pool, options->inbox, &check->job, question->stored,
                              question->offered)) {
        return false;
    }
    counter_add(&options->metrics->slow_checks, 1);
    check->next = oauth->slow_checks;
    oauth->slow_checks = check;
    return true;
}

void oauth_give_up_late_checks(struct oauth *oauth, uint64_t now_ns) {
    if (oauth->slow_checks != NULL) {
        password_pool_give_up_late(oauth->options.pool, oauth->options.inbox, now_ns);
        password_inbox_drain(oauth->options.inbox);
    }
}

void oauth_give_up_slow_checks(struct oauth *oauth) {
    password_pool_give_up(oauth->options.pool, oauth->options.inbox);
}

unsigned oauth_slow_checks_waiting(const struct oauth *oauth, enum password_lane lane) {
    return password_pool_waiting(oauth->options.pool, lane);
}
