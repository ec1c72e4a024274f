#include "clients/flaw.h"
#include "mintd/say.h"
#include "oauth/oauth_internal.h"

/* The first that fits: one that ends with a colon is the beginning of a name. */
static const struct {
    const char *name;
    struct flaw flaw;
} flaws[] = {
    {OAUTH_KEY_CLIENTS,
     {"is no set, and has to be the set of the ids of all clients",
      "RENAME it out of the way, then SADD to it the ID of each key named client:ID"}},
    {OAUTH_KEY_GENERATION,
     {"is no number from 0 to 2^53, and has to be the generation of everybody: mintd answers 503",
      "SET it to a number above all that it was (the time in seconds, for instance): every token "
      "minted so far ends with that"}},
    {"instances",
     {"is no set, and has to be the set of the names of instances",
      "DEL it: each instance writes its name again within 5 s"}},
    {"identity",
     {"is no string, and has to be the identity of this Redis: mintd does not notice where it is "
      "emptied",
      "DEL it: mintd makes another; where --redis-identity pins one, SET it to that"}},
    {"schema",
     {"is no string, and has to be the version of the layout: mintd answers 503",
      "SET it to " REDIS_SCHEMA_VERSION " where the data is mintd's, else use another "
      "--redis-prefix"}},
    {"instance:",
     {"is no heartbeat of an instance",
      "DEL it: an instance of that name writes its own within 5 s"}},
    {"token:", {"is no record of a token", "mintctl token revoke takes it away"}},
    {"client:",
     {"is no record of a client that mintd can read",
      "mintctl client show tells its fields, client remove takes it away"}},
};

static bool fits(const char *name, struct slice key) {
    struct slice text = slice_of_string(name);
    return text.data[text.size - 1] == ':' ? slice_starts_with(key, text) : slice_equal(key, text);
}

struct flaw flaw_of(const struct redis *redis, struct slice key) {
    struct slice prefix = redis_target_of(redis)->prefix;
    if (slice_starts_with(key, prefix)) {
        key = slice_of(key.data + prefix.size, key.size - prefix.size);
    }
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        if (fits(flaws[i].name, key)) {
            return flaws[i].flaw;
        }
    }
    return (struct flaw){"holds something that mintd does not write", "look at it with redis-cli"};
}

bool flaw_is_meant(struct slice error) {
    static const struct slice beginnings[] = {
        SLICE("WRONGTYPE"), SLICE("ERR value is not an integer"),
        SLICE("ERR hash value is not an integer"), SLICE("ERR increment or decrement")};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (slice_starts_with(error, beginnings[i])) {
            return true;
        }
    }
    return false;
}

void flaw_say(const struct redis *redis, struct slice key) {
    char text[REDIS_KEY_MAX];
    struct flaw flaw = flaw_of(redis, key);
    say("Redis at %s: the key %s %s; %s", redis_target_of(redis)->address,
        visible(key, text, sizeof text), flaw.is, flaw.remedy);
}
