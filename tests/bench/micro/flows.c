/* flows.c: whole operations, answered from the cache: all of a request but HTTP and Redis.
 *
 * The store is a real cache; what is written counts as acknowledged, and is not kept. */
#include "micro.h"
#include "oauth/token.h"
#include "store/cache/cache.h"

static struct cache *cache;
static struct crypto *crypto;
static struct oauth *oauth;

/* ---- the store ---- */

static enum progress read_from_cache(enum cache_kind kind, struct slice key,
                                     struct store_operation *operation) {
    MICRO_REQUIRE(cache_find(cache, kind, key, MICRO_NOW_MS, operation));
    operation->from_memory = true;
    return PROGRESS_DONE;
}

static enum progress get(struct store *store, struct slice key, struct store_operation *operation) {
    (void)store;
    return read_from_cache(CACHE_TEXT, key, operation);
}

static enum progress read_hash(struct store *store, struct slice key,
                               const struct store_operation *after,
                               struct store_operation *operation) {
    (void)store;
    (void)after;
    return read_from_cache(CACHE_HASH, key, operation);
}

static enum progress set(struct store *store, struct slice key, struct slice value, unsigned ttl_s,
                         const struct store_premise *premises, unsigned count,
                         struct store_operation *operation) {
    (void)store;
    MICRO_REQUIRE(key.size != 0 && value.size != 0 && ttl_s == 3600 && count == 2);
    operation->answer = STORE_FOUND;
    operation->holds =
        cache_holds(cache, &premises[0].copy) && cache_holds(cache, &premises[1].copy);
    return PROGRESS_DONE;
}

static uint64_t wall_ms(void) {
    return MICRO_NOW_MS;
}

static void prepare(void) {
    static const struct store_verbs verbs = {.get = get, .read_hash = read_hash, .set = set};
    static struct store store = {.verbs = &verbs};
    static struct oauth_metrics metrics;
    static struct cache_metrics cache_metrics;
    static const struct hash_seed seed = {{1, 2}};
    char key[] = "token:0123456789abcdef0123456789abcdef";
    if (oauth != NULL) {
        return;
    }
    cache = cache_new(CACHE_BYTES_MIN, &seed, &cache_metrics);
    crypto = crypto_new();
    const struct oauth_options options = {.store = &store,
                                          .crypto = crypto,
                                          .metrics = &metrics,
                                          .wall_ms = wall_ms,
                                          .monotonic_ms = wall_ms,
                                          .token_ttl_s = 3600};
    oauth = oauth_new(&options);
    MICRO_REQUIRE(cache != NULL && crypto != NULL && oauth != NULL);
    MICRO_REQUIRE(token_id_of(crypto, S(MICRO_TOKEN), key + 6));
    struct store_operation record = {.answer = STORE_FOUND, .value = S(MICRO_RECORD)};
    struct store_operation client = {
        .answer = STORE_FOUND, .fields = micro_client_fields, .field_count = MICRO_CLIENT_FIELDS};
    struct store_operation no_generation = {.answer = STORE_ABSENT};
    cache_put(cache, CACHE_TEXT, slice_of_string(key), MICRO_NOW_MS, &record);
    cache_put(cache, CACHE_HASH, S("client:" MICRO_CLIENT), MICRO_NOW_MS, &client);
    cache_put(cache, CACHE_TEXT, S("generation"), MICRO_NOW_MS, &no_generation);
}

/* ---- the operations ---- */

static void verify(unsigned i) {
    (void)i;
    static struct oauth_verification v;
    v.token = S(MICRO_TOKEN);
    MICRO_REQUIRE(oauth_verification_start(oauth, &v) == PROGRESS_DONE);
    MICRO_REQUIRE(v.refusal == OAUTH_REFUSED_NONE && slice_equal(v.client_id, S(MICRO_CLIENT)));
}

static void introspect(unsigned i) {
    (void)i;
    static struct oauth_inquiry inquiry;
    oauth_credentials_from_basic(&inquiry.authentication.credentials, S(MICRO_BASIC));
    inquiry.token = S(MICRO_TOKEN);
    MICRO_REQUIRE(oauth_inquiry_start(oauth, &inquiry) == PROGRESS_DONE);
    MICRO_REQUIRE(inquiry.refusal == OAUTH_REFUSED_NONE && oauth_inquiry_finds_active(&inquiry));
}

static void mint(unsigned i) {
    (void)i;
    static struct oauth_grant grant;
    oauth_credentials_from_basic(&grant.authentication.credentials, S(MICRO_BASIC));
    grant.grant_type = S("client_credentials");
    MICRO_REQUIRE(oauth_grant_start(oauth, &grant) == PROGRESS_DONE);
    MICRO_REQUIRE(grant.refusal == OAUTH_REFUSED_NONE && grant.expires_at_ms > MICRO_NOW_MS);
}

const struct micro_scenario micro_flows[] = {
    {"validate_cached", 1000, prepare, verify},
    {"introspect_cached", 1000, prepare, introspect},
    {"mint_cached_client", 1000, prepare, mint},
    {.name = NULL},
};
