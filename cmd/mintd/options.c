#include "options.h"
#include "mintd/api.h"
#include "mintd/crypto.h"
#include "mintd/http_server.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define ERROR_MAX 512u
#define FILE_MAX_SIZE 4096

/* ---- what each value means ---- */

static bool complain(struct buffer *error, const char *what) {
    buffer_append_format(error, "%s", what);
    return false;
}

static bool read_number(struct slice value, unsigned least, unsigned most, unsigned *number,
                        struct buffer *error) {
    unsigned long long parsed;
    if (!slice_to_number(value, most, &parsed) || parsed < least) {
        buffer_append_format(error, "it is a number from %u to %u", least, most);
        return false;
    }
    *number = (unsigned)parsed;
    return true;
}

static bool is_name(struct slice value) {
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric && (c == '\0' || strchr("._-", c) == NULL)) {
            return false;
        }
    }
    return value.size != 0;
}

static bool set_listen(struct options *o, struct slice value, struct buffer *error) {
    struct slice address;
    while (slice_next_word(&value, &address)) {
        if (o->instance.listen_count == INSTANCE_LISTENERS_MAX) {
            return complain(error, "8 addresses at most");
        }
        if (!http_address_is_valid(address, error)) {
            return false;
        }
        o->instance.listen[o->instance.listen_count++] = address;
    }
    return o->instance.listen_count != 0 ||
           complain(error, "it is host:port, [v6]:port or unix:/path");
}

static bool set_metrics_listen(struct options *o, struct slice value, struct buffer *error) {
    o->instance.metrics_listen = value;
    return http_address_is_valid(value, error);
}

static bool set_redis(struct options *o, struct slice value, struct buffer *error) {
    o->instance.store_in_memory = slice_equal(value, S("memory:"));
    return o->instance.store_in_memory || redis_url_parse(value, &o->instance.redis, error);
}

static bool set_redis_prefix(struct options *o, struct slice value, struct buffer *error) {
    o->instance.redis_prefix = value;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] <= ' ' || value.data[i] >= 0x7f || strchr("*?[]\\{}", value.data[i])) {
            return complain(error, "it is visible ASCII without * ? [ ] { } and backslash");
        }
    }
    return value.size <= 64 || complain(error, "64 bytes at most");
}

static bool set_redis_timeout(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 10, 10000, &o->instance.redis_timeout_ms, error);
}

static bool set_workers(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 1, INSTANCE_WORKERS_MAX, &o->instance.workers, error);
}

static bool set_max_connections(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 1, 1000000, &o->instance.max_connections, error);
}

static bool set_token_ttl(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 1, OAUTH_TTL_MAX, &o->instance.token_ttl_s, error);
}

static bool set_failure_limit(struct options *o, struct slice value, struct buffer *error) {
    return read_number(value, 0, 1000000, &o->instance.failure_limit, error);
}

static bool set_trusted_proxies(struct options *o, struct slice value, struct buffer *error) {
    return networks_parse(value, &o->instance.trusted_proxies, error);
}

static bool set_client(struct options *o, struct slice value, struct buffer *error) {
    o->instance.seed = &o->seed;
    return oauth_client_seed_parse(value, &o->seed, error);
}

static bool set_name(struct options *o, struct slice value, struct buffer *error) {
    o->instance.name = value;
    return (is_name(value) && value.size <= INSTANCE_NAME_MAX) ||
           complain(error, "it is 1 to 64 of A-Z a-z 0-9 . _ -");
}

static bool set_issuer(struct options *o, struct slice value, struct buffer *error) {
    o->instance.issuer = value;
    return api_issuer_is_valid(value) ||
           complain(error,
                    "it is an https (or http) URL without query, fragment or a slash at its end");
}

static bool set_log_format(struct options *o, struct slice value, struct buffer *error) {
    bool text = slice_equal(value, S("text"));
    o->log_format = text ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    return text || slice_equal(value, S("json")) || complain(error, "it is text or json");
}

static bool set_log_level(struct options *o, struct slice value, struct buffer *error) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_equal(value, slice_of_string(names[i]))) {
            o->log_level = (enum log_level)i;
            return true;
        }
    }
    return complain(error, "it is debug, info, warning or error");
}

/* ---- the table ---- */

struct setting {
    const char *flag, *variable, *placeholder, *help;
    bool (*set)(struct options *options, struct slice value, struct buffer *error);
    bool repeatable;
    bool secret; /* has a MINTD_…_FILE form, and is better not on the command line */
};

static const struct setting settings[] = {
    {"--listen", "MINTD_LISTEN", "ADDRESS",
     "host:port, [v6]:port, :port or unix:/path; repeatable (127.0.0.1:4001)", set_listen, true,
     false},
    {"--metrics-listen", "MINTD_METRICS_LISTEN", "ADDRESS",
     "serve /metrics there and not on the main listeners", set_metrics_listen, false, false},
    {"--redis", "MINTD_REDIS", "URL",
     "redis://[user:password@]host[:port][/db], unix:///path[?db=N], or memory:\n"
     "(redis://127.0.0.1:6379)",
     set_redis, false, true},
    {"--redis-prefix", "MINTD_REDIS_PREFIX", "TEXT", "what all keys begin with (mintd:)",
     set_redis_prefix, false, false},
    {"--redis-timeout", "MINTD_REDIS_TIMEOUT", "MS", "how long Redis may take to answer (250)",
     set_redis_timeout, false, false},
    {"--workers", "MINTD_WORKERS", "N", "event loops, each on a thread (one a core)", set_workers,
     false, false},
    {"--max-connections", "MINTD_MAX_CONNECTIONS", "N",
     "connections of clients at one time (10000)", set_max_connections, false, false},
    {"--token-ttl", "MINTD_TOKEN_TTL", "SECONDS",
     "life of a token where the client has no ttl of its own (3600)", set_token_ttl, false, false},
    {"--failure-limit", "MINTD_FAILURE_LIMIT", "N",
     "failed authentications a minute for each client and address; 0: no limit (10)",
     set_failure_limit, false, false},
    {"--trusted-proxies", "MINTD_TRUSTED_PROXIES", "NETWORKS",
     "whose X-Forwarded-For counts: 10.0.0.0/8, ::1, unix; separated by spaces (none)",
     set_trusted_proxies, false, false},
    {"--client", "MINTD_CLIENT", "ID:SECRET[:SCOPE]",
     "make this client at start, if there is none of that name", set_client, false, true},
    {"--issuer", "MINTD_ISSUER", "URL",
     "the issuer of all instances of a cluster (http:// and the first address)", set_issuer, false,
     false},
    {"--name", "MINTD_NAME", "NAME", "name of this instance (host name and port)", set_name, false,
     false},
    {"--log-format", "MINTD_LOG_FORMAT", "text|json", "(text on a terminal, else json)",
     set_log_format, false, false},
    {"--log-level", "MINTD_LOG_LEVEL", "LEVEL", "debug, info, warning or error (info)",
     set_log_level, false, false},
};

#define SETTING_COUNT (sizeof settings / sizeof settings[0])

static void print_help(void) {
    printf("usage: mintd [OPTION]...\n"
           "An OAuth 2.0 token service for machines; its tokens live in Redis.\n\n");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct slice rest = slice_of_string(settings[i].help);
        struct slice line;
        printf("  %s %s\n", settings[i].flag, settings[i].placeholder);
        while (slice_split(&rest, '\n', &line)) {
            printf("        %.*s\n", (int)line.size, line.data);
        }
    }
    printf(
        "  --check\n        read the configuration, say what is wrong, exit\n"
        "  --help, --version\n\n"
        "Each option has an environment variable: --redis-prefix is MINTD_REDIS_PREFIX. Those that "
        "hold secrets\n(MINTD_CLIENT, MINTD_REDIS) can be read from a file: MINTD_CLIENT_FILE, "
        "MINTD_REDIS_FILE.\n");
}

/* ---- reading ---- */

static bool wrong(const char *where, const char *what) {
    fprintf(stderr, "mintd: %s: %s\n", where, what);
    return false;
}

static bool apply(struct options *options, const struct setting *setting, const char *where,
                  const char *value) {
    char storage[ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    if (setting->set(options, slice_of_string(value), &error)) {
        return true;
    }
    storage[error.size] = '\0';
    return wrong(where, storage);
}

/* The file's text without the newline at its end, in memory that options_fini() frees. */
static char *read_file(struct options *options, const char *path) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return NULL;
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of a secret in a buffer of stdio's */
    char *text = calloc(1, FILE_MAX_SIZE + 1);
    size_t size = text == NULL ? 0 : fread(text, 1, FILE_MAX_SIZE, file);
    fclose(file);
    if (text == NULL) {
        return NULL;
    }
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        text[--size] = '\0';
    }
    options->owned[options->owned_count++] = text;
    return text;
}

static bool apply_file(struct options *options, const struct setting *setting, const char *variable,
                       const char *path) {
    const char *text = read_file(options, path);
    if (text == NULL) {
        char what[ERROR_MAX];
        snprintf(what, sizeof what, "cannot read %s: %s", path, strerror(errno));
        return wrong(variable, what);
    }
    return apply(options, setting, variable, text);
}

/* An empty variable is as good as none: compose files make such. */
static const char *environment(const char *variable) {
    const char *value = getenv(variable);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static bool apply_environment(struct options *options, const struct setting *setting) {
    char file_variable[64];
    const char *value = environment(setting->variable);
    snprintf(file_variable, sizeof file_variable, "%s_FILE", setting->variable);
    const char *path = setting->secret ? environment(file_variable) : NULL;
    if (value != NULL && path != NULL) {
        return wrong(file_variable, "the same setting is given without _FILE too: keep one");
    }
    if (value != NULL) {
        return apply(options, setting, setting->variable, value);
    }
    return path == NULL || apply_file(options, setting, file_variable, path);
}

static const struct setting *find_setting(struct slice flag) {
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (slice_equal(flag, slice_of_string(settings[i].flag))) {
            return &settings[i];
        }
    }
    return NULL;
}

struct command_line {
    bool given[SETTING_COUNT];
    enum options_result result;
};

/* "--flag value" and "--flag=value". Returns how many arguments were used, 0 where one is wrong. */
static int apply_argument(struct options *options, struct command_line *line, char **argument) {
    struct slice rest = slice_of_string(argument[0]);
    struct slice flag;
    slice_split(&rest, '=', &flag);
    const struct setting *setting = find_setting(flag);
    if (setting == NULL) {
        wrong(argument[0], "unknown option: mintd --help lists all");
        return 0;
    }
    const char *value = slice_is_absent(rest) ? argument[1] : rest.data;
    if (value == NULL) {
        wrong(setting->flag, "a value is missing");
        return 0;
    }
    size_t index = (size_t)(setting - settings);
    if (line->given[index] && !setting->repeatable) {
        wrong(setting->flag, "given twice");
        return 0;
    }
    line->given[index] = true;
    bool has_secret = setting->secret && strchr(value, '@') != NULL;
    options->secret_on_command_line |= has_secret || setting->set == set_client;
    if (!apply(options, setting, setting->flag, value)) {
        return 0;
    }
    return slice_is_absent(rest) ? 2 : 1;
}

static bool apply_arguments(struct options *options, struct command_line *line, int argc,
                            char **argv) {
    for (int i = 1; i < argc;) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            line->result = OPTIONS_SHOWN;
            return true;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("mintd " MINTD_VERSION "\n");
            line->result = OPTIONS_SHOWN;
            return true;
        }
        if (strcmp(argv[i], "--check") == 0) {
            line->result = OPTIONS_CHECK;
            i++;
            continue;
        }
        int used = apply_argument(options, line, argv + i);
        if (used == 0) {
            return false;
        }
        i += used;
    }
    return true;
}

static bool apply_defaults(struct options *options) {
    struct instance_options *instance = &options->instance;
    if (instance->listen_count == 0) {
        instance->listen[instance->listen_count++] = S("127.0.0.1:4001");
    }
    if (instance->workers == 0) {
        unsigned cores = uv_available_parallelism();
        instance->workers = cores < INSTANCE_WORKERS_MAX ? cores : INSTANCE_WORKERS_MAX;
    }
    char storage[ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage);
    return instance->store_in_memory || instance->redis.host[0] != '\0' ||
           redis_url_parse(S("redis://127.0.0.1:6379"), &instance->redis, &error);
}

enum options_result options_init(struct options *options, int argc, char **argv) {
    struct command_line line = {.result = OPTIONS_RUN};
    memset(options, 0, sizeof *options);
    options->log_level = LOG_INFO;
    options->instance.redis_prefix = S("mintd:");
    options->instance.redis_timeout_ms = 250;
    options->instance.max_connections = 10000;
    options->instance.token_ttl_s = 3600;
    options->instance.failure_limit = 10;

    if (!apply_arguments(options, &line, argc, argv)) {
        return OPTIONS_WRONG;
    }
    for (size_t i = 0; i < SETTING_COUNT && line.result != OPTIONS_SHOWN; i++) {
        if (!line.given[i] && !apply_environment(options, &settings[i])) {
            return OPTIONS_WRONG;
        }
    }
    return apply_defaults(options) ? line.result : OPTIONS_WRONG;
}

void options_fini(struct options *options) {
    for (unsigned i = 0; i < options->owned_count; i++) {
        crypto_wipe(options->owned[i], FILE_MAX_SIZE);
        free(options->owned[i]);
    }
    crypto_wipe(options, sizeof *options);
}
