/* failure_limit.c: failed authentications, counted in the store for each client and address
 * (RFC 6749 2.3.1).
 *
 * All instances share the count. Who is over the limit is barred, right secret or not, until a
 * window after that failure; others are not touched, so a stranger cannot lock a client out. A
 * success costs no command: whether somebody is barred is known from memory.
 *
 * Ids that do not exist count together for each address, so that made-up ids fill nothing; and each
 * one in memory, so that it is barred as early as one that exists would be, and the limit does not
 * tell them apart. */
#include "oauth/oauth_internal.h"

#define WINDOW_S 60u
#define UNKNOWN_FACTOR 10u /* ids that do not exist share a limit that much higher */
#define UNKNOWN_NAME "!"   /* no client's id */

uint64_t oauth_failure_barred_until(struct oauth *oauth, struct slice client_id,
                                    struct slice address) {
    if (!oauth->bars_anybody) {
        return 0;
    }
    return digest_memory_find(&oauth->barred, oauth->options.crypto, client_id, address,
                              oauth->options.monotonic_ms());
}

uint64_t oauth_failure_strangers_barred_until(struct oauth *oauth, struct slice address) {
    return oauth_failure_barred_until(oauth, S(UNKNOWN_NAME), address);
}

struct slice oauth_failure_name(struct slice client_id, bool client_known) {
    return client_known ? client_id : S(UNKNOWN_NAME);
}

enum progress oauth_failure_count(struct oauth *oauth, struct slice name, struct slice address,
                                  struct store_operation *operation) {
    char storage[OAUTH_KEY_STORAGE + OAUTH_ADDRESS_MAX + 1];
    struct buffer key = buffer_of(storage, sizeof storage);
    buffer_append(&key, S("fail:"));
    buffer_append(&key, name);
    buffer_append_char(&key, ':');
    buffer_append(&key, address);
    return store_count(oauth->options.store, buffer_slice(&key), WINDOW_S, operation);
}

static uint64_t bar(struct oauth *oauth, struct slice name, struct slice address) {
    uint64_t until_ms = oauth->options.monotonic_ms() + WINDOW_S * 1000;
    oauth->bars_anybody = true;
    digest_memory_put(&oauth->barred, oauth->options.crypto, name, address, until_ms);
    return until_ms;
}

static bool is_over(const struct store_operation *counted, uint64_t limit) {
    return counted->answer == STORE_FOUND && (uint64_t)counted->number > limit;
}

uint64_t oauth_failure_bar(struct oauth *oauth, struct slice client_id, bool client_known,
                           struct slice address, const struct store_operation *counted) {
    const struct oauth_options *options = &oauth->options;
    uint64_t limit = options->failure_limit;
    uint64_t now_ms = options->monotonic_ms();
    if (client_known) {
        /* The same look into memory as below, so that time does not tell. */
        digest_memory_find(&oauth->strangers, options->crypto, client_id, address, now_ms);
        return is_over(counted, limit) ? bar(oauth, client_id, address) : 0;
    }
    if (is_over(counted, limit * UNKNOWN_FACTOR)) {
        bar(oauth, S(UNKNOWN_NAME), address);
    }
    unsigned tries = digest_memory_count(&oauth->strangers, options->crypto, client_id, address,
                                         now_ms, now_ms + WINDOW_S * 1000);
    if (tries > limit) {
        return bar(oauth, client_id, address);
    }
    return oauth_failure_barred_until(oauth, S(UNKNOWN_NAME), address);
}
