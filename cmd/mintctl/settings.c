#include "settings.h"
#include "environment.h"
#include "input.h"
#include "mintd/crypto.h"
#include "mintd/localhost.h"
#include "output.h"
#include <arpa/inet.h>

#define URL_MAX 2048u
#define PREFIX_MAX 64u

/* ---- the prefix ---- */

static bool prefix_is_valid(struct slice prefix) {
    for (size_t i = 0; i < prefix.size; i++) {
        char c = prefix.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("*?[]\\{}", c) != NULL) {
            return false;
        }
    }
    return prefix.size <= PREFIX_MAX;
}

enum status settings_read_prefix(const struct arguments *arguments, struct slice *prefix) {
    const char *flag = arguments_value(arguments, "--redis-prefix");
    const char *variable = environment_value("MINTD_REDIS_PREFIX");
    const char *value = flag != NULL ? flag : variable != NULL ? variable : "mintd:";
    *prefix = slice_of_string(value);
    if (!prefix_is_valid(*prefix)) {
        say("%s: it is up to 64 of visible ASCII without * ? [ ] { } and backslash",
            flag != NULL ? "--redis-prefix" : "MINTD_REDIS_PREFIX");
        return STATUS_USAGE;
    }
    return STATUS_DONE;
}

/* ---- the URL ---- */

static bool is_loopback(const char *host) {
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || host_is_localhost(host);
}

static bool is_address(const char *host) {
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static void describe(struct settings *settings) {
    const struct redis_url *url = &settings->redis;
    redis_url_describe(url, settings->address, sizeof settings->address);
    settings->is_local = url->is_unix || is_loopback(url->host);
    settings->is_literal = url->is_unix || is_address(url->host);
    for (unsigned i = 0; i < url->seed_count; i++) {
        settings->is_local = is_loopback(url->seeds[i].host) && (i == 0 || settings->is_local);
    }
}

static enum status parse_url(struct settings *settings, const char *where, struct slice text) {
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    if (slice_equal(text, S("memory:"))) {
        say("%s: memory: lives inside one mintd: mintctl needs a Redis", where);
        return STATUS_USAGE;
    }
    if (!redis_url_parse(text, &settings->redis, &error)) {
        storage[error.size] = '\0';
        say("%s: %s", where, storage);
        return STATUS_USAGE;
    }
    describe(settings);
    return STATUS_DONE;
}

static enum status parse_file(struct settings *settings, const char *path) {
    char text[URL_MAX];
    size_t size;
    enum status status = STATUS_USAGE;
    if (input_read_file(path, text, sizeof text, &size)) {
        status = parse_url(settings, "MINTD_REDIS_FILE", slice_of(text, size));
    }
    crypto_wipe(text, sizeof text);
    return status;
}

/* `flag` lies in argv, where a password is wiped once it is read. */
static enum status parse_flag(struct settings *settings, char *flag) {
    enum status status = parse_url(settings, "--redis", slice_of_string(flag));
    if (settings->redis.password[0] != '\0') {
        crypto_wipe(flag, strlen(flag));
        say("warning: a password on the command line can be read by every user of this machine: "
            "give the URL in MINTD_REDIS, or in a file that MINTD_REDIS_FILE names");
    }
    return status;
}

static enum status read_url(struct settings *settings, const struct arguments *arguments) {
    char *flag = arguments_value(arguments, "--redis");
    const char *variable = environment_value("MINTD_REDIS");
    const char *file = environment_value("MINTD_REDIS_FILE");
    if (flag != NULL) {
        return parse_flag(settings, flag);
    }
    if (variable != NULL && file != NULL) {
        say("MINTD_REDIS_FILE: the same setting is given without _FILE too: keep one");
        return STATUS_USAGE;
    }
    if (file != NULL) {
        return parse_file(settings, file);
    }
    return variable != NULL ? parse_url(settings, "MINTD_REDIS", slice_of_string(variable))
                            : parse_url(settings, "the default", S("redis://127.0.0.1:6379"));
}

/* ---- Sentinels ---- */

static enum status copy_variable(const char *variable, const char *value,
                                 char out[REDIS_NAME_MAX]) {
    if (strlen(value) >= REDIS_NAME_MAX) {
        say("%s: it has 255 bytes at most", variable);
        return STATUS_USAGE;
    }
    snprintf(out, REDIS_NAME_MAX, "%s", value);
    return STATUS_DONE;
}

static enum status read_sentinel_password(struct settings *settings) {
    const char *variable = environment_value("MINTD_REDIS_SENTINEL_PASSWORD");
    const char *file = environment_value("MINTD_REDIS_SENTINEL_PASSWORD_FILE");
    char *password = settings->sentinel_password;
    size_t size = 0;
    if (variable != NULL && file != NULL) {
        say("MINTD_REDIS_SENTINEL_PASSWORD_FILE: the same setting is given without _FILE too: keep "
            "one");
        return STATUS_USAGE;
    }
    if (variable != NULL) {
        return copy_variable("MINTD_REDIS_SENTINEL_PASSWORD", variable, password);
    }
    if (file != NULL && !input_read_file(file, password, REDIS_NAME_MAX - 1, &size)) {
        return STATUS_USAGE;
    }
    password[size] = '\0';
    return STATUS_DONE;
}

/* Of mintd's environment, where there may be some though --redis names another Redis: not used
 * then. */
static enum status read_sentinel(struct settings *settings) {
    const char *user = environment_value("MINTD_REDIS_SENTINEL_USER");
    if (settings->redis.topology != REDIS_SENTINEL) {
        return STATUS_DONE;
    }
    enum status status =
        user == NULL ? STATUS_DONE
                     : copy_variable("MINTD_REDIS_SENTINEL_USER", user, settings->sentinel_user);
    status = status == STATUS_DONE ? read_sentinel_password(settings) : status;
    if (status == STATUS_DONE && user != NULL && settings->sentinel_password[0] == '\0') {
        say("MINTD_REDIS_SENTINEL_USER: give its password too, in MINTD_REDIS_SENTINEL_PASSWORD");
        return STATUS_USAGE;
    }
    return status;
}

/* ---- TLS ---- */

/* Of mintd's environment, which may be for another Redis than --redis: only for one with TLS. */
static const char *variable_of(const struct settings *settings, const char *variable) {
    return settings->redis.is_tls ? environment_value(variable) : NULL;
}

/* Absent: neither given. */
static struct slice value_of(const struct settings *settings, const struct arguments *arguments,
                             const char *flag, const char *variable) {
    const char *value = arguments_value(arguments, flag);
    return slice_of_string(value != NULL ? value : variable_of(settings, variable));
}

static bool read_insecure(const struct settings *settings, const struct arguments *arguments,
                          bool *insecure) {
    struct slice value = slice_of_string(variable_of(settings, "MINTD_REDIS_TLS_INSECURE"));
    *insecure = arguments_has(arguments, "--redis-tls-insecure") || slice_equal(value, S("yes"));
    if (!*insecure && !slice_is_absent(value) && !slice_equal(value, S("no"))) {
        say("MINTD_REDIS_TLS_INSECURE: it is yes or no");
        return false;
    }
    return true;
}

static enum status read_tls(struct settings *settings, const struct arguments *arguments) {
    struct redis_tls_settings *tls = &settings->tls;
    char storage[512];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    const char *setting;
    bool no_memory = false;
    tls->ca = value_of(settings, arguments, "--redis-ca", "MINTD_REDIS_CA");
    tls->certificate = value_of(settings, arguments, "--redis-cert", "MINTD_REDIS_CERT");
    tls->key = value_of(settings, arguments, "--redis-key", "MINTD_REDIS_KEY");
    tls->name = value_of(settings, arguments, "--redis-tls-name", "MINTD_REDIS_TLS_NAME");
    if (!read_insecure(settings, arguments, &tls->believes_all)) {
        return STATUS_USAGE;
    }
    if (!redis_tls_open(tls, &settings->redis, &settings->context, &setting, &error, &no_memory)) {
        storage[error.size] = '\0';
        say("%s: %s", setting, storage);
        return no_memory ? STATUS_REFUSED : STATUS_USAGE;
    }
    if (tls->believes_all) {
        say("warning: nothing checks that this Redis is the one that is meant: whoever is on the "
            "way can read the password (--redis-tls-insecure)");
    }
    return STATUS_DONE;
}

/* ---- a password that ends ---- */

static enum status read_password_source(struct settings *settings,
                                        const struct arguments *arguments) {
    const char *file = arguments_value(arguments, "--redis-password-file");
    const char *command = arguments_value(arguments, "--redis-password-command");
    if (file == NULL && command == NULL && settings->redis.password[0] == '\0') {
        file = environment_value("MINTD_REDIS_PASSWORD_FILE");
        command = environment_value("MINTD_REDIS_PASSWORD_COMMAND");
    }
    if (file != NULL && command != NULL) {
        say("--redis-password-file: --redis-password-command is given too: keep one");
        return STATUS_USAGE;
    }
    const char *what = redis_url_misses_password(&settings->redis, file != NULL || command != NULL);
    if (what != NULL) {
        say("--redis: %s", what);
        return STATUS_USAGE;
    }
    settings->password_file = file;
    settings->password_command = command;
    return STATUS_DONE;
}

/* ---- variables that are none ---- */

/* Those of mintd, which have ours among them: both programs are often given one environment. */
static bool name_of_variable(size_t index, struct environment_name *name) {
    *name = (struct environment_name){environment_of_mintd[index], true};
    return name->variable != NULL;
}

static void on_unknown_variable(void *context, struct slice name, const char *nearest) {
    char text[128];
    (void)context;
    say("warning: %s: there is no such environment variable%s%s", visible(name, text, sizeof text),
        nearest == NULL ? "" : ": is it ", nearest == NULL ? "" : nearest);
}

void settings_warn_of_variables(void) {
    environment_each_unknown(name_of_variable, on_unknown_variable, NULL);
}

enum status settings_read(struct settings *settings, const struct arguments *arguments) {
    memset(settings, 0, sizeof *settings);
    enum status status = settings_read_prefix(arguments, &settings->prefix);
    status = status == STATUS_DONE ? read_url(settings, arguments) : status;
    status = status == STATUS_DONE ? read_sentinel(settings) : status;
    status = status == STATUS_DONE ? read_password_source(settings, arguments) : status;
    return status == STATUS_DONE ? read_tls(settings, arguments) : status;
}

void settings_fini(struct settings *settings) {
    tls_context_free(settings->context);
    crypto_wipe(settings, sizeof *settings);
}
