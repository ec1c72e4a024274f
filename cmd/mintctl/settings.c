#include "settings.h"
#include "clients/whole_file.h"
#include "environment.h"
#include "mintd/crypto.h"
#include "output.h"
#include "profile.h"

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
    if (profile_read(arguments) != STATUS_DONE) {
        return STATUS_USAGE;
    }
    const char *flag = arguments_value(arguments, "--redis-prefix");
    const char *variable = profile_value("MINTD_REDIS_PREFIX");
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

static enum status parse_url(struct redis_target *settings, const char *where, struct slice text) {
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
    redis_target_describe(settings);
    return STATUS_DONE;
}

static enum status parse_file(struct redis_target *settings, const char *path) {
    char text[URL_MAX];
    size_t size;
    enum status status = STATUS_USAGE;
    if (whole_file_read(path, text, sizeof text, &size)) {
        status = parse_url(settings, "MINTD_REDIS_FILE", slice_of(text, size));
    }
    crypto_wipe(text, sizeof text);
    return status;
}

/* `flag` lies in argv, where a password is wiped once it is read. */
static enum status parse_flag(struct redis_target *settings, char *flag) {
    enum status status = parse_url(settings, "--redis", slice_of_string(flag));
    if (settings->redis.password[0] != '\0') {
        crypto_wipe(flag, strlen(flag));
        say("warning: a password on the command line can be read by every user of this machine: "
            "give the URL in MINTD_REDIS, or in a file that MINTD_REDIS_FILE names");
    }
    return status;
}

static enum status read_url(struct redis_target *settings, const struct arguments *arguments) {
    char *flag = arguments_value(arguments, "--redis");
    const char *variable = profile_value("MINTD_REDIS");
    const char *file = profile_value("MINTD_REDIS_FILE");
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

static enum status read_sentinel_password(struct redis_target *settings) {
    const char *variable = profile_value("MINTD_REDIS_SENTINEL_PASSWORD");
    const char *file = profile_value("MINTD_REDIS_SENTINEL_PASSWORD_FILE");
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
    if (file != NULL && !whole_file_read(file, password, REDIS_NAME_MAX - 1, &size)) {
        return STATUS_USAGE;
    }
    password[size] = '\0';
    return STATUS_DONE;
}

/* Of mintd's environment, where there may be some though --redis names another Redis: not used
 * then. */
static enum status read_sentinel(struct redis_target *settings) {
    const char *user = profile_value("MINTD_REDIS_SENTINEL_USER");
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
static const char *variable_of(const struct redis_target *settings, const char *variable) {
    return settings->redis.is_tls ? profile_value(variable) : NULL;
}

/* Absent: neither given. */
static struct slice value_of(const struct redis_target *settings, const struct arguments *arguments,
                             const char *flag, const char *variable) {
    const char *value = arguments_value(arguments, flag);
    return slice_of_string(value != NULL ? value : variable_of(settings, variable));
}

static bool read_insecure(const struct redis_target *settings, const struct arguments *arguments,
                          bool *insecure) {
    struct slice value = slice_of_string(variable_of(settings, "MINTD_REDIS_TLS_INSECURE"));
    *insecure = arguments_has(arguments, "--redis-tls-insecure") || slice_equal(value, S("yes"));
    if (!*insecure && !slice_is_absent(value) && !slice_equal(value, S("no"))) {
        say("MINTD_REDIS_TLS_INSECURE: it is yes or no");
        return false;
    }
    return true;
}

static enum status read_tls(struct redis_target *settings, const struct arguments *arguments) {
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

static enum status read_password_source(struct redis_target *settings,
                                        const struct arguments *arguments) {
    const char *file = arguments_value(arguments, "--redis-password-file");
    const char *command = arguments_value(arguments, "--redis-password-command");
    /* That of the environment or the profile may be for another Redis than --redis: only where a
     * user is named, who needs one. */
    bool is_for_it =
        arguments_value(arguments, "--redis") == NULL || settings->redis.user[0] != '\0';
    if (file == NULL && command == NULL && is_for_it && settings->redis.password[0] == '\0') {
        file = profile_value("MINTD_REDIS_PASSWORD_FILE");
        command = profile_value("MINTD_REDIS_PASSWORD_COMMAND");
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

enum status settings_read(struct redis_target *settings, const struct arguments *arguments) {
    *settings = (struct redis_target){.name = S("mintctl")};
    enum status status = settings_read_prefix(arguments, &settings->prefix);
    status = status == STATUS_DONE ? read_url(settings, arguments) : status;
    status = status == STATUS_DONE ? read_sentinel(settings) : status;
    status = status == STATUS_DONE ? read_password_source(settings, arguments) : status;
    return status == STATUS_DONE ? read_tls(settings, arguments) : status;
}

enum status open_redis(const struct arguments *arguments, enum redis_layout layout,
                       struct redis **redis) {
    struct redis_target target;
    *redis = NULL;
    enum status status = settings_read(&target, arguments);
    status = status == STATUS_DONE ? redis_open(&target, layout, redis) : status;
    redis_target_fini(&target);
    return status;
}
