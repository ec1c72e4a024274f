/* A cluster of three, and a store before it, in every order in which what they do can come: token,
 * client and generation lie on three nodes, and the client changes, the generation moves on, slots
 * move while a token is made, verified or revoked.
 *
 * The nodes are scripted and live in this thread (support/model_cluster.h); the store, its links
 * and all of src/oauth are the real ones, over sockets. Time stands still: what is too old for the
 * clock is another test's matter, here copies are trusted for as long as the nodes' words allow.
 *
 * A scenario is what is there in the beginning, and a few processes: the request, the operator, who
 * moves a slot. Its runs are all the orders (support/explore.h) of: the next step of a process, a
 * node executes the next command that has reached it, a node's next reply or push is heard. What
 * is judged: see judge_mint(), judge_verification() and judge_the_end(). */
#include "mintd/clock.h"
#include "mintd/log.h"
#include "mintd/redis_store.h"
#include "oauth/oauth_internal.h"
#include "oauth/token.h"
#include "store/redis/cluster.h"
#include "support/explore.h"
#include "support/model_cluster.h"
#include "support/still_clock.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PREFIX "mintd:"
#define CLIENT "svc-a"
#define SECRET "s3cret-A_1.x~"
#define PROCESSES 4u
#define STEPS 6u
#define CHANGES_MAX 8u
#define TRACE_MAX 4096u
#define TURNS_MAX 1000u
#define BEAT_MS 800u /* each node is asked for its slots */

enum { A, B, C }; /* where the token, the client and the generation lie */

/* ---- scenarios ---- */

#define STEP_NAMES(X)                                                                              \
    X(NO_STEP)                                                                                     \
    X(MINT)                                                                                        \
    X(MINT_TOO)     /* another request */                                                          \
    X(VERIFY)       /* the token of the beginning, or what another instance has made */            \
    X(VERIFY_AFTER) /* the same, once the revocation is acknowledged */                            \
    X(REVOKE)                                                                                      \
    X(NEW_TERMS) /* another scope by default */                                                    \
    X(NEW_SECRET)                                                                                  \
    X(REMOVE_CLIENT)                                                                               \
    X(PUT_CLIENT)                                                                                  \
    X(REVOKE_ALL) /* the generation moves on */                                                    \
    X(REMOVE_AND_REVOKE_ALL)                                                                       \
    X(MINT_ELSEWHERE) /* by another instance, on the terms of now */                               \
    X(BEGIN_MOVE)                                                                                  \
    X(MOVE_KEYS)                                                                                   \
    X(TELL_NEW_OWNER)                                                                              \
    X(TELL_OLD_OWNER)                                                                              \
    X(END_MOVE)     /* both are told */                                                            \
    X(MOVE_AT_ONCE) /* both nodes know at once, and nobody is told of the keys */

enum step {
#define X(name) name,
    STEP_NAMES(X)
#undef X
};

static const char *const step_names[] = {
#define X(name) #name,
    STEP_NAMES(X)
#undef X
};

struct scenario {
    const char *name;
    bool is_warm;          /* the client, the generation and a token were read before */
    bool is_client_absent; /* in the beginning */
    bool views_come_late;  /* all were asked a moment ago, and are not asked again in a run */
    unsigned silent;       /* nodes, a bit each, that do not track */
    enum model_class moves;
    unsigned from, to;
    bool has_moved; /* all but the end of the move is over before the run */
    enum step steps[PROCESSES][STEPS];
    enum model_flaw flaw; /* of all nodes */
};

static bool is_moving(const struct scenario *scenario) {
    return scenario->from != scenario->to;
}

/* ---- the world ---- */

/* What is true of the client and the generation. */
struct truth {
    unsigned version; /* of the client; moves on with each change */
    unsigned secret;
    bool is_there;
    unsigned generation;
};

struct mint {
    struct oauth_grant grant;
    bool is_open, is_done;
    struct truth before; /* when the request came */
    bool was_refused;    /* at some moment since the client was not to get a token */
};

struct check {
    struct oauth_verification verification;
    bool is_open, is_done;
    bool is_revoked; /* when the request came */
    bool was_bad;    /* at some moment since the token was not good */
};

struct world {
    uv_loop_t loop;
    struct model_cluster cluster;
    struct store *store;
    struct store_metrics metrics;
    struct oauth *oauth;
    struct oauth_metrics oauth_metrics;
    struct crypto *crypto;

    const struct scenario *scenario;
    unsigned next[PROCESSES];
    struct truth now;
    unsigned version_at[CHANGES_MAX]; /* that of the client as this generation began */
    struct oauth_token token;         /* of the beginning, or another instance's */
    struct mint mints[2];
    struct check checks[2];
    struct oauth_revocation revocation;
    bool revocation_is_open, is_revoked;

    unsigned unknown, violations;
    char trace[TRACE_MAX];
    size_t trace_size;
    char first_violation[TRACE_MAX + 512];
};

static uint64_t random_state;

/* The same tokens in each run. */
bool __wrap_crypto_random(struct crypto *crypto, void *out, size_t size);
bool __wrap_crypto_random(struct crypto *crypto, void *out, size_t size) {
    unsigned char *bytes = out;
    (void)crypto;
    for (size_t i = 0; i < size; i++) {
        random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (unsigned char)(random_state >> 56);
    }
    return true;
}

/* ---- what happened, for people ---- */

static void note(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct world *world, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(world->trace + world->trace_size, TRACE_MAX - world->trace_size, format,
                         arguments);
    va_end(arguments);
    world->trace_size += (size_t)size;
    world->trace_size = world->trace_size < TRACE_MAX ? world->trace_size : TRACE_MAX - 1;
}

static void blame(struct world *world, const char *what) {
    if (world->violations++ == 0) {
        snprintf(world->first_violation, sizeof world->first_violation, "%s: %s:%s",
                 world->scenario->name, what, world->trace);
    }
}

/* ---- the loop ---- */

/* What has come in is read, and what was asked for is sent: a first flush may gather. */
static void settle(struct world *world) {
    uv_run(&world->loop, UV_RUN_NOWAIT);
    store_flush(world->store);
    store_flush(world->store);
    model_take(&world->cluster);
}

static bool let_all_speak(struct world *world) {
    bool any = false;
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        struct model_node *node = &world->cluster.nodes[n];
        while (model_can_execute(node)) {
            model_execute(&world->cluster, node);
        }
        while (model_can_deliver(node)) {
            model_deliver(&world->cluster, node);
            any = true;
        }
    }
    return any;
}

/* Until nothing is under way. */
static void drain(struct world *world) {
    unsigned turn = 0;
    do {
        assert_true(++turn < TURNS_MAX);
        settle(world);
    } while (let_all_speak(world));
}

static void let_time_pass(struct world *world, uint64_t ms) {
    still_clock_move(ms);
    settle(world);
}

/* ---- the client, the generation, tokens ---- */

static void put_client(struct world *world) {
    char stored[PASSWORD_STORED_MAX + 1] = "", secret[32], reply[MODEL_REPLY_MAX], generation[16];
    struct buffer text = buffer_of(stored, PASSWORD_STORED_MAX);
    snprintf(secret, sizeof secret, SECRET "%.0u", world->now.secret);
    snprintf(generation, sizeof generation, "%u", world->now.version + 1);
    assert_true(password_hash_fast(slice_of_string(secret), &text));
    const char *scope = world->now.version % 2 == 0 ? "$4\r\nread" : "$5\r\nwrite";
    snprintf(reply, sizeof reply,
             "%%4\r\n$8\r\nsecret:1\r\n$%zu\r\n%s\r\n$5\r\nscope\r\n$10\r\nread write\r\n"
             "$13\r\ndefault_scope\r\n%s\r\n$3\r\ngen\r\n$%zu\r\n%s\r\n",
             strlen(stored), stored, scope, strlen(generation), generation);
    model_put(&world->cluster, world->cluster.client_key, reply);
}

static void put_generation(struct world *world) {
    char number[16], reply[32];
    snprintf(number, sizeof number, "%u", world->now.generation);
    snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", strlen(number), number);
    model_put(&world->cluster, world->cluster.generation_key, reply);
    world->version_at[world->now.generation] = world->now.version;
}

static void token_key(const struct oauth_token *token, char key[96]) {
    snprintf(key, 96, PREFIX "token:%.*s", (int)OAUTH_JTI_SIZE, token->jti);
}

/* False: it is nowhere. */
static bool read_record(const struct world *world, const struct oauth_token *token,
                        struct token_record *record) {
    static char storage[MODEL_REPLY_MAX];
    struct buffer text = buffer_of(storage, sizeof storage);
    char key[96];
    token_key(token, key);
    const struct model_entry *entry = model_find(&world->cluster, key);
    if (entry == NULL) {
        return false;
    }
    struct slice rest = slice_of_string(entry->reply), line;
    assert_true(slice_split(&rest, '\n', &line) && slice_split(&rest, '\r', &line));
    assert_true(token_record_read(line, record, &text));
    return true;
}

static void mint_elsewhere(struct world *world) {
    char storage[400], reply[MODEL_REPLY_MAX], key[96];
    struct buffer json = buffer_of(storage, sizeof storage);
    uint64_t now_s = clock_wall_ms() / 1000;
    assert_true(token_text_make(world->crypto, S("mtd_"), world->token.text));
    assert_true(token_id_of(world->crypto, slice_of(world->token.text, OAUTH_TOKEN_SIZE),
                            world->token.jti));
    token_record_write(&(struct token_record){.client_id = S(CLIENT),
                                              .scope = S("read"),
                                              .audience = S(""),
                                              .issued_at = now_s,
                                              .expires_at = now_s + 3600,
                                              .generation = world->now.version + 1,
                                              .global_generation = world->now.generation},
                       &json);
    struct slice text = buffer_slice(&json);
    snprintf(reply, sizeof reply, "$%zu\r\n%.*s\r\n", text.size, (int)text.size, text.data);
    token_key(&world->token, key);
    assert_int_equal(model_class_of(&world->cluster, key), MODEL_TOKENS);
    model_put(&world->cluster, key, reply);
}

static bool may_have_a_token(const struct truth *truth) {
    return truth->is_there && truth->secret == 0; /* the request has the first secret */
}

static bool is_good(const struct world *world, const struct oauth_token *token) {
    struct token_record record;
    return read_record(world, token, &record) && world->now.is_there &&
           record.generation == world->now.version + 1 &&
           record.global_generation == world->now.generation;
}

/* ---- a mint ---- */

/* A token that was given is on terms that were right when the request came, or later; and none
 * outlives a revoke-all that came behind a change of its terms. */
static void judge_token(struct world *world, const struct mint *mint) {
    struct token_record record;
    if (!read_record(world, &mint->grant.token, &record)) {
        blame(world, "a token was given that is nowhere");
        return;
    }
    unsigned version = (unsigned)record.generation - 1;
    unsigned generation = (unsigned)record.global_generation;
    if (!may_have_a_token(&mint->before) && version <= mint->before.version) {
        blame(world, "a client got a token that it was not to get");
    } else if (version < mint->before.version) {
        blame(world, "a token on old terms");
    } else if (generation < mint->before.generation) {
        blame(world, "a token that was dead at birth");
    } else if (version < world->version_at[generation]) {
        blame(world, "a token on old terms outlives a revoke-all");
    } else if (!slice_equal(record.scope, version % 2 == 0 ? S("read") : S("write"))) {
        blame(world, "a token on the terms of two versions");
    }
}

static void judge_mint(struct world *world, const struct mint *mint) {
    switch (mint->grant.refusal) {
    case OAUTH_REFUSED_NONE:
        judge_token(world, mint);
        break;
    case OAUTH_REFUSED_UNKNOWN_CLIENT:
    case OAUTH_REFUSED_WRONG_SECRET:
        if (may_have_a_token(&mint->before) && !mint->was_refused) {
            blame(world, "a client was refused that has been right all the while");
        }
        break;
    default:
        world->unknown++;
    }
}

static void end_mint(struct world *world, struct mint *mint) {
    mint->is_open = false;
    mint->is_done = true;
    note(world, " [%s]", oauth_refusal_label(mint->grant.refusal));
    judge_mint(world, mint);
}

static struct world *the_world; /* a flow does not know it */

static void on_minted(struct flow *flow) {
    end_mint(the_world, container_of(flow, struct mint, grant.flow));
}

static void offer(struct oauth_credentials *credentials) {
    oauth_credentials_from_body(credentials, S(CLIENT), S(SECRET));
}

static void start_mint(struct world *world, struct mint *mint) {
    memset(mint, 0, sizeof *mint);
    mint->before = world->now;
    mint->was_refused = !may_have_a_token(&world->now);
    offer(&mint->grant.authentication.credentials);
    mint->grant.grant_type = S("client_credentials");
    mint->grant.scope = mint->grant.resources = mint->grant.audience = mint->grant.ttl = S("");
    mint->grant.flow.on_done = on_minted;
    mint->is_open = true;
    if (oauth_grant_start(world->oauth, &mint->grant) == PROGRESS_DONE) {
        end_mint(world, mint);
    }
}

/* ---- a verification ---- */

/* A no has to have been true at some moment since the request came. A yes may be older than that
 * (within bounds of time), but for what this process has revoked. */
static void judge_verification(struct world *world, const struct check *check) {
    enum oauth_refusal refusal = check->verification.refusal;
    bool is_unknown = oauth_refusal_error(refusal) == OAUTH_TEMPORARILY_UNAVAILABLE;
    if (is_unknown) {
        world->unknown++;
    } else if (refusal == OAUTH_REFUSED_NONE && check->is_revoked) {
        blame(world, "a revoked token was good");
    } else if (refusal != OAUTH_REFUSED_NONE && !check->was_bad) {
        blame(world, "a good token was refused");
    }
}

static void end_verification(struct world *world, struct check *check) {
    check->is_open = false;
    check->is_done = true;
    note(world, " [%s]", oauth_refusal_label(check->verification.refusal));
    judge_verification(world, check);
}

static void on_verified(struct flow *flow) {
    struct check *check = container_of(flow, struct check, verification.flow);
    end_verification(the_world, check);
}

/* Behind each step: what was true at some moment since a request came. */
static void look_at_truth(struct world *world) {
    for (unsigned i = 0; i < 2; i++) {
        struct check *check = &world->checks[i];
        struct mint *mint = &world->mints[i];
        check->was_bad = check->was_bad || (check->is_open && !is_good(world, &world->token));
        mint->was_refused = mint->was_refused || !may_have_a_token(&world->now);
    }
}

static void start_verification(struct world *world, struct check *check,
                               const struct oauth_token *token) {
    memset(check, 0, sizeof *check);
    check->is_open = true;
    check->is_revoked = world->is_revoked;
    check->was_bad = !is_good(world, token);
    check->verification.token = slice_of(token->text, OAUTH_TOKEN_SIZE);
    check->verification.flow.on_done = on_verified;
    if (oauth_verification_start(world->oauth, &check->verification) == PROGRESS_DONE) {
        end_verification(world, check);
    }
}

/* ---- a revocation ---- */

static void end_revocation(struct world *world) {
    world->revocation_is_open = false;
    world->is_revoked = world->revocation.refusal == OAUTH_REFUSED_NONE;
    note(world, " [%s]", world->is_revoked ? "revoked" : "not revoked");
    world->unknown += !world->is_revoked;
}

static void on_revoked(struct flow *flow) {
    (void)flow;
    end_revocation(the_world);
}

static void start_revocation(struct world *world) {
    struct oauth_revocation *revocation = &world->revocation;
    memset(revocation, 0, sizeof *revocation);
    offer(&revocation->inquiry.authentication.credentials);
    revocation->inquiry.token = slice_of(world->token.text, OAUTH_TOKEN_SIZE);
    revocation->flow.on_done = on_revoked;
    world->revocation_is_open = true;
    if (oauth_revocation_start(world->oauth, revocation) == PROGRESS_DONE) {
        end_revocation(world);
    }
}

/* ---- steps ---- */

static void change_client(struct world *world, enum step step) {
    world->now.version++;
    world->now.is_there = step != REMOVE_CLIENT;
    world->now.secret += step == NEW_SECRET;
    if (world->now.is_there) {
        put_client(world);
    } else {
        model_remove(&world->cluster, world->cluster.client_key);
    }
}

static void revoke_all(struct world *world) {
    world->now.generation++;
    assert_true(world->now.generation < CHANGES_MAX);
    put_generation(world);
}

static void move_slot(struct world *world, enum step step) {
    const struct scenario *scenario = world->scenario;
    struct model_cluster *cluster = &world->cluster;
    unsigned from = scenario->from, to = scenario->to;
    switch (step) {
    case BEGIN_MOVE:
        model_begin_move(cluster, scenario->moves, to);
        break;
    case MOVE_KEYS:
        model_move_keys(cluster, scenario->moves, to, true);
        break;
    case TELL_NEW_OWNER:
        model_set_owner(cluster, to, scenario->moves, to);
        break;
    case TELL_OLD_OWNER:
        model_set_owner(cluster, from, scenario->moves, to);
        break;
    case END_MOVE:
        model_set_owner(cluster, to, scenario->moves, to);
        model_set_owner(cluster, from, scenario->moves, to);
        break;
    default: /* MOVE_AT_ONCE */
        model_move_keys(cluster, scenario->moves, to, false);
        model_set_owner(cluster, to, scenario->moves, to);
        model_set_owner(cluster, from, scenario->moves, to);
    }
}

static void take_step(struct world *world, enum step step) {
    switch (step) {
    case MINT:
        start_mint(world, &world->mints[0]);
        break;
    case MINT_TOO:
        start_mint(world, &world->mints[1]);
        break;
    case VERIFY:
        start_verification(world, &world->checks[0], &world->token);
        break;
    case VERIFY_AFTER:
        start_verification(world, &world->checks[1], &world->token);
        break;
    case REVOKE:
        start_revocation(world);
        break;
    case NEW_TERMS:
    case NEW_SECRET:
    case REMOVE_CLIENT:
    case PUT_CLIENT:
        change_client(world, step);
        break;
    case REMOVE_AND_REVOKE_ALL:
        change_client(world, REMOVE_CLIENT);
        revoke_all(world);
        break;
    case REVOKE_ALL:
        revoke_all(world);
        break;
    case MINT_ELSEWHERE:
        mint_elsewhere(world);
        break;
    default:
        move_slot(world, step);
    }
    look_at_truth(world);
}

static enum step next_step(const struct world *world, unsigned process) {
    unsigned next = world->next[process];
    return next < STEPS ? world->scenario->steps[process][next] : NO_STEP;
}

/* The store's own thread has a part in it. */
static bool is_ours(enum step step) {
    return step >= MINT && step <= REVOKE;
}

static bool is_move(enum step step) {
    return step >= BEGIN_MOVE && step <= MOVE_AT_ONCE;
}

/* The nodes that it changes, a bit each. */
static unsigned nodes_of(const struct scenario *scenario, enum step step) {
    unsigned move = 1u << scenario->from | 1u << scenario->to;
    if (is_ours(step)) {
        return 0;
    }
    if (is_move(step)) {
        return move;
    }
    unsigned home_of_it = step == REVOKE_ALL              ? 1u << C
                          : step == REMOVE_AND_REVOKE_ALL ? 1u << B | 1u << C
                          : step == MINT_ELSEWHERE        ? 1u << A
                                                          : 1u << B;
    return is_moving(scenario) ? home_of_it | move : home_of_it;
}

/* ---- actions ---- */

#define EXECUTE(node) (node)
#define DELIVER(node) (MODEL_NODES + (node))
#define PROCESS(process) (2 * MODEL_NODES + (process))

static bool is_execution(unsigned action) {
    return action < MODEL_NODES;
}

static bool is_delivery(unsigned action) {
    return action >= MODEL_NODES && action < 2 * MODEL_NODES;
}

static bool may_begin(const struct world *world, enum step step) {
    return step != NO_STEP && (step != VERIFY_AFTER || world->is_revoked);
}

static uint32_t enabled(void *context) {
    struct world *world = context;
    uint32_t all = 0;
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        const struct model_node *node = &world->cluster.nodes[n];
        all |= model_can_execute(node) ? 1u << EXECUTE(n) : 0;
        all |= model_can_deliver(node) ? 1u << DELIVER(n) : 0;
    }
    for (unsigned p = 0; p < PROCESSES; p++) {
        all |= may_begin(world, next_step(world, p)) ? 1u << PROCESS(p) : 0;
    }
    return all;
}

static void act(void *context, unsigned action) {
    static const char names[] = "ABC";
    struct world *world = context;
    if (is_execution(action)) {
        model_execute(&world->cluster, &world->cluster.nodes[action]);
        note(world, " %c<%s;", names[action], world->cluster.last);
    } else if (is_delivery(action)) {
        unsigned n = action - MODEL_NODES;
        model_deliver(&world->cluster, &world->cluster.nodes[n]);
        note(world, " %c>%s", names[n], world->cluster.last);
        settle(world);
        note(world, ";");
    } else {
        unsigned process = action - 2 * MODEL_NODES;
        enum step step = next_step(world, process);
        note(world, " %s", step_names[step]);
        world->next[process]++;
        take_step(world, step);
        if (is_ours(step)) {
            settle(world);
        }
        note(world, ";");
    }
}

/* Nodes know nothing of each other; the store hears one thing after the other; and when a request
 * came, that of what others have done by then matters. */
static bool commute(void *context, unsigned a, unsigned b) {
    const struct world *world = context;
    if (a > b) {
        return commute(context, b, a);
    }
    if (is_execution(a) && is_execution(b)) {
        return a != b;
    }
    if (b < 2 * MODEL_NODES) {
        return is_execution(a); /* what was said before is in the outbox already */
    }
    if (a >= 2 * MODEL_NODES) {
        return false;
    }
    enum step step = next_step(world, b - 2 * MODEL_NODES);
    if (is_delivery(a)) {
        return !is_ours(step);
    }
    return (nodes_of(world->scenario, step) >> a & 1u) == 0;
}

/* ---- runs ---- */

static const unsigned home[MODEL_CLASSES] = {
    [MODEL_TOKENS] = A, [MODEL_CLIENT] = B, [MODEL_GENERATION] = C};

/* Each has its copies: of the client or its absence, the generation, a token. */
static void warm_up(struct world *world) {
    if (!world->now.is_there) {
        start_mint(world, &world->mints[0]);
        drain(world);
        assert_int_equal(world->mints[0].grant.refusal, OAUTH_REFUSED_UNKNOWN_CLIENT);
    }
    start_verification(world, &world->checks[0], &world->token);
    drain(world);
    assert_true(world->checks[0].is_done);
}

static void reset(void *context) {
    struct world *world = context;
    model_reset(&world->cluster, home);
    drain(world);
    let_time_pass(world, 1000); /* all nodes say which slots they have, */
    drain(world);
    let_time_pass(world, 300); /* and may be asked again at once */
    if (world->scenario->views_come_late) {
        cluster_ask_all((struct redis_store *)world->store);
    }
    drain(world);
    memset(&world->oauth->owners, 0, sizeof world->oauth->owners);
    memset(world->next, 0, sizeof world->next);
    memset(world->checks, 0, sizeof world->checks);
    world->now = (struct truth){.is_there = !world->scenario->is_client_absent, .generation = 1};
    world->is_revoked = false;
    memset(world->mints, 0, sizeof world->mints);
    random_state = 1;
    if (world->now.is_there) {
        put_client(world);
    }
    put_generation(world);
    mint_elsewhere(world);
    if (world->scenario->has_moved) {
        move_slot(world, BEGIN_MOVE);
        move_slot(world, MOVE_KEYS);
    }
    drain(world);
    if (world->scenario->is_warm) {
        warm_up(world);
    }
    world->trace_size = 0;
    world->trace[0] = '\0';
}

/* All has been heard: what is said now is what is true. */
static void judge_the_end(struct world *world, const struct oauth_token *token, const char *what) {
    struct check *check = &world->checks[0];
    bool good = is_good(world, token);
    note(world, " at last, %s:", what);
    if (is_moving(world->scenario)) { /* of which nobody may have been told */
        let_time_pass(world, BEAT_MS);
        drain(world);
    }
    start_verification(world, check, token);
    drain(world);
    assert_true(check->is_done);
    if ((check->verification.refusal == OAUTH_REFUSED_NONE) != good) {
        blame(world, good ? "a good token is refused in the end"
                          : "a token that is not good passes in the end");
    }
}

static void end_run(void *context, bool whole) {
    struct world *world = context;
    drain(world);
    assert_false(world->mints[0].is_open || world->mints[1].is_open || world->checks[0].is_open ||
                 world->checks[1].is_open || world->revocation_is_open);
    if (!whole) {
        return;
    }
    bool any = false;
    for (unsigned i = 0; i < 2; i++) {
        struct mint *mint = &world->mints[i];
        if (mint->is_done && mint->grant.refusal == OAUTH_REFUSED_NONE) {
            judge_the_end(world, &mint->grant.token, "what was minted");
            any = true;
        }
    }
    if (!any) {
        judge_the_end(world, &world->token, "the token of the beginning");
    }
}

/* ---- life ---- */

static void on_closed(void *context) {
    *(bool *)context = true;
}

static void close_store(struct world *world) {
    bool closed = false;
    store_close(world->store, on_closed, &closed);
    while (!closed) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
        model_take(&world->cluster);
    }
    store_free(world->store);
}

static void open_store(struct world *world) {
    struct redis_store_options options = {
        .url = {.topology = REDIS_CLUSTER, .is_unix = true, .seed_count = 1},
        .prefix = S(PREFIX),
        .name = S("test"),
        .timeout_ms = 600,
        .metrics = &world->metrics,
        .cache_size = 65536,
        .cache_seed = {{5, 6}},
    };
    snprintf(options.url.seeds[0].host, sizeof options.url.seeds[0].host, "%s",
             world->cluster.nodes[A].path);
    world->store = redis_store_new(&world->loop, &options);
    assert_non_null(world->store);
    for (unsigned turn = 0; store_trouble_now(world->store) != STORE_TROUBLE_NONE; turn++) {
        assert_true(turn < TURNS_MAX);
        let_time_pass(world, 10);
        let_all_speak(world);
    }
    drain(world);
}

static void open_world(struct world *world, const struct scenario *scenario) {
    memset(world, 0, sizeof *world);
    the_world = world;
    world->scenario = scenario;
    assert_int_equal(uv_loop_init(&world->loop), 0);
    model_open(&world->cluster, S(PREFIX), S("client:" CLIENT), S(OAUTH_KEY_GENERATION));
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        for (unsigned class = 0; class < MODEL_CLASSES; class ++) {
            model_set_owner(&world->cluster, n, class, home[class]);
        }
        world->cluster.nodes[n].refuses_tracking = (scenario->silent >> n & 1u) != 0;
        world->cluster.nodes[n].flaw = scenario->flaw;
    }
    open_store(world);
    world->crypto = crypto_new();
    world->oauth = oauth_new(&(struct oauth_options){.store = world->store,
                                                     .crypto = world->crypto,
                                                     .metrics = &world->oauth_metrics,
                                                     .wall_ms = clock_wall_ms,
                                                     .monotonic_ms = clock_monotonic_ms,
                                                     .token_ttl_s = 3600});
    assert_true(world->crypto != NULL && world->oauth != NULL);
}

static void close_world(struct world *world) {
    close_store(world);
    oauth_free(world->oauth);
    crypto_free(world->crypto);
    model_close(&world->cluster);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

/* ---- the scenarios ---- */

#define CLIENT_TO_A .moves = MODEL_CLIENT, .from = B, .to = A
#define GENERATION_TO_A .moves = MODEL_GENERATION, .from = C, .to = A
#define TOKENS_TO_B .moves = MODEL_TOKENS, .from = A, .to = B
#define BY_KEY BEGIN_MOVE, MOVE_KEYS
#define TELL_BOTH TELL_NEW_OWNER, TELL_OLD_OWNER

static const struct scenario scenarios[] = {
    {.name = "new terms", .steps = {{MINT}, {NEW_TERMS}}},
    {.name = "client removed, while a token is verified",
     .steps = {{MINT}, {REMOVE_CLIENT}, {VERIFY}}},
    {.name = "client removed, revoke-all", .steps = {{MINT}, {REMOVE_CLIENT, REVOKE_ALL}}},
    {.name = "new terms, revoke-all; nobody tells",
     .silent = 1 << A | 1 << B | 1 << C,
     .steps = {{MINT}, {NEW_TERMS, REVOKE_ALL}}},
    {.name = "new terms, revoke-all; the client's node does not tell",
     .silent = 1 << B,
     .steps = {{MINT}, {NEW_TERMS, REVOKE_ALL}}},
    {.name = "new terms, revoke-all; the generation's node does not tell",
     .silent = 1 << C,
     .steps = {{MINT}, {NEW_TERMS, REVOKE_ALL}}},
    {.name = "copies: new terms, revoke-all",
     .is_warm = true,
     .steps = {{MINT}, {NEW_TERMS, REVOKE_ALL}}},
    {.name = "copies: revoke-all, client removed",
     .is_warm = true,
     .steps = {{MINT}, {REVOKE_ALL, REMOVE_CLIENT}}},
    {.name = "copies: new secret", .is_warm = true, .steps = {{MINT}, {NEW_SECRET}}},
    {.name = "copies: client removed, revoke-all",
     .is_warm = true,
     .steps = {{MINT}, {REMOVE_CLIENT, REVOKE_ALL}}},
    {.name = "copies: client removed and put",
     .is_warm = true,
     .steps = {{MINT}, {REMOVE_CLIENT, PUT_CLIENT}}},
    {.name = "copies: a client comes",
     .is_warm = true,
     .is_client_absent = true,
     .steps = {{MINT}, {PUT_CLIENT}}},
    {.name = "copies: slot given away, new terms",
     .views_come_late = true,
     .is_warm = true,
     CLIENT_TO_A,
     .steps = {{MINT}, {MOVE_AT_ONCE, NEW_TERMS}}},
    {.name = "copies: slot given away, a client comes",
     .views_come_late = true,
     .is_warm = true,
     .is_client_absent = true,
     CLIENT_TO_A,
     .steps = {{MINT}, {MOVE_AT_ONCE, PUT_CLIENT}}},
    {.name = "copies: slot of the generation given away, revoke-all",
     .views_come_late = true,
     .is_warm = true,
     GENERATION_TO_A,
     .steps = {{MINT}, {MOVE_AT_ONCE, REVOKE_ALL}}},
    {.name = "copies: slot moved by key, client removed",
     .views_come_late = true,
     .is_warm = true,
     CLIENT_TO_A,
     .steps = {{MINT}, {BY_KEY, REMOVE_CLIENT, END_MOVE}}},
    {.name = "slot being moved, client removed, revoke-all",
     .silent = 1 << C, /* fewer questions */
     .views_come_late = true,
     .has_moved = true,
     CLIENT_TO_A,
     .steps = {{MINT}, {REMOVE_AND_REVOKE_ALL}}},
    {.name = "slot being moved, client removed, while a token is verified",
     .views_come_late = true,
     .has_moved = true,
     CLIENT_TO_A,
     .steps = {{VERIFY}, {REMOVE_CLIENT, MINT}}},
    {.name = "copies: two mints, a new secret between them",
     .is_warm = true,
     .steps = {{MINT}, {NEW_SECRET, MINT_TOO}}},
    {.name = "copies: slots of tokens moved by key",
     .views_come_late = true,
     .is_warm = true,
     TOKENS_TO_B,
     .steps = {{MINT}, {BY_KEY, TELL_BOTH}}},
    {.name = "another instance mints on new terms",
     .steps = {{NEW_TERMS, REVOKE_ALL, MINT_ELSEWHERE, VERIFY}}},
    {.name = "copies: another instance mints on new terms",
     .is_warm = true,
     .steps = {{NEW_TERMS, REVOKE_ALL, MINT_ELSEWHERE, VERIFY}}},
    {.name = "revocation", .steps = {{REVOKE}, {VERIFY_AFTER}}},
    {.name = "copies: revocation, while it is verified",
     .is_warm = true,
     .steps = {{REVOKE}, {VERIFY}, {VERIFY_AFTER}}},
    {.name = "copies: revocation, slots given away",
     .views_come_late = true,
     .is_warm = true,
     TOKENS_TO_B,
     .steps = {{REVOKE}, {VERIFY_AFTER}, {MOVE_AT_ONCE}}},
    {.name = "copies: revocation, slots moved by key",
     .views_come_late = true,
     .is_warm = true,
     TOKENS_TO_B,
     .steps = {{REVOKE}, {VERIFY_AFTER}, {BY_KEY, TELL_BOTH}}},
};

/* Nodes that do not keep to what the store relies on: each is found out. */
static const struct scenario flawed[] = {
    {.name = "nodes that tell nothing",
     .is_warm = true,
     .flaw = MODEL_TELLS_NOTHING,
     .steps = {{MINT}, {NEW_TERMS}}},
    {.name = "nodes that tell behind their next reply",
     .is_warm = true,
     .flaw = MODEL_TELLS_BEHIND,
     .steps = {{MINT}, {NEW_TERMS}}},
    {.name = "nodes that answer for a slot that they have lost",
     .is_warm = true,
     .flaw = MODEL_ANSWERS_FOR_OTHERS,
     CLIENT_TO_A,
     .views_come_late = true,
     .steps = {{MINT}, {MOVE_AT_ONCE, NEW_TERMS}}},
};

static struct world world;
static unsigned runs; /* of all scenarios */

static unsigned explore_all(const struct scenario *scenario) {
    const struct explored explored = {.context = &world,
                                      .reset = reset,
                                      .enabled = enabled,
                                      .act = act,
                                      .commute = commute,
                                      .end = end_run};
    open_world(&world, scenario);
    unsigned count = explore(&explored);
    close_world(&world);
    print_message("%u orders\n", count);
    return count;
}

static void test_scenario(void **state) {
    runs += explore_all(*state);
    if (world.violations != 0) {
        print_message("%s\n", world.first_violation);
    }
    assert_int_equal(world.violations, 0);
    assert_int_equal(world.unknown, 0); /* nobody was away */
}

static void test_flaw_is_found(void **state) {
    explore_all(*state);
    assert_int_not_equal(world.violations, 0);
}

static void test_there_were_many(void **state) {
    (void)state;
    print_message("%u orders in all\n", runs);
    assert_true(runs >= 10000);
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

int main(void) {
    struct CMUnitTest tests[COUNT_OF(scenarios) + 1 + COUNT_OF(flawed)];
    struct CMUnitTest *test = tests;
    signal(SIGPIPE, SIG_IGN);
    log_start(LOG_FORMAT_TEXT, LOG_SILENT);
    for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
        *test++ = (struct CMUnitTest){.name = scenarios[i].name,
                                      .test_func = test_scenario,
                                      .initial_state = (void *)&scenarios[i]};
    }
    *test++ = (struct CMUnitTest)cmocka_unit_test(test_there_were_many);
    for (size_t i = 0; i < COUNT_OF(flawed); i++) {
        *test++ = (struct CMUnitTest){.name = flawed[i].name,
                                      .test_func = test_flaw_is_found,
                                      .initial_state = (void *)&flawed[i]};
    }
    int failed = cmocka_run_group_tests_name("three nodes", tests, NULL, NULL);
    log_stop();
    return failed;
}
