#include "profile.h"
#include "clients/whole_file.h"
#include "environment.h"
#include "mintd/crypto.h"
#include "nearest.h"
#include "output.h"
#include <sys/stat.h>

#define TEXT_MAX 8192u
#define PATH_SIZE 1024u

static const struct {
    const char *key, *variable;
} known[] = {
    {"redis", "MINTD_REDIS"},
    {"redis-prefix", "MINTD_REDIS_PREFIX"},
    {"redis-password-file", "MINTD_REDIS_PASSWORD_FILE"},
    {"redis-password-command", "MINTD_REDIS_PASSWORD_COMMAND"},
    {"redis-sentinel-user", "MINTD_REDIS_SENTINEL_USER"},
    {"redis-sentinel-password", "MINTD_REDIS_SENTINEL_PASSWORD"},
    {"redis-ca", "MINTD_REDIS_CA"},
    {"redis-cert", "MINTD_REDIS_CERT"},
    {"redis-key", "MINTD_REDIS_KEY"},
    {"redis-tls-name", "MINTD_REDIS_TLS_NAME"},
    {"redis-tls-insecure", "MINTD_REDIS_TLS_INSECURE"},
};
#define KNOWN (sizeof known / sizeof known[0])

static char text[TEXT_MAX];
static const char *values[KNOWN]; /* in the text */
static bool is_named;

static bool name_is_valid(const char *name) {
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return size > 0 && size <= 64 && name[size] == '\0' && name[0] != '.';
}

static bool make_path(char path[PATH_SIZE], const char *name) {
    const char *config = environment_value("XDG_CONFIG_HOME"), *home = environment_value("HOME");
    int size = config != NULL ? snprintf(path, PATH_SIZE, "%s/mintctl/profiles/%s", config, name)
               : home != NULL
                   ? snprintf(path, PATH_SIZE, "%s/.config/mintctl/profiles/%s", home, name)
                   : -1;
    return size > 0 && (unsigned)size < PATH_SIZE;
}

static char *trim(char *word) {
    word += strspn(word, " \t");
    for (size_t size = strlen(word); size > 0 && strchr(" \t\r", word[size - 1]) != NULL; size--) {
        word[size - 1] = '\0';
    }
    return word;
}

/* The value is never repeated: it may hold a password. */
static bool refuse_key(const char *path, const char *key) {
    char shown[40];
    struct nearest nearest = nearest_to(slice_of_string(key));
    for (size_t i = 0; i < KNOWN; i++) {
        nearest_look(&nearest, known[i].key);
    }
    say("%s: %s: there is no such setting%s%s%s", path,
        visible(slice_of_string(key), shown, sizeof shown),
        nearest.best == NULL ? "" : "; did you mean ", nearest.best == NULL ? "" : nearest.best,
        nearest.best == NULL ? "" : "?");
    return false;
}

static bool read_line(const char *path, char *line) {
    char *equals = strchr(line, '=');
    char *key = trim(line);
    if (*key == '\0' || *key == '#') {
        return true;
    }
    if (equals == NULL) {
        say("%s: a line without =: each is like redis = redis://127.0.0.1:6379", path);
        return false;
    }
    *equals = '\0';
    key = trim(key);
    for (size_t i = 0; i < KNOWN; i++) {
        if (strcmp(known[i].key, key) == 0 && values[i] != NULL) {
            say("%s: %s: given twice", path, key);
            return false;
        }
        if (strcmp(known[i].key, key) == 0) {
            values[i] = trim(equals + 1);
            return true;
        }
    }
    return refuse_key(path, key);
}

/* "redis://user:password@host" */
static bool holds_password(void) {
    const char *url = profile_value("MINTD_REDIS");
    return (url != NULL && strchr(url, '@') != NULL) ||
           profile_value("MINTD_REDIS_SENTINEL_PASSWORD") != NULL;
}

static bool is_private(const char *path) {
    struct stat file;
    if (!holds_password() || (stat(path, &file) == 0 && (file.st_mode & 077) == 0)) {
        return true;
    }
    say("%s: it holds a password, and others may read it: chmod 600", path);
    return false;
}

enum status profile_read(const struct arguments *arguments) {
    const char *flag = arguments_value(arguments, "--profile");
    const char *name = flag != NULL ? flag : environment_value("MINTCTL_PROFILE");
    char path[PATH_SIZE], *line = text, *save = NULL;
    size_t size;
    if (name == NULL || is_named) {
        return STATUS_DONE;
    }
    if (!name_is_valid(name) || !make_path(path, name)) {
        say("%s: it is the name of a file in ~/.config/mintctl/profiles: letters, digits, . _ -",
            flag != NULL ? "--profile" : "MINTCTL_PROFILE");
        return STATUS_USAGE;
    }
    if (!whole_file_read(path, text, sizeof text - 1, &size)) {
        return STATUS_USAGE;
    }
    text[size] = '\0';
    is_named = true;
    for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (!read_line(path, line)) {
            return STATUS_USAGE;
        }
    }
    return is_private(path) ? STATUS_DONE : STATUS_USAGE;
}

const char *profile_value(const char *variable) {
    for (size_t i = 0; is_named && i < KNOWN; i++) {
        if (strcmp(known[i].variable, variable) == 0) {
            return values[i] == NULL || *values[i] == '\0' ? NULL : values[i];
        }
    }
    return is_named ? NULL : environment_value(variable);
}

void profile_wipe(void) {
    crypto_wipe(text, sizeof text);
}
