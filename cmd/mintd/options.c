#include "options.h"
#include "environment.h"
#include "help.h"
#include "mintd/clients_file.h"
#include "mintd/crypto.h"
#include "mintd/file_digest.h"
#include "mintd/http_server.h"
#include "mintd/setting_file.h"
#include "mintd/text_flaw.h"
#include "nearest.h"
#include "settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define ERROR_MAX 512u

static bool wrong(const char *where, const char *what) {
    fprintf(stderr, "mintd: %s: %s\n", where, what);
    return false;
}

static bool short_of_memory(struct options *options, const char *where) {
    options->no_memory = true;
    return wrong(where, "not enough memory");
}

static void add_note(struct options *options, const char *what, struct slice setting,
                     const char *nearest) {
    if (options->note_count == NOTES_MAX) {
        return;
    }
    struct note *note = &options->notes[options->note_count++];
    note->what = what;
    note->nearest = nearest;
    snprintf(note->setting, sizeof note->setting, "%.*s", (int)setting.size, setting.data);
}

/* A blank that was not meant makes another secret; each part, as there are more than one. */
static void look_for_blanks(struct options *options, const struct setting *setting,
                            const char *where, const char *value) {
    struct slice rest = slice_of_string(value), part;
    if (setting->secrecy == SETTING_PUBLIC || setting->secrecy == SETTING_PUBLIC_IN_FILE) {
        return;
    }
    while (slice_split(&rest, ':', &part)) {
        if (text_flaw(part) == TEXT_FLAW_BLANK) {
            add_note(options, "a value that holds a secret has a blank at an edge",
                     slice_of_string(where), NULL);
            return;
        }
    }
}

/* One that no setting takes and nobody sees. */
static bool has_blank(const struct setting *setting, const char *value) {
    return setting->secrecy == SETTING_MAY_HOLD_SECRET &&
           text_flaw(slice_of_string(value)) == TEXT_FLAW_BLANK;
}

static bool apply(struct options *options, const struct setting *setting,
                  enum setting_source source, const char *where, const char *value) {
    char storage[ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    struct setting_given *given = &options->given[setting - settings];
    if (!setting->set(options, slice_of_string(value), &error)) {
        if (has_blank(setting, value)) {
            buffer_append(&error, S(" (it has a blank at an edge)"));
        }
        storage[error.size] = '\0';
        return wrong(where, storage);
    }
    if (crypto_failed_allocations() != 0) { /* OpenSSL may go on without what it could not ready */
        return short_of_memory(options, where);
    }
    given->source = source;
    if (given->count < INSTANCE_LISTENERS_MAX) {
        given->texts[given->count++] = value;
    }
    look_for_blanks(options, setting, where, value);
    return true;
}

static bool apply_file(struct options *options, const struct setting *setting, const char *variable,
                       const char *path) {
    char *text = calloc(1, SETTING_FILE_STORAGE);
    if (text == NULL) {
        return short_of_memory(options, variable);
    }
    options->owned[options->owned_count++] = text; /* options_fini() wipes and frees it */
    const char *why = setting_file_read(path, text, &options->no_memory);
    if (why != NULL) {
        char what[ERROR_MAX];
        snprintf(what, sizeof what, "cannot read %s: %s", path, why);
        return wrong(variable, what);
    }
    options->given[setting - settings].file = path;
    return apply(options, setting, FROM_FILE, variable, text);
}

static bool apply_environment(struct options *options, const struct setting *setting) {
    char file_variable[64];
    const char *value = environment_value(setting->variable);
    snprintf(file_variable, sizeof file_variable, "%s_FILE", setting->variable);
    const char *path = setting_has_file(setting) ? environment_value(file_variable) : NULL;
    if (value != NULL && path != NULL) {
        return wrong(file_variable, "the same setting is given without _FILE too: keep one");
    }
    if (value != NULL) {
        return apply(options, setting, FROM_VARIABLE, setting->variable, value);
    }
    return path == NULL || apply_file(options, setting, file_variable, path);
}

static bool name_of_setting(size_t index, struct environment_name *name) {
    if (index < settings_count) {
        name->variable = settings[index].variable;
        name->has_file = setting_has_file(&settings[index]);
    }
    return index < settings_count;
}

static void on_unknown_variable(void *context, struct slice name, const char *nearest) {
    add_note(context, "there is no such environment variable", name, nearest);
}

static const struct setting *find_setting(struct slice flag) {
    for (size_t i = 0; i < settings_count; i++) {
        if (slice_equal(flag, slice_of_string(settings[i].flag))) {
            return &settings[i];
        }
    }
    return NULL;
}

/* "scheme://user:password@...", and not "scheme://user@..." */
static bool has_password(const char *url) {
    const char *user = strstr(url, "://"), *end = strrchr(url, '@');
    const char *colon = user == NULL ? NULL : strchr(user + 3, ':');
    return colon != NULL && end != NULL && colon < end;
}

static bool holds_secret(const struct setting *setting, const char *value) {
    return setting->secrecy == SETTING_IS_SECRET ||
           (setting->secrecy == SETTING_MAY_HOLD_SECRET && has_password(value));
}

/* What stands behind the '=' of a misspelt flag may be a secret: it is not shown. */
static void refuse_unknown(struct slice flag) {
    char name[128];
    if (!slice_starts_with(flag, S("-"))) { /* a part of a value, without quotes */
        fprintf(stderr, "mintd: an argument is no option: put quotes around a value that has "
                        "blanks (mintd --help lists all)\n");
        return;
    }
    struct nearest nearest = nearest_to(flag);
    for (size_t i = 0; i < settings_count; i++) {
        nearest_look(&nearest, settings[i].flag);
    }
    nearest_look(&nearest, "--check");
    nearest_look(&nearest, "--help");
    nearest_look(&nearest, "--version");
    bool is_near = nearest.best != NULL;
    snprintf(name, sizeof name, "%.*s", (int)flag.size, flag.data);
    fprintf(stderr, "mintd: %s: unknown option%s%s%s (mintd --help lists all)\n", name,
            is_near ? "; did you mean " : "", is_near ? nearest.best : "", is_near ? "?" : "");
}

/* "--flag value", "--flag=value", and "--flag" for a switch. Returns how many arguments were used,
 * 0 where one is wrong. */
static int apply_argument(struct options *options, char **argument) {
    struct slice rest = slice_of_string(argument[0]);
    struct slice flag;
    slice_split(&rest, '=', &flag);
    const struct setting *setting = find_setting(flag);
    if (setting == NULL) {
        refuse_unknown(flag);
        return 0;
    }
    bool is_switch = setting->placeholder == NULL;
    const char *value = !slice_is_absent(rest) ? rest.data : is_switch ? "yes" : argument[1];
    if (value == NULL) {
        wrong(setting->flag, "a value is missing");
        return 0;
    }
    if (options->given[setting - settings].count != 0 && !setting->repeatable) {
        wrong(setting->flag, "given twice");
        return 0;
    }
    options->secret_on_command_line |= holds_secret(setting, value);
    if (!apply(options, setting, FROM_FLAG, setting->flag, value)) {
        return 0;
    }
    return slice_is_absent(rest) && !is_switch ? 2 : 1;
}

static bool apply_arguments(struct options *options, enum options_result *result, int argc,
                            char **argv) {
    for (int i = 1; i < argc;) {
        if (help_show(argv[i])) {
            *result = OPTIONS_SHOWN;
            return true;
        }
        if (strcmp(argv[i], "--check") == 0) {
            *result = OPTIONS_CHECK;
            i++;
            continue;
        }
        int used = apply_argument(options, argv + i);
        if (used == 0) {
            return false;
        }
        i += used;
    }
    return true;
}

static bool sentinel_settings_fit(const struct instance_options *instance) {
    bool has_user = !slice_is_absent(instance->sentinel_user);
    bool has_password = !slice_is_absent(instance->sentinel_password);
    if ((has_user || has_password) && instance->redis.topology != REDIS_SENTINEL) {
        return wrong(has_user ? "--redis-sentinel-user" : "--redis-sentinel-password",
                     "it is for Sentinels alone, and --redis names none: redis+sentinel://...");
    }
    return !has_user || has_password ||
           wrong("--redis-sentinel-user", "give its password too, in MINTD_REDIS_SENTINEL_PASSWORD "
                                          "or a file (MINTD_REDIS_SENTINEL_PASSWORD_FILE)");
}

static bool password_settings_fit(const struct instance_options *instance) {
    bool has_file = instance->redis_password_file != NULL;
    bool has_command = instance->redis_password_command != NULL;
    const char *setting = has_file ? "--redis-password-file" : "--redis-password-command";
    if (has_file && has_command) {
        return wrong(setting, "--redis-password-command is given too: keep one");
    }
    if ((has_file || has_command) && instance->store_in_memory) {
        return wrong(setting, "it is for Redis, and --redis is memory:");
    }
    if (has_command && instance->sandbox == INSTANCE_SANDBOX_ON) {
        return wrong("--sandbox", "it lets no program run, and --redis-password-command is one: "
                                  "give --redis-password-file, or leave --sandbox out");
    }
    const char *what = redis_url_misses_password(&instance->redis, has_file || has_command);
    return what == NULL || wrong("--redis", what);
}

static bool wait_settings_fit(const struct instance_options *instance) {
    const struct redis_wait *wait = &instance->redis_wait;
    bool waits = wait->replicas != 0 || wait->is_auto || wait->files;
    if (wait->mints && !waits) {
        return wrong("--redis-wait-mints", "say for how many replicas, with --redis-wait");
    }
    return !waits || !instance->store_in_memory ||
           wrong(wait->files ? "--redis-wait-aof" : "--redis-wait",
                 "it is for Redis, and --redis is memory:");
}

static bool apply_defaults(struct options *options) {
    struct instance_options *instance = &options->instance;
    if (instance->listen_count == 0) {
        instance->listen[instance->listen_count++] = S("127.0.0.1:4001");
        instance->listen[instance->listen_count++] = S("[::1]:4001");
        instance->listens_by_default = true;
    }
    if (instance->workers == 0) {
        unsigned cores = uv_available_parallelism();
        instance->workers = cores < INSTANCE_WORKERS_MAX ? cores : INSTANCE_WORKERS_MAX;
    }
    for (unsigned i = 0; i < instance->listen_count; i++) {
        if (setting_is_same_address(instance->listen[i], instance->metrics_listen)) {
            return wrong("--metrics-listen", "it is an address of --listen too: give it one of its "
                                             "own, or leave it out");
        }
    }
    if (!sentinel_settings_fit(instance) || !password_settings_fit(instance) ||
        !wait_settings_fit(instance)) {
        return false;
    }
    char storage[ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage);
    return instance->store_in_memory || instance->redis.host[0] != '\0' ||
           instance->redis.topology != REDIS_STANDALONE ||
           redis_url_parse(S("redis://127.0.0.1:6379"), &instance->redis, &error);
}

static bool look_at_files(struct options *options, const char *where, const struct slice *files,
                          unsigned count, uint8_t seen[CRYPTO_DIGEST_SIZE]) {
    struct crypto *crypto = crypto_new();
    bool ok = crypto != NULL && file_digest(crypto, files, count, seen);
    crypto_free(crypto);
    return ok || short_of_memory(options, where);
}

/* Both files or neither. What is read here is served. */
static bool load_tls(struct options *options) {
    struct instance_options *instance = &options->instance;
    char storage[ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    if (slice_is_absent(instance->tls_certificate) && slice_is_absent(instance->tls_key)) {
        return true;
    }
    if (slice_is_absent(instance->tls_key)) {
        return wrong("--tls-cert", "give the file of its key too, with --tls-key");
    }
    if (slice_is_absent(instance->tls_certificate)) {
        return wrong("--tls-key", "give the file of the certificate too, with --tls-cert");
    }
    const struct slice files[] = {instance->tls_certificate, instance->tls_key};
    if (!look_at_files(options, "TLS", files, 2, instance->tls_seen)) {
        return false;
    }
    instance->tls =
        http_tls_new(instance->tls_certificate, instance->tls_key, &error, &options->no_memory);
    storage[error.size] = '\0';
    return instance->tls != NULL || wrong("TLS", storage);
}

static bool load_redis_tls(struct options *options) {
    struct instance_options *instance = &options->instance;
    char storage[ERROR_MAX];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    const char *setting;
    struct slice files[REDIS_TLS_FILES_MAX];
    unsigned count = redis_tls_files(&instance->redis_tls, files);
    if (instance->redis.is_tls &&
        !look_at_files(options, "TLS to Redis", files, count, instance->redis_tls_seen)) {
        return false;
    }
    if (!redis_tls_open(&instance->redis_tls, &instance->redis, &instance->redis_tls_context,
                        &setting, &error, &options->no_memory)) {
        storage[error.size] = '\0';
        return wrong(setting, storage);
    }
    if (instance->redis_tls.believes_all) {
        add_note(options,
                 "nothing checks that redis is the one that is meant: whoever is on the way can "
                 "read the password and make tokens",
                 S("--redis-tls-insecure"), NULL);
    }
    return true;
}

/* As it will be applied; what Redis holds is not looked at. */
static bool check_clients_file(struct options *options) {
    char storage[SAY_LINE_MAX];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    const char *path = options->instance.clients_file;
    if (path == NULL || clients_file_check(path, &error, &options->no_memory)) {
        return true;
    }
    storage[error.size] = '\0';
    return wrong("--clients-file", storage);
}

/* "https://[::]:4001/path": a listener may have such a host, what clients ask may not. */
static void look_at_issuer(struct options *options) {
    struct slice rest = options->instance.issuer, authority;
    char storage[HTTP_ADDRESS_MAX];
    struct buffer address = buffer_of(storage, sizeof storage);
    if (slice_is_absent(rest)) {
        return;
    }
    rest = slice_skip(rest, slice_starts_with(rest, S("https://")) ? 8 : 7);
    slice_split(&rest, '/', &authority);
    buffer_append(&address, authority);
    bool has_port = http_address_is_valid(authority, &(struct buffer){0});
    buffer_append(&address, has_port ? S("") : S(":0"));
    if (http_address_is_everywhere(buffer_slice(&address))) {
        add_note(options, "no client reaches this address: give the URL by which clients reach it",
                 S("--issuer"), NULL);
    }
}

/* Those that are read again at SIGHUP. */
static void name_files(struct options *options) {
    struct instance_options *instance = &options->instance;
    instance->log_level_file = options->given[find_setting(S("--log-level")) - settings].file;
    if (instance->redis_password_file == NULL && instance->redis_password_command == NULL) {
        instance->redis_file = options->given[find_setting(S("--redis")) - settings].file;
    }
}

static enum options_result refusal(const struct options *options) {
    return options->no_memory || crypto_failed_allocations() != 0 ? OPTIONS_NO_MEMORY
                                                                  : OPTIONS_WRONG;
}

enum options_result options_init(struct options *options, int argc, char **argv) {
    enum options_result result = OPTIONS_RUN;
    memset(options, 0, sizeof *options);
    options->log_level = LOG_INFO;
    options->instance.redis_prefix = S("mintd:");
    options->instance.redis_timeout_ms = 250;
    options->instance.cache_size = 32u << 20;
    options->instance.max_connections = 10000;
    options->instance.max_connections_per_address = 1000;
    options->instance.max_handshakes_per_address = 500;
    options->instance.token_ttl_s = 3600;
    options->instance.failure_limit = 10;
    options->instance.failure_v6_prefix = 64;
    options->instance.refusals_told = 20;

    if (!apply_arguments(options, &result, argc, argv)) {
        return refusal(options);
    }
    if (result == OPTIONS_SHOWN) {
        return OPTIONS_SHOWN;
    }
    for (size_t i = 0; i < settings_count; i++) {
        if (options->given[i].source == FROM_DEFAULT && !apply_environment(options, &settings[i])) {
            return refusal(options);
        }
    }
    look_at_issuer(options);
    name_files(options);
    environment_each_unknown(name_of_setting, on_unknown_variable, options);
    return apply_defaults(options) && load_tls(options) && load_redis_tls(options) &&
                   check_clients_file(options)
               ? result
               : refusal(options);
}

void options_fini(struct options *options) {
    for (unsigned i = 0; i < options->owned_count; i++) {
        crypto_wipe(options->owned[i], SETTING_FILE_STORAGE);
        free(options->owned[i]);
    }
    tls_context_free(options->instance.tls);
    tls_context_free(options->instance.redis_tls_context);
    crypto_wipe(options, sizeof *options);
}
