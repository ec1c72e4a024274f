/* tokens.c: what a request brings, and what the store holds of tokens and clients. */
#include "micro.h"
#include "oauth/oauth_internal.h"
#include "oauth/token.h"

const struct store_field micro_client_fields[MICRO_CLIENT_FIELDS] = {
    {SLICE("scope"), SLICE("read write")},
    {SLICE("default_scope"), SLICE("read")},
    {SLICE("gen"), SLICE("1234567890123456")},
    {SLICE("created"), SLICE("1750000000")},
    {SLICE("secret:1"),
     SLICE("$sha256$f891deff4e8971e17915c6f13fc0ff2192958f95d221dca546126ff2838cbce3")},
    {SLICE("secret:1:made"), SLICE("1750000000")},
    {SLICE("secret:1:used"), SLICE("1795467590")},
};

static struct crypto *crypto;

static void prepare_crypto(void) {
    crypto = crypto_new();
    MICRO_REQUIRE(crypto != NULL);
}

/* From the header's value to the key's name. */
static void identify(unsigned i) {
    (void)i;
    struct slice token;
    char jti[OAUTH_JTI_SIZE];
    MICRO_REQUIRE(oauth_bearer_token_of(S(MICRO_BEARER), &token) == OAUTH_REFUSED_NONE);
    MICRO_REQUIRE(token_text_is_valid(S("mtd_"), token));
    MICRO_REQUIRE(token_id_of(crypto, token, jti));
}

static void read_record(unsigned i) {
    (void)i;
    static char storage[256];
    struct buffer text = buffer_of(storage, sizeof storage);
    struct token_record record;
    MICRO_REQUIRE(token_record_read(S(MICRO_RECORD), &record, &text));
    MICRO_REQUIRE(record.generation == 1234567890123456u);
}

static void write_record(unsigned i) {
    (void)i;
    static const struct token_record record = {
        .client_id = SLICE(MICRO_CLIENT),
        .scope = SLICE("read write"),
        .audience = SLICE(""),
        .issued_at = 1795467000,
        .expires_at = 1795470600,
        .generation = 1234567890123456,
    };
    static char storage[512];
    struct buffer json = buffer_of(storage, sizeof storage);
    token_record_write(&record, &json);
    MICRO_REQUIRE(slice_equal(buffer_slice(&json), S(MICRO_RECORD)));
}

static const struct store_operation client_answer = {
    .answer = STORE_FOUND, .fields = micro_client_fields, .field_count = MICRO_CLIENT_FIELDS};

static void read_client(unsigned i) {
    (void)i;
    static struct oauth_client client;
    MICRO_REQUIRE(oauth_client_read(&client_answer, &client));
    MICRO_REQUIRE(oauth_client_has_secret(&client) && client.generation == 1234567890123456u);
}

static void read_standing(unsigned i) {
    (void)i;
    struct oauth_client_standing standing;
    MICRO_REQUIRE(oauth_client_read_standing(&client_answer, &standing));
    MICRO_REQUIRE(standing.is_client && !standing.is_disabled);
}

static void read_basic(unsigned i) {
    (void)i;
    static struct oauth_credentials credentials;
    oauth_credentials_from_basic(&credentials, S(MICRO_BASIC));
    MICRO_REQUIRE(credentials.refusal == OAUTH_REFUSED_NONE && credentials.secret_count == 1);
}

const struct micro_scenario micro_tokens[] = {
    {"bearer_to_token_id", 1000, prepare_crypto, identify},
    {"token_record_read", 1000, NULL, read_record},
    {"token_record_write", 1000, NULL, write_record},
    {"client_record_read", 1000, NULL, read_client},
    {"client_standing_read", 1000, NULL, read_standing},
    {"basic_credentials", 1000, NULL, read_basic},
    {.name = NULL},
};
