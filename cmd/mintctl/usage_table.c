/* usage_table.c: the commands; --help, the man page and completions are made of it. */
#include "usage.h"

#define END                                                                                        \
    { .flag = NULL }
#define JSON                                                                                       \
    { "--json", NULL, "print JSON", false }
#define YES                                                                                        \
    { "--yes", NULL, "do not ask", false }

const struct usage_option usage_redis_options[] = {
    {"--profile", "PROFILE",
     "the settings of Redis in the file of that name, in ~/.config/mintctl/profiles, instead of\n"
     "the variables MINTD_REDIS...; MINTCTL_PROFILE (none)",
     false},
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
    JSON,
    END,
};

static const struct usage_option client_set[] = {CLIENT_SETTINGS, JSON, END};

static const struct usage_option client_list[] = {
    {"--sort", "id|used|expires|created",
     "by id, or by a time, the earliest first: when a secret was last used, when the first one\n"
     "ends, when the client was made; those without such a time are last (id)",
     false},
    {"--filter", "TEXT", "only those whose id, name or scope has it, in capitals or not", false},
    {"--unused-for", "TIME", "only those of which no secret was used for so long: 90d", false},
    {"--expiring-in", "TIME", "only those of which an accepted secret ends within it: 7d", false},
    JSON,
    END,
};

static const struct usage_option client_rotate[] = {
    {"--grace", "TIME",
     "how long the other secrets are still accepted: 90s, 30m, 24h, 7d, or 0 (24h)", false},
    {"--secret-stdin", NULL, "read the secret from standard input, one line, instead of making one",
     false},
    JSON,
    END,
};

static const struct usage_option client_remove[] = {YES, JSON, END};

static const struct usage_option client_apply[] = {
    {"--dry-run", NULL, "say what would change, change nothing", false},
    {"--prune", NULL, "remove the clients that the file does not have", false},
    {"--max-removals", "N", "remove N at most; over half of the clients only where this says so",
     false},
    {"--allow-empty", NULL, "remove them all where the file has none", false},
    {"--yes", NULL, "do not ask before removing", false},
    JSON,
    END,
};

static const struct usage_option token_mint[] = {
    {"--scope", "LIST", "scopes, separated by spaces (those the client gets by default)", false},
    {"--audience", "URI", "an audience; repeatable (the client's, where it has exactly one)", true},
    JSON,
    {"--ttl", "TIME", "its life, 900 or 15m, cut to what the client may have (the client's)",
     false},
    END,
};

static const struct usage_option token_revoke_all[] = {
    {"--everybody", NULL, "the tokens of all clients; asks, unless --yes is said", false},
    YES,
    JSON,
    END,
};

static const struct usage_option acl[] = {
    {"--for", "shell|aclfile|provider",
     "shell: a command for redis-cli; aclfile: a line of an ACL file; provider: the access\n"
     "string of a managed Redis, which has a field of its own for the password (shell)",
     false},
    {"--user", "NAME", "the user (mintd)", false},
    {"--clients-file", NULL, "the rights of an instance with --clients-file too", false},
    {"--waitaof", NULL, "the right to WAITAOF too, which Redis 7.2 and later have", false},
    {"--password-stdin", NULL, "read its password from standard input, one line; print its SHA-256",
     false},
    JSON,
    END,
};

static const struct usage_option health[] = {
    {"--ca", "FILE", "believe these certificates, in PEM (those of the system)", false},
    {"--insecure", NULL, "believe any certificate", false},
    JSON,
    END,
};

static const struct usage_option doctor[] = {
    {"--user", "NAME", "whose rights to look at: mintd's ACL user (the one of --redis)", false},
    JSON,
    END,
};

static const struct usage_option top[] = {
    {"--sort", "name|minted|validated|refused|answered|connections|age|workers|uptime",
     "by this column, or by caching (answered)", false},
    {"--interval", "TIME", "how often to look, 1s to 1h (2s); instances beat every 5 s", false},
    {"--once", NULL, "look once, print it, end", false},
    {"--json", NULL, "print JSON, an object a line for each look", false},
    {"--csv", NULL, "print CSV, a line for each instance and look", false},
    END,
};

#define TOKEN_WARNING                                                                              \
    "A token on the command line can be read by every user of the machine: give - and the token\n" \
    "on standard input"
#define TOKEN_WORDS TOKEN_WARNING ", or its jti, which is no secret.\n"

const char *const usage_groups[] = {"client", "token", NULL};

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
     "A client of which mintd can make no sense is unreadable: exit status 1.\n", client_list,
     true},
    {"client show", "ID", 1, 1, "one client, with the times of its secrets",
     "Secrets are told apart by their number; neither they nor their hashes are shown.\n",
     json_alone, true},
    {"client rotate", "ID", 1, 1, "give a client a new secret, let the others end",
     "Prints the new secret, which is accepted at once. The others are accepted until the grace "
     "is\n"
     "over, unless they end earlier. A client has up to four secrets at a time.\n",
     client_rotate, true},
    {"client disable", "ID", 1, 1, "refuse a client and its tokens from now on", "", json_alone,
     true},
    {"client enable", "ID", 1, 1, "let a disabled client and its tokens in again", "", json_alone,
     true},
    {"client remove", "ID", 1, 1, "remove a client; its tokens are refused from now on", "",
     client_remove, true},
    {"client apply", "FILE", 1, 1, "make the clients what a file says",
     "FILE is JSON, - for standard input:\n"
     "\n"
     "  {\"clients\": [{\"id\": \"billing\", \"scope\": \"read write\",\n"
     "     \"default_scope\": \"read\", \"audience\": [\"https://api.example/\"],\n"
     "     \"ttl\": 900, \"max_ttl\": 3600,\n"
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
    {"token revoke", "TOKEN|JTI|-", 1, 1, "refuse a token from now on", TOKEN_WORDS, json_alone,
     true},
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
    {"top", "", 0, 0, "what the instances do, live",
     "What status says of instances, again and again, the busiest first. A letter of the last "
     "line\n"
     "sorts by that column: n name, m minted, v validated, r refused, a answered, c connections,\n"
     "g age (seconds since the last heartbeat), w workers, h caching, u uptime; q quits.\n"
     "Rates are those of the last heartbeats, per second.\n",
     top, true},
    {"health", "[URL]", 0, 1, "whether an instance is ready, for health checks of containers",
     "Gets the URL: http://host[:port][/path], https://... or unix:/path; without a path it is\n"
     "/readyz. Without a URL it asks the instance beside it, where MINTD_LISTEN says that it\n"
     "listens (127.0.0.1:4001), with TLS where MINTD_TLS_CERT is set. Exit status 0 for a 200.\n",
     health, false},
    {"completion", "bash|zsh|fish", 1, 1, "completions for a shell",
     "Prints a script that completes the commands, the options and their values: put it where the\n"
     "shell looks for such, or read it with: source <(mintctl completion bash)\n",
     none, false},
    {"help", "[COMMAND]", 0, 2, "what a command does and takes",
     "mintctl help client lists the commands of clients, mintctl help client add tells of one.\n",
     none, false},
    {"version", "", 0, 0, "which mintctl this is", "", json_alone, false},
    {.name = NULL},
};
