/* oauth.h: who may have a token, and is this token good (RFC 6749, 6750, 8707).
 *
 * One struct oauth a worker. Operations are the caller's storage and flows (flow.h): fill in the
 * request, set flow.on_done, start; PROGRESS_DONE or, later, on_done. They copy what they are
 * given, so the request's bytes may go once start returned. */
#ifndef MINTD_OAUTH_H
#define MINTD_OAUTH_H

#include "mintd/buffer.h"
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
/* How long the slow checks of one authentication may wait for a thread in all. */
#define OAUTH_SLOW_CHECK_WAIT_NS UINT64_C(2000000000)
#define OAUTH_TTL_MAX (366u * 24u * 3600u) /* seconds */

/* ---- words ---- */

/* Error codes as RFC 6749 5.2, RFC 6750 3.1 and RFC 8707 2 name them, with the status that goes
 * with each. */
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

/* Why something was refused: what the log and the metrics say, the error code that follows from
 * it, and what the caller is told (no quote, no backslash: RFC 6749 5.2). Reasons that must not be
 * told apart share their words. */
#define OAUTH_WHO "unknown client or wrong secret: check client_id and client_secret"
#define OAUTH_DEAD "the token is unknown, expired or revoked: get a new one"
#define OAUTH_AWAY "the store does not answer: try again shortly"
#define OAUTH_REFUSALS(X)                                                                          \
    X(NONE, "none", NONE, "")                                                                      \
    X(NO_CREDENTIALS, "no client authentication", INVALID_CLIENT,                                  \
      "authenticate with Authorization: Basic, or with client_id and client_secret in the body")   \
    X(MALFORMED_CREDENTIALS, "malformed credentials", INVALID_CLIENT, OAUTH_WHO)                   \
    X(CLIENT_ID_CHARACTER, "client id has a character that mintd does not take", INVALID_CLIENT,   \
      OAUTH_WHO)                                                                                   \
    X(UNKNOWN_CLIENT, "unknown client", INVALID_CLIENT, OAUTH_WHO)                                 \
    X(WRONG_SECRET, "wrong secret", INVALID_CLIENT, OAUTH_WHO)                                     \
    X(SECRET_EXPIRED, "secret expired", INVALID_CLIENT, OAUTH_WHO)                                 \
    X(CLIENT_DISABLED, "client disabled", INVALID_CLIENT, OAUTH_WHO)                               \
    X(TOO_MANY_FAILURES, "too many failures", TOO_MANY_FAILURES,                                   \
      "too many failed attempts for this client from this address: wait, then check the secret")   \
    X(TWO_CREDENTIALS, "two ways of client authentication", INVALID_REQUEST,                       \
      "authenticate in one way only: the Authorization header or the body")                        \
    X(OTHER_CLIENT_ID, "client_id differs from Authorization", INVALID_REQUEST,                    \
      "client_id in the body differs from the one in the Authorization header: leave it out")      \
    X(PARAMETERS_IN_URI, "parameters in the URI", INVALID_REQUEST,                                 \
      "send the parameters in the body: the query of the URI is not read")                         \
    X(MALFORMED_FORM, "malformed form", INVALID_REQUEST,                                           \
      "a parameter is malformed: after a percent sign stand two hex digits")                       \
    X(REPEATED_PARAMETER, "repeated parameter", INVALID_REQUEST,                                   \
      "a parameter is repeated: send each one once")                                               \
    X(PARAMETER_TOO_LONG, "parameter too long", INVALID_REQUEST, "a parameter is too long")        \
    X(NO_GRANT_TYPE, "no grant_type", INVALID_REQUEST,                                             \
      "grant_type is missing: send grant_type=client_credentials")                                 \
    X(GRANT_UNSUPPORTED, "unsupported grant_type", UNSUPPORTED_GRANT_TYPE,                         \
      "this server knows one grant type: client_credentials")                                      \
    X(GRANT_NOT_ALLOWED, "grant not allowed", UNAUTHORIZED_CLIENT,                                 \
      "this client may not use this grant type")                                                   \
    X(SCOPE_MALFORMED, "malformed scope", INVALID_SCOPE,                                           \
      "scope is malformed: names of visible ASCII, one space between them")                        \
    X(SCOPE_NOT_ALLOWED, "scope not allowed", INVALID_SCOPE,                                       \
      "the client may not have all of these scopes: ask for less, or leave scope out")             \
    X(TARGET_MALFORMED, "malformed resource", INVALID_TARGET,                                      \
      "resource is an absolute URI without a fragment")                                            \
    X(TARGET_NOT_ALLOWED, "audience not allowed", INVALID_TARGET,                                  \
      "the client may not have a token for this resource or audience")                             \
    X(TTL_MALFORMED, "malformed ttl", INVALID_REQUEST, "ttl is a number of seconds, 1 at least")   \
    X(NO_TOKEN, "no token", INVALID_TOKEN, "send a token: Authorization: Bearer mtd_...")          \
    X(MALFORMED_BEARER, "malformed Authorization", INVALID_REQUEST,                                \
      "the Authorization header is malformed: it is Bearer, a space, and the token")               \
    X(TOKEN_IN_URI, "token in the URI", INVALID_REQUEST,                                           \
      "a token in the URI is refused: send it as Authorization: Bearer")                           \
    X(TOKEN_MALFORMED, "token not of our form", INVALID_TOKEN, OAUTH_DEAD)                         \
    X(TOKEN_UNKNOWN, "token unknown, expired or deleted", INVALID_TOKEN, OAUTH_DEAD)               \
    X(TOKEN_EXPIRED, "token expired", INVALID_TOKEN, OAUTH_DEAD)                                   \
    X(TOKEN_OF_OLD_GENERATION, "token of a revoked generation", INVALID_TOKEN, OAUTH_DEAD)         \
    X(TOKEN_WITHOUT_CLIENT, "client of the token removed", INVALID_TOKEN, OAUTH_DEAD)              \
    X(TOKEN_OF_DISABLED_CLIENT, "client of the token disabled", INVALID_TOKEN, OAUTH_DEAD)         \
    X(TOKEN_OF_OTHER_AUDIENCE, "audience missing", INVALID_TOKEN,                                  \
      "the token is not meant for this audience")                                                  \
    X(SCOPE_MISSING, "scope missing", INSUFFICIENT_SCOPE,                                          \
      "the token lacks a scope that is needed here")                                               \
    X(NO_TOKEN_PARAMETER, "no token parameter", INVALID_REQUEST,                                   \
      "token is missing: send token=...")                                                          \
    X(OTHERS_TOKEN, "token of another client", INVALID_GRANT,                                      \
      "the token belongs to another client: its own client may revoke it")                         \
    X(STORE_UNKNOWN, "store does not answer", TEMPORARILY_UNAVAILABLE, OAUTH_AWAY)                 \
    X(RECORD_UNREADABLE, "record in the store is unreadable", TEMPORARILY_UNAVAILABLE, OAUTH_AWAY) \
    X(BUSY, "too many secrets to check", TEMPORARILY_UNAVAILABLE,                                  \
      "too busy to check the secret now: try again shortly")                                       \
    X(NO_RANDOMNESS, "random generator failed", TEMPORARILY_UNAVAILABLE,                           \
      "no token can be made now: try again shortly")

enum oauth_refusal {
#define X(id, label, error, description) OAUTH_REFUSED_##id,
    OAUTH_REFUSALS(X)
#undef X
        OAUTH_REFUSAL_COUNT
};

const char *oauth_refusal_label(enum oauth_refusal refusal);
const char *oauth_refusal_description(enum oauth_refusal refusal);
enum oauth_error oauth_refusal_error(enum oauth_refusal refusal);

/* ---- one a worker ---- */

struct oauth_metrics {
    struct counter minted;
    struct counter validated;
    struct counter refusals[OAUTH_REFUSAL_COUNT];
    struct counter slow_checks;       /* secrets given to the pool */
    struct counter shared_checks;     /* answered by a slow check that was under way */
    struct counter remembered_checks; /* answered from the memory of verified secrets */
    struct histogram slow_check_wait; /* until a thread began with it, or it was given up */
};

struct oauth_options {
    struct store *store;
    struct crypto *crypto;
    struct password_pool *pool;
    struct password_inbox *inbox; /* drained by the owner */
    struct oauth_metrics *metrics;
    uint64_t (*wall_ms)(void);      /* since the epoch: what records say, and are compared with */
    uint64_t (*monotonic_ms)(void); /* for waits */
    unsigned token_ttl_s;           /* where the client says nothing */
    struct slice own_resource;      /* what every client may ask for as its resource or audience
                                       (RFC 8707); outlives the oauth; absent: nothing */
    unsigned failure_limit;         /* failures a minute of a client from an address; 0: no limit */
};

struct oauth;

/* What the options point to outlives it. NULL: no memory. */
struct oauth *oauth_new(const struct oauth_options *options);
/* Wipes. No operation may be open, so the store is closed already. NULL is fine. */
void oauth_free(struct oauth *oauth);

/* Writes down when secrets were last used: what has gathered since the last call, off the way of
 * requests; a failure harms nothing. Every few seconds. */
void oauth_write_usage(struct oauth *oauth);

/* When there is no time left: slow checks that have not begun are given up, and from now on none is
 * begun. Whoever waits for one is refused as BUSY, from password_inbox_drain(), on the same terms
 * as ever: on_done, once. One that a thread has begun is waited for. */
void oauth_give_up_slow_checks(struct oauth *oauth);
/* The same for those that have waited for too long, OAUTH_SLOW_CHECK_WAIT_NS; others go on. Several
 * times a second, with the time of clock_monotonic_ns(). */
void oauth_give_up_late_checks(struct oauth *oauth, uint64_t now_ns);
/* Slow checks of the whole process that no thread has begun. */
unsigned oauth_slow_checks_waiting(const struct oauth *oauth, enum password_lane lane);

/* Counts a refusal; NONE counts nothing. For refusals found outside the operations below too. */
void oauth_count_refusal(struct oauth *oauth, enum oauth_refusal refusal);

/* ---- clients ---- */

/* A client's name: 1 to OAUTH_CLIENT_ID_MAX of A-Z a-z 0-9 . _ ~ @ / -, safe in keys, headers and
 * logs; so a token or a secret of ours, which somebody may send in its place, is none. */
bool oauth_client_id_is_valid(struct slice id);
/* Whether each character is one of those; so is none. */
bool oauth_client_id_has_alphabet(struct slice id);
/* A secret that can be sent: 1 to PASSWORD_SECRET_MAX bytes, no control bytes (RFC 7617 2). */
bool oauth_secret_is_valid(struct slice secret);
/* A list of scope-tokens (RFC 6749 3.3), one space between them; empty is fine. */
bool oauth_scope_is_valid(struct slice scope);

struct oauth_secret {
    struct slice stored; /* absent where there is none */
    uint64_t expires;    /* epoch seconds; 0: never */
    uint64_t used;       /* when it last was, epoch seconds, to the minute; 0: never */
};

/* A client as the store has it; the slices point into `text`. */
struct oauth_client {
    struct oauth_secret secrets[OAUTH_SECRETS_MAX];
    struct slice scope, default_scope, audience; /* default_scope absent: all of scope */
    uint64_t generation;
    unsigned ttl_s, max_ttl_s; /* 0: not said */
    bool disabled;
    bool may_mint;       /* the client credentials grant */
    bool may_introspect; /* the tokens of others */
    size_t text_size;
    char text[OAUTH_CLIENT_TEXT_MAX];
};

/* ---- client authentication (RFC 6749 2.3, RFC 7617) ---- */

/* What a request offers: an id and up to two readings of one secret (form-decoded and raw).
 * Holds secrets: wipe. */
struct oauth_credentials {
    enum oauth_refusal refusal; /* NONE where they are well-formed */
    size_t id_size;
    char id[OAUTH_CLIENT_ID_MAX];
    unsigned secret_count;
    size_t secret_sizes[2];
    char secrets[2][PASSWORD_SECRET_MAX];
};

/* From the value of an Authorization header. Another scheme than Basic, bad base64, no colon, an
 * empty part, control bytes in the secret: MALFORMED_CREDENTIALS. An id with a character that no id
 * has: CLIENT_ID_CHARACTER. */
void oauth_credentials_from_basic(struct oauth_credentials *credentials,
                                  struct slice authorization);
/* From the decoded body. An id without a secret: NO_CREDENTIALS. */
void oauth_credentials_from_body(struct oauth_credentials *credentials, struct slice id,
                                 struct slice secret);
struct slice oauth_credentials_id(const struct oauth_credentials *credentials);
/* Of secrets; the id stays. */
void oauth_credentials_wipe(struct oauth_credentials *credentials);

/* What is asked for beside another read, so that it costs no round trip of its own. */
struct oauth_side_read {
    struct store_operation operation;
    enum { SIDE_READ_NOT_ASKED, SIDE_READ_ASKED, SIDE_READ_ANSWERED } progress;
    bool is_readable;  /* the answer makes sense */
    bool is_confirmed; /* of a verification: a no of it is as of now */
};

/* A check of an offered secret on the pool: slow_check.h in src/oauth has it. */
struct oauth_slow_check {
    void (*on_done)(struct oauth_slow_check *check);
    uint64_t wait_left_ns;
    bool was_checked; /* false: given up, nobody knows */
    bool matches;
    /* its own */
    struct oauth *oauth;
    struct oauth_slow_check *next;    /* under way, or sharing the same one */
    struct oauth_slow_check *sharers; /* wait for this one's job */
    bool is_named;
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    struct password_job job;
};

struct oauth_authentication {
    struct flow flow;
    struct oauth_credentials credentials; /* the request; wiped by whoever asked, in the end */
    /* the request: the address or network that its failures are counted under, the caller's until
     * the end; absent: not limited */
    struct slice address;
    /* the request: the global generation too, which is read ahead of the client. Who keeps both
     * needs it: with the generation from before a change of the client, what rests on the client as
     * it was dies when the generation moves on; with that from after it, it would live. */
    bool wants_generation;
    /* the result */
    enum oauth_refusal refusal; /* NONE: authenticated */
    enum store_trouble trouble; /* with STORE_UNKNOWN */
    unsigned secret_number;     /* 1 to 4: which one matched; of SECRET_EXPIRED: which one has */
    uint64_t secret_expired_at; /* with SECRET_EXPIRED: epoch seconds */
    unsigned retry_after_s;     /* with TOO_MANY_FAILURES */
    struct oauth_client client; /* when NONE */
    struct oauth_side_read generation; /* where it is wanted, when NONE: answered; the number: */
    uint64_t global_generation;        /* where it is readable */
    /* its own */
    struct oauth *oauth;
    struct store_operation read;
    struct oauth_slow_check check;
    unsigned pair;        /* of a stored and an offered secret: the next one to check slowly */
    unsigned slow_checks; /* made so far */
    struct store_copy client_copy;
    bool client_known, client_is_readable, matched;
    bool awaits_generation;
    bool may_be_wrong; /* a no that rests on how the client was read */
    bool is_confirmed; /* it is as of now, and of the right store */
    bool is_rehearsal;
};

enum progress oauth_authentication_start(struct oauth *oauth, struct oauth_authentication *a);
/* The same to see whether it would succeed: it is no use of the secret. */
enum progress oauth_authentication_rehearse(struct oauth *oauth, struct oauth_authentication *a);
/* After one that ended with NONE: whether the client was read from memory, so that it may be what
 * it was a moment ago, or from a store that may be another one than was named. Where a no would
 * follow from what it may not do, it is to be confirmed first. */
bool oauth_authentication_may_be_wrong(const struct oauth_authentication *a);
/* The same authentication as of now, with the same credentials: it has a result of its own, and
 * cannot be wrong. */
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
    /* the request, the caller's until the end; empty means not given */
    struct oauth_authentication authentication; /* its credentials */
    struct slice grant_type;
    struct slice scope;
    struct slice resources; /* one or more, separated by newlines */
    struct slice audience;  /* one */
    struct slice ttl;
    /* the result */
    enum oauth_refusal refusal;
    enum store_trouble trouble;
    struct oauth_token token; /* wiped by the caller after use */
    unsigned ttl_s;
    uint64_t expires_at_ms;                        /* epoch; good until then at least */
    struct buffer granted_scope, granted_audience; /* on the two below */
    char scope_storage[OAUTH_SCOPE_MAX];
    char audience_storage[OAUTH_AUDIENCE_MAX];
    /* its own */
    struct oauth *oauth;
    struct store_operation operation;
    unsigned wanted_ttl_s;
    uint64_t global_generation;
    unsigned rounds;      /* tokens made; of the last one: */
    bool grants_the_same; /* its scope and audience are what would be granted now */
    uint64_t token_generation, token_global_generation;
};

/* The token is acknowledged by the store when refusal is NONE. */
enum progress oauth_grant_start(struct oauth *oauth, struct oauth_grant *grant);

/* ---- is this token good (RFC 6750) ---- */

/* The token in an Authorization header's value (RFC 6750 2.1), a part of it. NONE with the token;
 * NO_TOKEN without a header or with another scheme; MALFORMED_BEARER where what follows the scheme
 * is not one b64token. */
enum oauth_refusal oauth_bearer_token_of(struct slice authorization, struct slice *token);

/* What of a client is looked at for each use of a token of it. */
struct oauth_client_standing {
    uint64_t generation;
    bool is_client; /* is there, and has a secret */
    bool is_disabled;
};

struct oauth_verification {
    struct flow flow;
    /* the request */
    struct slice token;   /* valid until the start returns */
    uint64_t deadline_ns; /* as that of a store_operation; afterwards, the one that held */
    /* the result; the slices point into `text` */
    enum oauth_refusal refusal; /* NONE: good */
    enum store_trouble trouble;
    struct slice client_id, scope, audience;
    uint64_t issued_at, expires_at; /* epoch seconds */
    char jti[OAUTH_JTI_SIZE];       /* with any refusal after the token's form was fine */
    bool has_jti;
    /* its own */
    bool is_fetched; /* the record was not in memory */
    struct oauth *oauth;
    struct store_operation operation;      /* the record, or a confirmation */
    struct oauth_side_read client;         /* the token's, or who it is guessed to be */
    struct oauth_side_read generation;     /* the global one of now */
    struct oauth_side_read *awaited;       /* NULL: neither */
    struct oauth_side_read *confirmed;     /* which is being */
    struct oauth_client_standing standing; /* the client's */
    uint64_t current_generation;           /* the global one */
    uint64_t token_generation, token_global_generation;
    size_t guess_size; /* 0: the client was not guessed */
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
    struct slice token;                         /* absent: missing; the caller's until the end */
    /* the result */
    enum oauth_refusal refusal; /* NONE: there is an answer */
    enum store_trouble trouble;
    struct oauth_verification verification; /* when NONE: what is to be said of the token */
    /* its own */
    struct oauth *oauth;
};

enum progress oauth_inquiry_start(struct oauth *oauth, struct oauth_inquiry *inquiry);

/* Whether the token is good and the caller may know it: its own, or, with the introspect
 * permission, any; but where both the caller and the token have audiences, they must share one
 * (RFC 7662 2.2). After an inquiry that ended with NONE. */
bool oauth_inquiry_finds_active(const struct oauth_inquiry *inquiry);

/* Revokes a token of the caller's own. A token that is unknown or dead already is a success. */
struct oauth_revocation {
    struct flow flow;
    struct oauth_inquiry inquiry; /* the request: its authentication's credentials, its token */
    /* the result */
    enum oauth_refusal refusal; /* NONE: the token is dead, and the store has acknowledged it */
    enum store_trouble trouble;
    bool revoked; /* by this call */
    /* its own */
    struct oauth *oauth;
    struct store_operation operation;
};

enum progress oauth_revocation_start(struct oauth *oauth, struct oauth_revocation *r);

/* ---- a client made at start ---- */

/* What --client says, with the secret as it is stored, and as it was given, to be compared with
 * what others have stored. Wipe it. */
struct oauth_client_seed {
    char id[OAUTH_CLIENT_ID_MAX + 1];
    char scope[OAUTH_SCOPE_MAX + 1];
    char secret[PASSWORD_SECRET_MAX + 1];
    char stored_secret[PASSWORD_STORED_MAX + 1];
};

/* Reads "id:secret[:scope]" and hashes the secret (blocks for about 80 ms unless it is one that
 * mintd generated). False with one line that says what is wrong, and never has the secret. */
bool oauth_client_seed_parse(struct slice text, struct oauth_client_seed *seed,
                             struct buffer *error);

struct oauth_client_creation {
    struct flow flow;
    /* the result */
    /* FOUND: the client is there now; ABSENT: it is not, since fields that somebody put there, but
     * no secret, stand under its name */
    enum store_answer answer;
    enum store_trouble trouble;
    bool made; /* it was not there before */
    /* its own */
    struct oauth *oauth;
    const struct oauth_client_seed *seed;
    struct store_operation operation;
};

/* Makes the client where there is none of that name, one that has a secret; also of what late notes
 * of its use have left of one that was removed. Changes nothing else. The seed stays the caller's
 * until the end. */
enum progress oauth_client_creation_start(struct oauth *oauth, struct oauth_client_creation *c,
                                          const struct oauth_client_seed *seed);

/* Whether the client that was there before is what the seed says. Changes nothing. */
struct oauth_client_comparison {
    struct flow flow;
    /* the result */
    enum oauth_refusal trouble; /* NONE; STORE_UNKNOWN, BUSY: try again; RECORD_UNREADABLE */
    bool secret_differs;        /* the seed's is none of its secrets, or one that has expired */
    bool scope_differs;         /* the order of its names does not count */
    /* its own */
    const struct oauth_client_seed *seed;
    struct oauth_authentication authentication;
};

/* Where there is no such client, nothing differs. The seed stays the caller's until the end. */
enum progress oauth_client_comparison_start(struct oauth *oauth, struct oauth_client_comparison *c,
                                            const struct oauth_client_seed *seed);

#endif
