#include "usage.h"

#define END                                                                                        \
    { .flag = NULL }
#define JSON                                                                                       \
    { "--json", NULL, "print JSON", false }
#define YES                                                                                        \
    { "--yes", NULL, "do not ask", false }

const struct usage_option usage_redis_options[] = {
    {"--redis", "URL",
     "where Redis is, as for mintd; better in MINTD_REDIS or a file (MINTD_REDIS_FILE)\n"
     "where it has a password (redis://127.0.0.1:6379)",
     false},
    {"--redis-prefix", "TEXT", "what all keys begin with; MINTD_REDIS_PREFIX (mintd:)", false},
    {"--redis-password-file", "FILE",
     "the password of Redis, where it ends; MINTD_REDIS_PASSWORD_FILE (the URL's)", false},
    {"--redis-password-command", "COMMAND",
     "the same, said by a command of the shell; MINTD_REDIS_PASSWORD_COMMAND (the URL's)", false},
    {"--redis-ca", "FILE",
     "with rediss://: who may have signed the certificate of Redis, a file in PEM or a folder;\n"
     "MINTD_REDIS_CA (the system's authorities)",
     false},
    {"--redis-cert", "FILE",
     "with rediss://: our certificate, for a Redis that asks for one; MINTD_REDIS_CERT (none)",
     false},
    {"--redis-key", "FILE", "its key; MINTD_REDIS_KEY", false},
    {"--redis-tls-name", "NAME",
     "with rediss://: the name that the certificate of Redis is for; MINTD_REDIS_TLS_NAME\n"
     "(the host of --redis)",
     false},
    {"--redis-tls-insecure", NULL,
     "with rediss://: take any certificate; MINTD_REDIS_TLS_INSECURE is yes or no (no)", false},
    END,
};

static const struct usage_option none[] = {END};
static const struct usage_option json_alone[] = {JSON, END};

#define CLIENT_SETTINGS                                                                            \
    {"--scope", "LIST", "the scopes it may have, separated by spaces (none)", false},              \
        {"--default-scope", "LIST", "the scopes it gets when it asks for none (all of --scope)",   \
         false},                                                                                   \
        {"--audience", "URI", "an audience it may ask for; repeatable (none)", true},              \
        {"--ttl", "TIME", "the life of its tokens, 900 or 15m (what mintd --token-ttl says)",      \
         false},                                                                                   \
        {"--max-ttl", "TIME", "the longest life it may ask for (--ttl)", false},                   \
        {"--name", "TEXT", "a name for people", false}, {                                          \
        "--permission", "introspect", "may introspect the tokens of others", true                  \
    }

static const struct usage_option client_add[] = {
    CLIENT_SETTINGS,
    {"--secret-stdin", NULL, "read the secret from standard input, one line, instead of making one",
     false},
    END,
};

static const struct usage_option client_set[] = {CLIENT_SETTINGS, END};

static const struct usage_option client_rotate[] = {
    {"--grace", "TIME",
     "how long the other secrets are still accepted: 90s, 30m, 24h, 7d, or 0 (24h)", false},
    {"--secret-stdin", NULL, "read the secret from standard input, one line, instead of making one",
     false},
    END,
};

static const struct usage_option client_remove[] = {YES, END};

static const struct usage_option client_apply[] = {
    {"--dry-run", NULL, "say what would change, change nothing", false},
    {"--prune", NULL, "remove the clients that the file does not have", false},
    {"--max-removals", "N", "remove N at most; over half of the clients only where this says so",
     false},
    {"--allow-empty", NULL, "remove them all where the file has none", false},
    {"--yes", NULL, "do not ask before removing", false},
    END,
};

static const struct usage_option token_mint[] = {
    {"--scope", "LIST", "scopes, separated by spaces (those the client gets by default)", false},
    {"--audience", "URI", "an audience; repeatable (the client's, where it has exactly one)", true},
    {"--ttl", "TIME", "its life, 900 or 15m, cut to what the client may have (the client's)",
     false},
    END,
};

static const struct usage_option token_revoke_all[] = {
    {"--everybody", NULL, "the tokens of all clients; asks, unless --yes is said", false},
    YES,
    END,
};

static const struct usage_option acl[] = {
    {"--for", "FORM",
     "shell: a command for redis-cli; aclfile: a line of an ACL file; provider: the access\n"
     "string of a managed Redis, which has a field of its own for the password (shell)",
     false},
    {"--user", "NAME", "the user (mintd)", false},
    {"--waitaof", NULL, "the right to WAITAOF too, which Redis 7.2 and later have", false},
    {"--password-stdin", NULL, "read its password from standard input, one line; print its SHA-256",
     false},
    END,
};

static const struct usage_option health[] = {
    {"--ca", "FILE", "believe these certificates, in PEM (those of the system)", false},
    {"--insecure", NULL, "believe any certificate", false},
    END,
};

static const struct usage_option doctor[] = {
    {"--user", "NAME", "whose rights to look at: mintd's ACL user (the one of --redis)", false},
    JSON,
    END,
};

#define TOKEN_WARNING                                                                              \
    "A token on the command line can be read by every user of the machine: give - and the token\n" \
    "on standard input"
#define TOKEN_WORDS TOKEN_WARNING ", or its jti, which is no secret.\n"

const struct usage usages[] = {
    {"client add", "ID", 1, 1, "make a client, print its secret once",
     "The secret that is printed is stored as a hash and cannot be shown again. One that a person\n"
     "chose (--secret-stdin) is stored with a slow hash; on a terminal it is not echoed.\n"
     "An ID is 1 to 255 of A-Z a-z 0-9 . _ ~ @ / -\n",
     client_add, true},
    {"client set", "ID", 1, 1, "change what is named of a client, and nothing else",
     "An empty value (--scope '') takes the setting away, which leaves its default. --audience "
     "and\n"
     "--permission name all that the client has from then on.\n",
     client_set, true},
    {"client list", "", 0, 0, "all clients",
     "A client of which mintd can make no sense is unreadable: exit status 1.\n", json_alone, true},
    {"client show", "ID", 1, 1, "one client, with the times of its secrets",
     "Secrets are told apart by their number; neither they nor their hashes are shown.\n",
     json_alone, true},
    {"client rotate", "ID", 1, 1, "give a client a new secret, let the others end",
     "Prints the new secret, which is accepted at once. The others are accepted until the grace "
     "is\n"
     "over, unless they end earlier. A client has up to four secrets at a time.\n",
     client_rotate, true},
    {"client disable", "ID", 1, 1, "refuse a client and its tokens from now on", "", none, true},
    {"client enable", "ID", 1, 1, "let a disabled client and its tokens in again", "", none, true},
    {"client remove", "ID", 1, 1, "remove a client; its tokens are refused from now on", "",
     client_remove, true},
    {"client apply", "FILE", 1, 1, "make the clients what a file says",
     "FILE is JSON, - for standard input:\n"
     "\n"
     "  {\"clients\": [{\"id\": \"billing\", \"scope\": \"read write\", \"default_scope\": "
     "\"read\",\n"
     "     \"audience\": [\"https://api.example/\"], \"ttl\": 900, \"max_ttl\": 3600,\n"
     "     \"permissions\": [\"introspect\"], \"name\": \"Billing\", \"disabled\": false,\n"
     "     \"secret_file\": \"/run/secrets/billing\"}]}\n"
     "\n"
     "Instead of secret_file, secrets may list up to four stored secrets (\"$sha256$...\"; with an "
     "end:\n"
     "{\"stored\": \"$sha256$...\", \"expires\": 1700000000}). A secret in clear is refused. What "
     "an "
     "entry\n"
     "leaves out gets its default, but disabled, grants and the secrets stay as they are. The "
     "whole\n"
     "file is checked first: a wrong one changes nothing. Applied twice, it changes nothing the\n"
     "second time.\n"
     "--prune refuses to remove more than half of the clients unless --max-removals allows it.\n",
     client_apply, true},
    {"client export", "", 0, 0, "all clients as a file for client apply",
     "It has the hashes of the secrets: keep it as you keep Redis itself (umask 077). What the "
     "file\n"
     "cannot say is named on standard error and left out: exit status 1.\n",
     none, true},
    {"token mint", "ID", 1, 1, "mint a token for a client, without its secret",
     "As POST /auth would; prints the token.\n", token_mint, true},
    {"token show", "TOKEN|JTI|-", 1, 1, "what Redis holds of a token", TOKEN_WORDS, json_alone,
     true},
    {"token revoke", "TOKEN|JTI|-", 1, 1, "refuse a token from now on", TOKEN_WORDS, none, true},
    {"token revoke-all", "ID|--everybody", 0, 1, "refuse all tokens minted so far",
     "Of one client, or of everybody. The clients can mint new ones at once.\n", token_revoke_all,
     true},
    {"token key", "TOKEN|-", 1, 1, "the name of a token's key in Redis",
     "Asks no Redis.\n" TOKEN_WARNING ".\n", json_alone, true},
    {"explain", "TOKEN|HEADER|-", 1, 1, "why a token or a secret is accepted or refused",
     "Takes a token, or the value of an Authorization header (Bearer or Basic), and goes the way\n"
     "mintd would, step by step. Nothing secret is printed. Exit status 0: accepted, 1: refused.\n"
     "On the command line it can be read by every user of the machine: give - and put it on\n"
     "standard input.\n",
     json_alone, true},
    {"acl", "", 0, 0, "the rule for a Redis user with the least rights",
     "Prints the user that mintd can do with, for the prefix and the database of --redis. Asks no\n"
     "Redis. Without --password-stdin the command for the shell takes the password from the\n"
     "variable REDIS_PASSWORD. Of a cluster, and behind Sentinels, it is to be run on each Redis, "
     "which\n"
     "REDIS_HOST names then (and REDIS_PORT, in a cluster).\n",
     acl, true},
    {"doctor", "", 0, 0, "what in Redis would lose or leak tokens",
     "Looks at eviction, memory, persistence, replicas, rights, passwords, TLS, version, clock,\n"
     "layout, identity, clients and what instances tell. Exit status 0: no problem found, 1: at\n"
     "least one.\n",
     doctor, true},
    {"status", "", 0, 0, "instances, Redis, number of clients",
     "An instance is seen until 20 s after its last heartbeat; it beats every 5 s.\n", json_alone,
     true},
    {"health", "[URL]", 0, 1, "whether an instance is ready, for health checks of containers",
     "Gets the URL: http://host[:port][/path], https://... or unix:/path; without a path it is\n"
     "/readyz. Without a URL it asks the instance beside it, where MINTD_LISTEN says that it\n"
     "listens (127.0.0.1:4001), with TLS where MINTD_TLS_CERT is set. Exit status 0 for a 200.\n",
     health, false},
    {.name = NULL},
};

/* ---- looking up ---- */

static size_t count_words(const char *name) {
    return strchr(name, ' ') == NULL ? 1 : 2;
}

static bool name_is(const char *name, size_t words, char *const *texts) {
    struct slice rest = slice_of_string(name), word;
    for (size_t i = 0; i < words; i++) {
        if (!slice_split(&rest, ' ', &word) || !slice_equal(word, slice_of_string(texts[i]))) {
            return false;
        }
    }
    return true;
}

const struct usage *usage_find(int count, char *const *texts, int *words) {
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        size_t size = count_words(usage->name);
        if (size <= (size_t)count && name_is(usage->name, size, texts)) {
            *words = (int)size;
            return usage;
        }
    }
    return NULL;
}

static bool is_in_group(const struct usage *usage, const char *group) {
    size_t size = strlen(group);
    return strncmp(usage->name, group, size) == 0 && usage->name[size] == ' ';
}

bool usage_is_group(const char *word) {
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        if (is_in_group(usage, word)) {
            return true;
        }
    }
    return false;
}

static const struct usage_option *find_in(const struct usage_option *options, struct slice flag) {
    for (; options->flag != NULL; options++) {
        if (slice_equal(flag, slice_of_string(options->flag))) {
            return options;
        }
    }
    return NULL;
}

const struct usage_option *usage_find_option(const struct usage *usage, struct slice flag) {
    const struct usage_option *found = find_in(usage->options, flag);
    return found != NULL || !usage->asks_redis ? found : find_in(usage_redis_options, flag);
}

/* ---- printing ---- */

static void print_options(FILE *out, const struct usage_option *options) {
    for (; options->flag != NULL; options++) {
        struct slice rest = slice_of_string(options->help), line;
        fprintf(out, "  %s%s%s\n", options->flag, options->placeholder == NULL ? "" : " ",
                options->placeholder == NULL ? "" : options->placeholder);
        while (slice_split(&rest, '\n', &line)) {
            fprintf(out, "        %.*s\n", (int)line.size, line.data);
        }
    }
}

void usage_print(FILE *out, const struct usage *usage) {
    bool has_options = usage->options->flag != NULL || usage->asks_redis;
    fprintf(out, "usage: mintctl %s%s%s%s\n%s.\n", usage->name, has_options ? " [OPTION]..." : "",
            *usage->operands == '\0' ? "" : " ", usage->operands, usage->summary);
    fprintf(out, "%s%s%s", *usage->text == '\0' ? "" : "\n", usage->text, has_options ? "\n" : "");
    print_options(out, usage->options);
    if (usage->asks_redis) {
        print_options(out, usage_redis_options);
    }
}

void usage_print_list(FILE *out, const char *group) {
    fprintf(out, "usage: mintctl %s\n\n", group == NULL ? "COMMAND" : group);
    for (const struct usage *usage = usages; usage->name != NULL; usage++) {
        if (group == NULL || is_in_group(usage, group)) {
            int width = fprintf(out, "  %s %s", usage->name, usage->operands);
            fprintf(out, "%*s%s\n", width < 34 ? 34 - width : 1, "", usage->summary);
        }
    }
    fprintf(out, "\nmintctl COMMAND --help tells more of one; mintctl --version.\n"
                 "Exit status: 0 done, 1 refused or not found, 2 usage, 3 Redis unreachable.\n");
}
