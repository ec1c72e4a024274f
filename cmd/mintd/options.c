#include "options.h"
#include "help.h"
#include "mintd/crypto.h"
#include "settings.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define ERROR_MAX 512u
#define FILE_MAX_SIZE 4096u
#define FILE_STORAGE (FILE_MAX_SIZE + 2u) /* one byte too many tells, and a NUL */

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

/* The file's bytes and a NUL. 0 or an errno value. */
static int read_bytes(const char *path, char *bytes, size_t *size) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno;
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of a secret in a buffer of stdio's */
    *size = fread(bytes, 1, FILE_MAX_SIZE + 1, file);
    int error = ferror(file) ? errno : 0;
    fclose(file);
    if (error == 0 && *size > FILE_MAX_SIZE) {
        error = EFBIG;
    }
    if (error == 0 && memchr(bytes, '\0', *size) != NULL) {
        error = EILSEQ;
    }
    return error;
}

/* The file's text without the newline at its end, in memory that options_fini() frees. NULL, with
 * errno, where it cannot be read or is no text. */
static char *read_file(struct options *options, const char *path) {
    size_t size = 0;
    char *text = calloc(1, FILE_STORAGE);
    if (text == NULL) {
        return NULL;
    }
    options->owned[options->owned_count++] = text;
    errno = read_bytes(path, text, &size);
    if (errno != 0) {
        return NULL;
    }
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        text[--size] = '\0';
    }
    return text;
}

static const char *explain(int error) {
    if (error == EFBIG) {
        return "too large: 4096 bytes at most";
    }
    return error == EILSEQ ? "it is no text: it has a NUL byte" : strerror(error);
}

static bool apply_file(struct options *options, const struct setting *setting, const char *variable,
                       const char *path) {
    const char *text = read_file(options, path);
    if (text == NULL) {
        char what[ERROR_MAX];
        snprintf(what, sizeof what, "cannot read %s: %s", path, explain(errno));
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
    const char *path = setting->secrecy != SETTING_PUBLIC ? environment(file_variable) : NULL;
    if (value != NULL && path != NULL) {
        return wrong(file_variable, "the same setting is given without _FILE too: keep one");
    }
    if (value != NULL) {
        return apply(options, setting, setting->variable, value);
    }
    return path == NULL || apply_file(options, setting, file_variable, path);
}

static const struct setting *find_setting(struct slice flag) {
    for (size_t i = 0; i < settings_count; i++) {
        if (slice_equal(flag, slice_of_string(settings[i].flag))) {
            return &settings[i];
        }
    }
    return NULL;
}

struct command_line {
    bool given[SETTINGS_MAX];
    enum options_result result;
};

static bool holds_secret(const struct setting *setting, const char *value) {
    return setting->secrecy == SETTING_IS_SECRET ||
           (setting->secrecy == SETTING_MAY_HOLD_SECRET && strchr(value, '@') != NULL);
}

/* What stands behind the '=' of a misspelt flag may be a secret: it is not shown. */
static void refuse_unknown(struct slice flag) {
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)flag.size, flag.data);
    wrong(name, "unknown option: mintd --help lists all");
}

/* "--flag value" and "--flag=value". Returns how many arguments were used, 0 where one is wrong. */
static int apply_argument(struct options *options, struct command_line *line, char **argument) {
    struct slice rest = slice_of_string(argument[0]);
    struct slice flag;
    slice_split(&rest, '=', &flag);
    const struct setting *setting = find_setting(flag);
    if (setting == NULL) {
        refuse_unknown(flag);
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
    options->secret_on_command_line |= holds_secret(setting, value);
    if (!apply(options, setting, setting->flag, value)) {
        return 0;
    }
    return slice_is_absent(rest) ? 2 : 1;
}

static bool apply_arguments(struct options *options, struct command_line *line, int argc,
                            char **argv) {
    for (int i = 1; i < argc;) {
        if (help_show(argv[i])) {
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

/* Both files or neither. What is read here is served. */
static bool load_tls(struct instance_options *instance) {
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
    instance->tls = http_tls_new(instance->tls_certificate, instance->tls_key, &error);
    storage[error.size] = '\0';
    return instance->tls != NULL || wrong("TLS", storage);
}

enum options_result options_init(struct options *options, int argc, char **argv) {
    struct command_line line = {.result = OPTIONS_RUN};
    memset(options, 0, sizeof *options);
    options->log_level = LOG_INFO;
    options->instance.redis_prefix = S("mintd:");
    options->instance.redis_timeout_ms = 250;
    options->instance.cache_size = 32u << 20;
    options->instance.max_connections = 10000;
    options->instance.token_ttl_s = 3600;
    options->instance.failure_limit = 10;
    options->instance.failure_v6_prefix = 64;

    if (!apply_arguments(options, &line, argc, argv)) {
        return OPTIONS_WRONG;
    }
    for (size_t i = 0; i < settings_count && line.result != OPTIONS_SHOWN; i++) {
        if (!line.given[i] && !apply_environment(options, &settings[i])) {
            return OPTIONS_WRONG;
        }
    }
    if (line.result == OPTIONS_SHOWN) {
        return OPTIONS_SHOWN;
    }
    return apply_defaults(options) && load_tls(&options->instance) ? line.result : OPTIONS_WRONG;
}

void options_fini(struct options *options) {
    for (unsigned i = 0; i < options->owned_count; i++) {
        crypto_wipe(options->owned[i], FILE_STORAGE);
        free(options->owned[i]);
    }
    http_tls_free(options->instance.tls);
    crypto_wipe(options, sizeof *options);
}
