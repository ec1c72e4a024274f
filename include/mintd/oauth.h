/* oauth.h: who may have a token, and whether a token is good (RFC 6749, 6750, 8707).
 *
 * Each worker has one struct oauth. An operation is a flow (flow.h) in the caller's storage. Fill
 * in the request, set flow.on_done, and start it; it ends with PROGRESS_DONE, or later with
 * on_done. It copies what it is given, so the request's bytes may go once start has returned. A
 * comment says so where a field must stay until the end. */
#ifndef MINTD_OAUTH_H
#define MINTD_OAUTH_H

#include "mintd/buffer.h"
#include "mintd/client_names.h"
#include "mintd/counter.h"
#include "mintd/crypto.h"
#include "mintd/flow.h"
#include "mintd/password.h"
#include "mintd/store.h"

#define OAUTH_CLIENT_ID_MAX 255u
#define OAUTH_SCOPE_MAX 1024u       /* bytes of a scope list */
#define OAUTH_AUDIENCE_MAX 1024u    /* bytes of a list of audiences */
#define OAUTH_CLIENT_TEXT_MAX 4096u /* bytes of all fields of a client that we read */
#define OAUTH_SECRETS_MAX 4u
#define OAUTH_ADDRESS_MAX 64u
/* How long the slow checks of one authentication may wait for a thread, all together. */
#define OAUTH_SLOW_CHECK_WAIT_NS UINT64_C(2000000000)
#define OAUTH_TTL_MAX (366u * 24u * 3600u) /* seconds */

/* ---- words ---- */

/* Error codes with their names from RFC 6749 5.2, RFC 6750 3.1 and RFC 8707 2, each with its HTTP
 * status. */
#define OAUTH_ERRORS(X)                                                                            \
    X(NONE, "none", 200)                                                                           \
    X(INVALID_REQUEST, "invalid_request", 400)                                                     \
    X(INVALID_CLIENT, "invalid_client", 401)                                                       \
    X(UNAUTHORIZED_CLIENT, "unauthorized_client", 400)                                             \
    X(UNSUPPORTED_GRANT_TYPE, "unsupported_grant_type", 400)                                       \
    X(INVALID_SCOPE, "invalid_scope", 400)                                                         \
    X(INVALID_TARGET, "invalid_target", 400)                                                       \
    X(INVALID_GRANT, "invalid_grant", 400)                                                         \
    X(INSUFFICIENT_SCOPE, "insufficient_scope", 403)                                               \
    X(INVALID_TOKEN, "invalid_token", 401)                                                         \
    X(TOO_MANY_FAILURES, "temporarily_unavailable", 429)                                           \
    X(TEMPORARILY_UNAVAILABLE, "temporarily_unavailable", 503)

enum oauth_error {
#define X(id, name, status) OAUTH_##id,
    OAUTH_ERRORS(X)
#undef X
};

const char *oauth_error_name(enum oauth_error error);
unsigned oauth_error_status(enum oauth_error error);

/* Why something was refused. For each reason: its word in the metrics, its text in the log, the
 * error code that follows from it, and the text for the caller (no quote, no backslash: RFC 6749
 * 5.2). Reasons that a caller must not tell apart share one text for the caller. Alerts name the
 * words: if a word changes, CHANGELOG.md has to say so. */
#define OAUTH_WHO "unknown client or wrong secret: check client_id and client_secret"
#define OAUTH_DEAD "the token is unknown, expired or revoked: get a new one"
#define OAUTH_AWAY "the store does not answer: try again shortly"
#define OAUTH_REFUSALS(X)                                                                          \
    X(NONE, none, "none", NONE, "")                                                                \
    X(NO_CREDENTIALS, no_credentials, "no client authentication", INVALID_CLIENT,                  \
      "authenticate with Authorization: Basic, or with client_id and client_secret in the body")   \
    X(MALFORMED_CREDENTIALS, malformed_credentials, "malformed credentials", INVALID_CLIENT,       \
      OAUTH_WHO)                                                                                   \
    X(CLIENT_ID_CHARACTER, client_id_character,                                                    \
      "client id has a character that mintd does not take", INVALID_CLIENT, OAUTH_WHO)             \
    X(UNKNOWN_CLIENT, unknown_client, "unknown client", INVALID_CLIENT, OAUTH_WHO)                 \
    X(WRONG_SECRET, wrong_secret, "wrong secret", INVALID_CLIENT, OAUTH_WHO)                       \
    X(SECRET_EXPIRED, expired_secret, "secret expired", INVALID_CLIENT, OAUTH_WHO)                 \
    X(CLIENT_DISABLED, disabled_client, "client disabled", INVALID_CLIENT, OAUTH_WHO)              \
    X(TOO_MANY_FAILURES, too_many_failures, "too many failures", TOO_MANY_FAILURES,                \
      "too many failed attempts for this client from this address: wait, then check the secret")   \
    X(TWO_CREDENTIALS, two_credentials, "two ways of client authentication", INVALID_REQUEST,      \
      "authenticate in one way only: the Authorization header or the body")                        \
    X(OTHER_CLIENT_ID, other_client_id, "client_id differs from Authorization", INVALID_REQUEST,   \
      "client_id in the body differs from the one in the Authorization header: leave it out")      \
    X(PARAMETERS_IN_URI, parameters_in_uri, "parameters in the URI", INVALID_REQUEST,              \
      "send the parameters in the body: the query of the URI is not read")                         \
    X(MALFORMED_FORM, malformed_form, "malformed form", INVALID_REQUEST,                           \
      "a parameter is malformed: after a percent sign stand two hex digits")                       \
    X(REPEATED_PARAMETER, repeated_parameter, "repeated parameter", INVALID_REQUEST,               \
      "a parameter is repeated: send each one once")                                               \
    X(PARAMETER_TOO_LONG, long_parameter, "parameter too long", INVALID_REQUEST,                   \
      "a parameter is too long")                                                                   \
    X(NO_GRANT_TYPE, no_grant_type, "no grant_type", INVALID_REQUEST,                              \
      "grant_type is missing: send grant_type=client_credentials")                                 \
    X(GRANT_UNSUPPORTED, unsupported_grant_type, "unsupported grant_type", UNSUPPORTED_GRANT_TYPE, \
      "this server knows one grant type: client_credentials")                                      \
    X(GRANT_NOT_ALLOWED, grant_not_allowed, "grant not allowed", UNAUTHORIZED_CLIENT,              \
      "this client may not use this grant type")                                                   \
    X(SCOPE_MALFORMED, malformed_scope, "malformed scope", INVALID_SCOPE,                          \
      "scope is malformed: names of visible ASCII, one space between them")                        \
    X(SCOPE_NOT_ALLOWED, scope_not_allowed, "scope not allowed", INVALID_SCOPE,                    \
      "the client may not have all of these scopes: ask for less, or leave scope out")             \
    X(TARGET_MALFORMED, malformed_resource, "malformed resource", INVALID_TARGET,                  \
      "resource is an absolute URI without a fragment")                                            \
    X(TARGET_NOT_ALLOWED, audience_not_allowed, "audience not allowed", INVALID_TARGET,            \
      "the client may not have a token for this resource or audience")                             \
    X(TTL_MALFORMED, malformed_ttl, "malformed ttl", INVALID_REQUEST,                              \
      "ttl is a number of seconds, 1 at least")                                                    \
    X(NO_TOKEN, no_token, "no token", INVALID_TOKEN,                                               \
      "send a token: Authorization: Bearer mtd_...")                                               \
    X(MALFORMED_BEARER, malformed_bearer, "malformed Authorization", INVALID_REQUEST,              \
      "the Authorization header is malformed: it is Bearer, a space, and the token")               \
    X(TOKEN_IN_URI, token_in_uri, "token in the URI", INVALID_REQUEST,                             \
      "a token in the URI is refused: send it as Authorization: Bearer")                           \
    X(TOKEN_MALFORMED, malformed_token, "token not of our form", INVALID_TOKEN, OAUTH_DEAD)        \
    X(TOKEN_UNKNOWN, unknown_token, "token unknown, expired or deleted", INVALID_TOKEN,            \
      OAUTH_DEAD)                                                                                  \
    X(TOKEN_EXPIRED, expired_token, "token expired", INVALID_TOKEN, OAUTH_DEAD)                    \
    X(TOKEN_OF_OLD_GENERATION, revoked_generation, "token of a revoked generation", INVALID_TOKEN, \
      OAUTH_DEAD)                                                                                  \
    X(TOKEN_WITHOUT_CLIENT, removed_client, "client of the token removed", INVALID_TOKEN,          \
      OAUTH_DEAD)                                                                                  \
    X(TOKEN_OF_DISABLED_CLIENT, token_of_disabled_client, "client of the token disabled",          \
      INVALID_TOKEN, OAUTH_DEAD)                                                                   \
    X(TOKEN_OF_OTHER_AUDIENCE, missing_audience, "audience missing", INVALID_TOKEN,                \
      "the token is not meant for this audience")                                                  \
    X(SCOPE_MISSING, missing_scope, "scope missing", INSUFFICIENT_SCOPE,                           \
      "the token lacks a scope that is needed here")                                               \
    X(NO_TOKEN_PARAMETER, no_token_parameter, "no token parameter", INVALID_REQUEST,               \
      "token is missing: send token=...")                                                          \
    X(OTHERS_TOKEN, token_of_other_client, "token of another client", INVALID_GRANT,               \
      "the token belongs to another client: its own client may revoke it")                         \
    X(STORE_UNKNOWN, store_unknown, "store does not answer", TEMPORARILY_UNAVAILABLE, OAUTH_AWAY)  \
    X(RECORD_UNREADABLE, unreadable_record, "record in the store is unreadable",                   \
      TEMPORARILY_UNAVAILABLE, OAUTH_AWAY)                                                         \
    X(BUSY, too_many_slow_checks, "too many secrets to check", TEMPORARILY_UNAVAILABLE,            \
      "too busy to check the secret now: try again shortly")                                       \
    X(OVERLOADED, overloaded, "requests wait for too long", TEMPORARILY_UNAVAILABLE,               \
      "overloaded: try again shortly")                                                             \
    X(NO_RANDOMNESS, no_randomness, "random generator failed", TEMPORARILY_UNAVAILABLE,            \
      "no token can be made now: try again shortly")

enum oauth_refusal {
#define X(id, word, label, error, description) OAUTH_REFUSED_##id,
    OAUTH_REFUSALS(X)
#undef X
        OAUTH_REFUSAL_COUNT
};

const char *oauth_refusal_word(enum oauth_refusal refusal);
const char *oauth_refusal_label(enum oauth_refusal refusal);
const char *oauth_refusal_description(enum oauth_refusal refusal);
enum oauth_error oauth_refusal_error(enum oauth_refusal refusal);

/* ---- one for each worker ---- */

struct oauth_metrics {
    struct counter minted;
    struct counter validated;
    struct counter revoked; /* tokens that were there when their own client revoked them */
    struct counter introspections[2]; /* that were answered; the second: with an active token */
    struct counter refusals[OAUTH_REFUSAL_COUNT];
    struct counter slow_checks;   /* secrets that were given to the pool */
    struct counter shared_checks; /* answered by a slow check that was under way already */
    /* Answered from the digests of secrets that were checked before. */
    struct counter remembered_checks;
    struct {
        struct counter minted, validated;
    } clients[CLIENT_NAMES_MAX + 1];  /* the last one: all clients without a name of their own */
    struct histogram slow_check_wait; /* until a thread began with it, or it was given up */
};

struct oauth_options {
    struct store *store;
    struct crypto *crypto;
    struct password_pool *pool;
    struct password_inbox *inbox; /* the owner drains it */
    struct oauth_metrics *metrics;
    struct client_names *client_names; /* outlives the oauth; NULL: clients are not counted */
    uint64_t (*wall_ms)(void);         /* since the epoch: for times in records */
    uint64_t (*monotonic_ms)(void);    /* for waits */
    unsigned token_ttl_s;              /* where the client does not say */
    /* What every client may ask for as its resource or audience (RFC 8707). It outlives the oauth.
     * Absent: nothing. */
    struct slice own_resource;
    unsigned failure_limit; /* failures a minute for a client from an address; 0: no limit */
};

struct oauth;

/* What the options point to outlives it. NULL: no memory. */
struct oauth *oauth_new(const struct oauth_options *options);
/* Wipes it. No operation may be open, so the store must be closed already. NULL is fine. */
void oauth_free(struct oauth *oauth);

/* Writes into the store when secrets were last used: all that has gathered since the last call. No
 * request waits for it, and a failure harms nothing. Call it every few seconds. */
void oauth_write_usage(struct oauth *oauth);

/* When there is no time left: gives up the slow checks that have not begun, and begins none from
 * now on. An authentication that waits for one is refused as BUSY, from password_inbox_drain();
 * its on_done is called once, as always. A check that a thread has begun is waited for. */
void oauth_give_up_slow_checks(struct oauth *oauth);
/* Gives up only the slow checks that have waited for too long: OAUTH_SLOW_CHECK_WAIT_NS. Call it
 * several times a second, with the time of clock_monotonic_ns(). */
void oauth_give_up_late_checks(struct oauth *oauth, uint64_t now_ns);
/* How many slow checks of the whole process no thread has begun. */
unsigned oauth_slow_checks_waiting(const struct oauth *oauth, enum password_lane lane);

/* Counts a refusal, also one that was found outside the operations below. NONE counts nothing. */
void oauth_count_refusal(struct oauth *oauth, enum oauth_refusal refusal);
/* Counts an introspection that was answered. */
void oauth_count_introspection(struct oauth *oauth, bool is_active);

/* ---- clients ---- */

/* Whether this can be a client's id: 1 to OAUTH_CLIENT_ID_MAX of A-Z a-z 0-9 . _ ~ @ / -, safe in
 * keys, headers and logs. A text with a token or a secret of ours in it is refused: somebody may
 * send one in place of an id. */
bool oauth_client_id_is_valid(struct slice id);
/* Whether each character of the text is one of those. An empty text has only such characters. */
bool oauth_client_id_has_alphabet(struct slice id);
/* Whether this secret can be sent: 1 to PASSWORD_SECRET_MAX bytes, no control bytes (RFC 7617
 * 2). */
bool oauth_secret_is_valid(struct slice secret);
/* Whether it is a list of scope-tokens (RFC 6749 3.3) with one space between them; it may be
 * empty. */
bool oauth_scope_is_valid(struct slice scope);

struct oauth_secret {
    struct slice stored; /* absent where there is none */
    uint64_t expires;    /* epoch seconds; 0: never */
    uint64_t used;       /* when it was last used, epoch seconds, to the minute; 0: never */
};

/* A client as the store has it. The slices point into `text`. */
struct oauth_client {
    struct oauth_secret secrets[OAUTH_SECRETS_MAX];
    struct slice scope, default_scope, audience; /* default_scope absent: all of scope */
    uint64_t generation;
    unsigned ttl_s, max_ttl_s; /* 0: the record does not say */
    bool disabled;
    bool may_mint;       /* the client credentials grant */
    bool may_introspect; /* may introspect the tokens of others */
    size_t text_size;
    char text[OAUTH_CLIENT_TEXT_MAX];
};

/* ---- client authentication (RFC 6749 2.3, RFC 7617) ---- */

/* What a request offers: an id, and up to two readings of one secret (form-decoded and raw). It
 * holds secrets: wipe it. */
struct oauth_credentials {
    enum oauth_refusal refusal; /* NONE: they are well-formed */
    size_t id_size;
    char id[OAUTH_CLIENT_ID_MAX];
    unsigned secret_count;
    size_t secret_sizes[2];
    char secrets[2][PASSWORD_SECRET_MAX];
};

/* Reads the value of an Authorization header. MALFORMED_CREDENTIALS: another scheme than Basic,
 * bad base64, no colon, an empty part, or control bytes in the secret. CLIENT_ID_CHARACTER: the id
 * has a character that no id may have. */
void oauth_credentials_from_basic(struct oauth_credentials *credentials,
                                  struct slice authorization);
/* Takes both from the decoded body. NO_CREDENTIALS: an id without a secret. */
void oauth_credentials_from_body(struct oauth_credentials *credentials, struct slice id,
                                 struct slice secret);
struct slice oauth_credentials_id(const struct oauth_credentials *credentials);
/* Without an id and without a secret. */
void oauth_credentials_init(struct oauth_credentials *credentials);
/* Wipes the secrets; the id stays. */
void oauth_credentials_wipe(struct oauth_credentials *credentials);

/* A read that is sent together with another one, so that it costs no round trip of its own. */
struct oauth_side_read {
    struct store_operation operation;
    enum { SIDE_READ_NOT_ASKED, SIDE_READ_ASKED, SIDE_READ_ANSWERED } progress;
    bool is_readable;  /* the answer makes sense */
    bool is_confirmed; /* in a verification: a no that rests on it is confirmed as of now */
};

/* A check of an offered secret on the pool. slow_check.h in src/oauth serves it. */
struct oauth_slow_check {
    void (*on_done)(struct oauth_slow_check *check);
    uint64_t wait_left_ns;
    bool was_checked; /* false: it was given up, and nobody knows */
    bool matches;
    /* its own */
    struct oauth *oauth;
    struct oauth_slow_check *next;    /* in the list of those under way, or of sharers */
    struct oauth_slow_check *sharers; /* checks of the same secret, which wait for this one's job */
    bool is_named;
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    struct password_job job;
};

struct oauth_authentication {
    struct flow flow;
    struct oauth_credentials credentials; /* the request; the caller wipes it in the end */
    /* the request: the address or network that its failures are counted under. It is the caller's
     * until the end. Absent: failures are not limited. */
    struct slice address;
    /* the request: read the global generation too, before the client. A caller that stores what
     * rests on both needs this order. If the client changes and the generation is raised after
     * that, what rests on the old client has the old generation, and dies. With the new generation
     * it would live on. */
    bool wants_generation;
    /* the result */
    enum oauth_refusal refusal; /* NONE: authenticated */
    enum store_trouble trouble; /* with STORE_UNKNOWN */
    /* 1 to 4: which one matched; with SECRET_EXPIRED: which one has expired. */
    unsigned secret_number;
    uint64_t secret_expired_at;        /* with SECRET_EXPIRED: epoch seconds */
    unsigned retry_after_s;            /* with TOO_MANY_FAILURES */
    struct oauth_client client;        /* set when NONE */
    struct oauth_side_read generation; /* where it is wanted, when NONE: it is answered */
    uint64_t global_generation;        /* the number, where it is readable */
    /* its own */
    struct oauth *oauth;
    struct store_operation read;
    struct oauth_slow_check check;
    unsigned pair;        /* the next pair of a stored and an offered secret to check slowly */
    unsigned slow_checks; /* how many were made so far */
    struct store_copy client_copy;
    bool client_known, client_is_readable, matched;
    bool awaits_generation;
    bool may_be_wrong; /* a no that rests on how the client was read */
    bool is_confirmed; /* it is as of now, and from the right store */
    bool is_rehearsal;
};

enum progress oauth_authentication_start(struct oauth *oauth, struct oauth_authentication *a);
/* Only tries whether it would succeed: this does not count as a use of the secret. */
enum progress oauth_authentication_rehearse(struct oauth *oauth, struct oauth_authentication *a);
/* After an authentication that ended with NONE: whether the client may be out of date. It may be
 * where it was read from memory, or from a store that may not be the one that was named. Before
 * the caller refuses something for what this client may not do, it has to confirm it. */
bool oauth_authentication_may_be_wrong(const struct oauth_authentication *a);
/* Does the same authentication again, as of now, with the same credentials. It has a result of its
 * own, which is not out of date. */
enum progress oauth_authentication_confirm(struct oauth_authentication *a);

/* ---- tokens ---- */

#define OAUTH_TOKEN_SIZE 53u /* "mtd_", 43 random base62 characters, 6 of CRC-32 */
#define OAUTH_JTI_SIZE 32u   /* the first hex digits of SHA-256 of the token */

struct oauth_token {
    char text[OAUTH_TOKEN_SIZE]; /* a secret */
    char jti[OAUTH_JTI_SIZE];    /* not a secret: what Redis and logs hold */
};

/* ---- the client credentials grant (RFC 6749 4.4) ---- */

struct oauth_grant {
    struct flow flow;
    /* the request; it is the caller's until the end; empty means not given */
    struct oauth_authentication authentication; /* its credentials */
    struct slice grant_type;
    struct slice scope;
    struct slice resources; /* one or more, separated by newlines */
    struct slice audience;  /* one */
    struct slice ttl;
    /* the result */
    enum oauth_refusal refusal;
    enum store_trouble trouble;
    struct oauth_token token; /* the caller wipes it after use */
    unsigned ttl_s;
    uint64_t expires_at_ms; /* since the epoch; the token is good at least until then */
    struct buffer granted_scope, granted_audience; /* written into the two below */
    char scope_storage[OAUTH_SCOPE_MAX];
    char audience_storage[OAUTH_AUDIENCE_MAX];
    /* its own */
    struct oauth *oauth;
    struct store_operation operation;
    unsigned wanted_ttl_s;
    uint64_t global_generation;
    unsigned rounds;      /* how many tokens were made; for the last one: */
    bool grants_the_same; /* its scope and audience are what would be granted now */
    uint64_t token_generation, token_global_generation;
};

/* Mints a token. When refusal is NONE, the store has acknowledged it. */
enum progress oauth_grant_start(struct oauth *oauth, struct oauth_grant *grant);

/* ---- is this token good (RFC 6750) ---- */

/* Finds the token in the value of an Authorization header (RFC 6750 2.1). NONE: *token is a part
 * of that value. NO_TOKEN: there is no header, or another scheme. MALFORMED_BEARER: what follows
 * the scheme is not exactly one b64token. */
enum oauth_refusal oauth_bearer_token_of(struct slice authorization, struct slice *token);

/* What is looked at in a client each time that a token of it is used. */
struct oauth_client_standing {
    uint64_t generation;
    bool is_client; /* it is there, and has a secret */
    bool is_disabled;
};

struct oauth_verification {
    struct flow flow;
    /* the request */
    struct slice token; /* valid until the start returns */
    /* As in a store_operation; afterwards it is the deadline that was in force. */
    uint64_t deadline_ns;
    /* the result; the slices point into `text` */
    enum oauth_refusal refusal; /* NONE: good */
    enum store_trouble trouble;
    struct slice client_id, scope, audience;
    uint64_t issued_at, expires_at; /* epoch seconds */
    char jti[OAUTH_JTI_SIZE];       /* set with any refusal once the token has the right form */
    bool has_jti;
    /* its own */
    bool is_fetched; /* the record was not in memory */
    struct oauth *oauth;
    struct store_operation operation;      /* reads the record, or confirms */
    struct oauth_side_read client;         /* the token's client, or the client that is guessed */
    struct oauth_side_read generation;     /* the global one, now */
    struct oauth_side_read *awaited;       /* the read that is waited for; NULL: neither */
    struct oauth_side_read *confirmed;     /* the read that is being confirmed */
    struct oauth_client_standing standing; /* of the client */
    uint64_t current_generation;           /* the global one */
    uint64_t token_generation, token_global_generation;
    size_t guess_size; /* 0: no client was guessed */
    char guess[OAUTH_CLIENT_ID_MAX];
    char text[OAUTH_CLIENT_ID_MAX + OAUTH_SCOPE_MAX + OAUTH_AUDIENCE_MAX];
};

enum progress oauth_verification_start(struct oauth *oauth, struct oauth_verification *v);

/* ---- introspection (RFC 7662) and revocation (RFC 7009) ---- */

/* An authenticated caller asks about a token. */
struct oauth_inquiry {
    struct flow flow;
    /* the request */
    struct oauth_authentication authentication; /* of the caller: its credentials */
    struct slice token; /* the caller's until the end; absent: it was missing */
    /* the result */
    enum oauth_refusal refusal; /* NONE: there is an answer */
    enum store_trouble trouble;
    struct oauth_verification verification; /* when NONE: what to say of the token */
    /* its own */
    struct oauth *oauth;
};

enum progress oauth_inquiry_start(struct oauth *oauth, struct oauth_inquiry *inquiry);

/* After an inquiry that ended with NONE: whether the token is good and the caller may know it. It
 * may know about its own tokens, and with the introspect permission about any token. But where both
 * the caller and the token have audiences, they must share one (RFC 7662 2.2). */
bool oauth_inquiry_finds_active(const struct oauth_inquiry *inquiry);

/* Revokes a token of the caller's own. It also succeeds for a token that is unknown or already
 * dead. */
struct oauth_revocation {
    struct flow flow;
    /* The request: the credentials of its authentication, and its token. */
    struct oauth_inquiry inquiry;
    /* the result */
    enum oauth_refusal refusal; /* NONE: the token is dead, and the store has acknowledged it */
    enum store_trouble trouble;
    bool revoked; /* this call has revoked it */
    /* its own */
    struct oauth *oauth;
    struct store_operation operation;
};

enum progress oauth_revocation_start(struct oauth *oauth, struct oauth_revocation *r);

/* ---- a client made at start ---- */

/* What --client says. The secret is there as it is stored, and as it was given: to be compared
 * with what others have stored. Wipe it. */
struct oauth_client_seed {
    char id[OAUTH_CLIENT_ID_MAX + 1];
    char scope[OAUTH_SCOPE_MAX + 1];
    char secret[PASSWORD_SECRET_MAX + 1];
    char stored_secret[PASSWORD_STORED_MAX + 1];
};

/* Reads "id:secret[:scope]" and hashes the secret. That blocks for about 80 ms, unless mintd
 * generated the secret. False: `error` has one line that says what is wrong; it never has the
 * secret. */
bool oauth_client_seed_parse(struct slice text, struct oauth_client_seed *seed,
                             struct buffer *error);

struct oauth_client_creation {
    struct flow flow;
    /* the result */
    /* FOUND: the client is there now. ABSENT: it is not, since under its name stand fields that
     * somebody put there, but no secret. */
    enum store_answer answer;
    enum store_trouble trouble;
    bool made; /* it was not there before */
    /* its own */
    struct oauth *oauth;
    const struct oauth_client_seed *seed;
    struct store_operation operation;
};

/* Makes the client if there is none of that name that has a secret. It also does so where a
 * removed client has left only late notes of its use. Otherwise it changes nothing. The seed stays
 * the caller's until the end. */
enum progress oauth_client_creation_start(struct oauth *oauth, struct oauth_client_creation *c,
                                          const struct oauth_client_seed *seed);

/* Whether the client that was there before is what the seed says. It changes nothing. */
struct oauth_client_comparison {
    struct flow flow;
    /* the result */
    enum oauth_refusal trouble; /* NONE; STORE_UNKNOWN or BUSY: try again; RECORD_UNREADABLE */
    bool secret_differs; /* the seed's secret is none of its secrets, or one that has expired */
    bool scope_differs;  /* the order of the names does not count */
    /* its own */
    const struct oauth_client_seed *seed;
    struct oauth_authentication authentication;
};

/* Where there is no such client, nothing differs. The seed stays the caller's until the end. */
enum progress oauth_client_comparison_start(struct oauth *oauth, struct oauth_client_comparison *c,
                                            const struct oauth_client_seed *seed);

#endif
