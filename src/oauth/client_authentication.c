/* client_authentication.c: is this client who it says it is (RFC 6749 2.3, 10.10).
 *
 * Happy path: read the client, and ahead of it, where that is wanted, the global generation;
 * compare the fast secrets; look into the memory of slow checks that succeeded. No slow hash runs.
 * Else: each slow secret is checked on the pool, one after the other (slow_check.h).
 *
 * Failure: time must not tell an unknown client, a disabled one and a wrong secret apart. All take
 * the same steps: an unknown client is judged like a known one, by a record that nothing matches;
 * as many fast secrets are compared as a client can have; where slow secrets are in use at all, a
 * slow one is compared; and a refusal that rests on memory, in which some clients are and some are
 * not, is confirmed: one question to Redis, whoever it is. The answer also tells whether the client
 * has changed a moment ago: then it is judged again. Where Redis may be another one than was named
 * each refusal is confirmed. */
#include "oauth/oauth_internal.h"
#include "oauth/slow_check.h"

#define ZEROS "00000000000000000000000000000000"
#define PAIRS (OAUTH_SECRETS_MAX * 2)

static enum progress conclude(struct flow *flow);

static struct slice offered_secret(const struct oauth_authentication *a, unsigned index) {
    return slice_of(a->credentials.secrets[index], a->credentials.secret_sizes[index]);
}

static enum progress end(struct oauth_authentication *a, enum oauth_refusal refusal) {
    a->refusal = refusal;
    a->flow.step = NULL;
    return PROGRESS_DONE;
}

/* An expired secret that matches is remembered for the log; another one may still be good. */
static void note_match(struct oauth_authentication *a, unsigned secret) {
    uint64_t expires = a->client.secrets[secret].expires;
    a->secret_number = secret + 1;
    if (expires != 0 && expires <= a->oauth->options.wall_ms() / 1000) {
        a->secret_expired_at = expires;
    } else {
        a->secret_expired_at = 0;
        a->matched = true;
    }
}

/* Nothing more is compared. A disabled client goes on as if its secret were wrong: it is refused
 * all the same. */
static bool is_settled(const struct oauth_authentication *a) {
    return a->matched && !a->client.disabled;
}

/* False: there is no digest of one, so nobody can tell. */
static bool check_fast_secrets(struct oauth_authentication *a) {
    struct password_digest digest;
    bool ok = true;
    for (unsigned i = 0; ok && i < a->credentials.secret_count && !is_settled(a); i++) {
        ok = password_digest_of(a->oauth->options.crypto, offered_secret(a, i), &digest);
        for (unsigned s = 0; ok && s < OAUTH_SECRETS_MAX; s++) {
            if (password_digest_matches(&digest, a->client.secrets[s].stored)) {
                note_match(a, s);
            }
        }
    }
    crypto_wipe(&digest, sizeof digest);
    return ok;
}

static void count_attempt_in_vain(struct oauth_authentication *a) {
    password_pool_count_failure(a->oauth->options.pool, a->address);
}

/* Nobody knows whether the secret is right: no verdict, no failure of the client. */
static enum progress end_busy(struct oauth_authentication *a) {
    count_attempt_in_vain(a);
    return end(a, OAUTH_REFUSED_BUSY);
}

static void on_checked(struct oauth_slow_check *check) {
    struct oauth_authentication *a = container_of(check, struct oauth_authentication, check);
    if (!check->was_checked) {
        end_busy(a);
    }
    flow_resume(&a->flow);
}

static enum progress check_slowly(struct oauth_authentication *a, struct slice stored,
                                  struct slice offered, enum progress (*then)(struct flow *flow)) {
    const struct oauth_slow_question question = {
        .client_id = oauth_credentials_id(&a->credentials),
        .source = a->address,
        .stored = stored,
        .offered = offered,
    };
    a->check.on_done = on_checked;
    if (!oauth_slow_check_start(a->oauth, &a->check, &question)) {
        return end_busy(a);
    }
    a->slow_checks++;
    a->read.deadline_ns = 0; /* that time was not the store's */
    a->flow.step = then;
    return PROGRESS_PENDING;
}

static enum oauth_refusal verdict(const struct oauth_authentication *a) {
    if (!a->client_known) {
        return OAUTH_REFUSED_UNKNOWN_CLIENT;
    }
    if (!a->matched) {
        return a->secret_expired_at != 0 ? OAUTH_REFUSED_SECRET_EXPIRED
                                         : OAUTH_REFUSED_WRONG_SECRET;
    }
    return a->client.disabled ? OAUTH_REFUSED_CLIENT_DISABLED : OAUTH_REFUSED_NONE;
}

static enum progress check_next_slow_secret(struct flow *flow);

static enum progress take_slow_result(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    unsigned secret = a->pair / 2;
    if (a->check.matches) {
        note_match(a, secret);
        digest_memory_put(&a->oauth->verified, a->oauth->options.crypto,
                          a->client.secrets[secret].stored, offered_secret(a, a->pair % 2),
                          DIGEST_MEMORY_FOREVER);
    }
    a->pair++;
    flow->step = check_next_slow_secret;
    return PROGRESS_DONE;
}

/* The same steps as for a slow secret, the look into memory too: where the pool has no room no slow
 * check hides what went before. */
static enum progress check_decoy(struct oauth_authentication *a) {
    struct oauth *oauth = a->oauth;
    struct slice offered = offered_secret(a, a->slow_checks);
    if (digest_memory_find(&oauth->verified, oauth->options.crypto, password_slow_decoy, offered,
                           0) == 0 &&
        password_kind_of(password_slow_decoy) == PASSWORD_SLOW) {
        return check_slowly(a, password_slow_decoy, offered, check_next_slow_secret);
    }
    a->flow.step = conclude; /* nothing matches the decoy, so it is not remembered */
    return PROGRESS_DONE;
}

static enum progress check_next_slow_secret(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    struct oauth *oauth = a->oauth;
    for (; a->pair < PAIRS && !is_settled(a); a->pair++) {
        struct slice stored = a->client.secrets[a->pair / 2].stored;
        unsigned offer = a->pair % 2;
        if (offer >= a->credentials.secret_count || slice_is_absent(stored) ||
            slice_starts_with(stored, S("$sha256$"))) {
            continue;
        }
        if (digest_memory_find(&oauth->verified, oauth->options.crypto, stored,
                               offered_secret(a, offer), 0) != 0) {
            counter_add(&oauth->options.metrics->remembered_checks, 1);
            note_match(a, a->pair / 2);
        } else if (password_kind_of(stored) == PASSWORD_SLOW) {
            oauth->slow_secrets_in_use = true;
            return check_slowly(a, stored, offered_secret(a, offer), take_slow_result);
        }
    }
    if (oauth->slow_secrets_in_use && verdict(a) != OAUTH_REFUSED_NONE &&
        a->slow_checks < a->credentials.secret_count) {
        return check_decoy(a);
    }
    flow->step = conclude;
    return PROGRESS_DONE;
}

/* ---- the verdict ---- */

static enum progress end_barred(struct oauth_authentication *a, uint64_t until_ms) {
    uint64_t now_ms = a->oauth->options.monotonic_ms();
    a->retry_after_s = until_ms > now_ms ? (unsigned)((until_ms - now_ms + 999) / 1000) : 1;
    return end(a, OAUTH_REFUSED_TOO_MANY_FAILURES);
}

static struct slice failure_name(const struct oauth_authentication *a) {
    return oauth_failure_name(oauth_credentials_id(&a->credentials), a->client_known);
}

/* The verdict stands already; the count can only make it harder. */
static enum progress take_count(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    uint64_t until_ms = oauth_failure_bar(a->oauth, oauth_credentials_id(&a->credentials),
                                          a->client_known, a->address, &a->read);
    if (until_ms != 0) {
        return end_barred(a, until_ms);
    }
    return end(a, a->refusal);
}

/* Where slow secrets are in use each refusal has cost slow checks, whoever it was. */
static enum progress count_failure(struct oauth_authentication *a) {
    if (a->slow_checks != 0) {
        count_attempt_in_vain(a);
    }
    if (a->oauth->options.failure_limit == 0 || slice_is_absent(a->address)) {
        return end(a, a->refusal);
    }
    a->flow.step = take_count;
    return oauth_failure_count(a->oauth, failure_name(a), a->address, &a->read);
}

static enum progress begin(struct flow *flow);

static enum progress take_confirmation(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    if (a->read.answer == STORE_UNKNOWN) {
        a->trouble = a->read.trouble;
        return end(a, OAUTH_REFUSED_STORE_UNKNOWN);
    }
    a->is_confirmed = true;
    if (a->read.holds) {
        return a->refusal == OAUTH_REFUSED_NONE ? end(a, a->refusal) : count_failure(a);
    }
    flow->step = begin;
    return PROGRESS_DONE;
}

static struct store_premise client_premise(const struct oauth_authentication *a, char *storage) {
    return (struct store_premise){oauth_client_key(oauth_credentials_id(&a->credentials), storage),
                                  a->client_copy};
}

unsigned oauth_authentication_premises(const struct oauth_authentication *a, char *storage,
                                       struct store_premise premises[STORE_PREMISES_MAX]) {
    premises[0] = client_premise(a, storage);
    premises[1] = (struct store_premise){S(OAUTH_KEY_GENERATION), a->generation.operation.copy};
    return a->wants_generation ? 2 : 1;
}

static enum progress confirm(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    char storage[OAUTH_KEY_STORAGE];
    const struct store_premise premise = client_premise(a, storage);
    flow->step = take_confirmation;
    return store_confirm(a->oauth->options.store, &premise, 1, &a->read);
}

static enum progress conclude(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    a->refusal = verdict(a);
    if (a->refusal == OAUTH_REFUSED_NONE && a->is_rehearsal) {
        return end(a, OAUTH_REFUSED_NONE);
    }
    if (a->refusal == OAUTH_REFUSED_NONE) {
        secret_usage_note(&a->oauth->usage, oauth_credentials_id(&a->credentials), a->secret_number,
                          a->client.secrets[a->secret_number - 1].used,
                          a->oauth->options.wall_ms() / 1000);
        return end(a, OAUTH_REFUSED_NONE);
    }
    if (oauth_authentication_may_be_wrong(a)) {
        flow->step = confirm;
        return PROGRESS_DONE;
    }
    return count_failure(a);
}

/* ---- the global generation ---- */

/* Its slice is gone with the callback, so it is read there. */
static void take_generation(struct oauth_authentication *a) {
    struct oauth_side_read *read = &a->generation;
    read->progress = SIDE_READ_ANSWERED;
    read->is_readable = read->operation.answer != STORE_UNKNOWN &&
                        oauth_generation_read(&read->operation, &a->global_generation);
}

static void on_generation(struct store_operation *operation) {
    struct oauth_authentication *a =
        container_of(operation, struct oauth_authentication, generation.operation);
    take_generation(a);
    if (a->awaits_generation) {
        a->awaits_generation = false;
        flow_resume(&a->flow);
    }
}

/* The read, where it is under way. */
static const struct store_operation *ask_generation(struct oauth_authentication *a) {
    struct oauth_side_read *read = &a->generation;
    if (!a->wants_generation) {
        return NULL;
    }
    read->operation.on_done = on_generation;
    read->operation.deadline_ns = a->read.deadline_ns;
    read->progress = SIDE_READ_ASKED;
    enum progress progress =
        store_get(a->oauth->options.store, S(OAUTH_KEY_GENERATION), &read->operation);
    a->read.deadline_ns = read->operation.deadline_ns;
    if (progress == PROGRESS_DONE) {
        take_generation(a);
        return NULL;
    }
    return &read->operation;
}

static enum progress await_generation(struct oauth_authentication *a) {
    a->awaits_generation = a->generation.progress == SIDE_READ_ASKED;
    return a->awaits_generation ? PROGRESS_PENDING : PROGRESS_DONE;
}

/* ---- the client ---- */

/* What an unknown client is judged by: a record of the usual shape. */
static const struct store_operation *decoy_record(void) {
    static struct store_field fields[] = {
        {SLICE("scope"), SLICE("read write")},
        {SLICE("gen"), SLICE("1234567890123456")},
        {SLICE("created"), SLICE("1750000000")},
        {SLICE("secret:1"), SLICE("$sha256$" ZEROS ZEROS)},
        {SLICE("secret:1:made"), SLICE("1750000000")},
        {SLICE("secret:1:used"), SLICE("1750000000")},
    };
    static const struct store_operation record = {
        .answer = STORE_FOUND, .fields = fields, .field_count = sizeof fields / sizeof fields[0]};
    return &record;
}

static enum progress judge_client(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    if (a->read.answer == STORE_UNKNOWN) {
        a->trouble = a->read.trouble;
        return end(a, OAUTH_REFUSED_STORE_UNKNOWN);
    }
    if (!a->client_is_readable) {
        return end(a, OAUTH_REFUSED_RECORD_UNREADABLE);
    }
    a->client_known = a->client_known && oauth_client_has_secret(&a->client);
    uint64_t until_ms = oauth_failure_strangers_barred_until(a->oauth, a->address);
    if (!a->client_known && until_ms != 0) {
        return end_barred(a, until_ms);
    }
    if (!check_fast_secrets(a)) {
        return end(a, OAUTH_REFUSED_BUSY);
    }
    flow->step = check_next_slow_secret;
    return PROGRESS_DONE;
}

/* Not before both reads have ended. */
static enum progress take_client(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    a->may_be_wrong = store_no_may_be_wrong(&a->read);
    a->client_copy = a->read.copy;
    a->client_known = a->read.answer == STORE_FOUND;
    a->client_is_readable =
        oauth_client_read(a->client_known ? &a->read : decoy_record(), &a->client);
    flow->step = judge_client;
    return await_generation(a);
}

static void on_answer(struct store_operation *operation) {
    struct oauth_authentication *a = container_of(operation, struct oauth_authentication, read);
    flow_resume(&a->flow);
}

static enum progress read_client(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    char storage[OAUTH_KEY_STORAGE];
    const struct store_operation *generation = ask_generation(a);
    flow->step = take_client;
    return store_read_hash_after(a->oauth->options.store,
                                 oauth_client_key(oauth_credentials_id(&a->credentials), storage),
                                 generation, &a->read);
}

static enum progress begin(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    a->secret_number = 0;
    a->secret_expired_at = 0;
    a->pair = 0;
    a->client_known = false;
    a->matched = false;
    a->slow_checks = 0;
    flow->step = read_client;
    return PROGRESS_DONE;
}

static enum progress check_credentials(struct flow *flow) {
    struct oauth_authentication *a = container_of(flow, struct oauth_authentication, flow);
    if (a->credentials.refusal != OAUTH_REFUSED_NONE) {
        return end(a, a->credentials.refusal);
    }
    uint64_t until_ms =
        oauth_failure_barred_until(a->oauth, oauth_credentials_id(&a->credentials), a->address);
    if (until_ms != 0) {
        return end_barred(a, until_ms);
    }
    a->read.on_done = on_answer;
    flow->step = begin;
    return PROGRESS_DONE;
}

static enum progress start(struct oauth *oauth, struct oauth_authentication *a, bool is_rehearsal) {
    a->oauth = oauth;
    a->is_rehearsal = is_rehearsal;
    a->trouble = STORE_TROUBLE_NONE;
    a->secret_number = 0;
    a->secret_expired_at = 0;
    a->retry_after_s = 0;
    a->is_confirmed = false;
    a->may_be_wrong = false;
    a->awaits_generation = false;
    a->generation.progress = SIDE_READ_NOT_ASKED;
    a->check.wait_left_ns = OAUTH_SLOW_CHECK_WAIT_NS;
    a->flow.step = check_credentials;
    return flow_start(&a->flow);
}

enum progress oauth_authentication_start(struct oauth *oauth, struct oauth_authentication *a) {
    return start(oauth, a, false);
}

enum progress oauth_authentication_rehearse(struct oauth *oauth, struct oauth_authentication *a) {
    return start(oauth, a, true);
}

bool oauth_authentication_may_be_wrong(const struct oauth_authentication *a) {
    return a->may_be_wrong && !a->is_confirmed;
}

enum progress oauth_authentication_confirm(struct oauth_authentication *a) {
    a->flow.step = confirm;
    return flow_start(&a->flow);
}
