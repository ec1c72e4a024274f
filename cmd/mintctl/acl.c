/* acl.c: mintctl acl: the rule of the user with the least rights that mintd can do with, so that it
 * can be pasted where it belongs. Asks no Redis. */
#include "input.h"
#include "mintd/crypto.h"
#include "mintd/encoding.h"
#include "output.h"
#include "rights.h"
#include "settings.h"

#define PASSWORD_MAX 512u
#define USER_MAX 256u

enum form { FORM_SHELL, FORM_ACLFILE, FORM_PROVIDER };

struct acl {
    enum form form;
    const char *user;
    struct redis_target settings;
    bool waits_for_files, has_clients_file;
    char digest[2 * CRYPTO_DIGEST_SIZE + 1]; /* of the password; empty: it was not given */
    cJSON *rules;                            /* where the words go to; NULL: they are printed */
};

/* ---- words ---- */

/* A word as the shell takes it: as it is, or between quotes. */
static void print_quoted(const char *text) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_./:@";
    if (*text != '\0' && strspn(text, plain) == strlen(text)) {
        printf("%s", text);
        return;
    }
    putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            printf("'\\''");
        } else {
            putchar(*text);
        }
    }
    putchar('\'');
}

static void put_word(const struct acl *acl, const char *text) {
    if (acl->rules != NULL) {
        cJSON_AddItemToArray(acl->rules, cJSON_CreateString(text));
        return;
    }
    putchar(' ');
    if (acl->form == FORM_SHELL) {
        print_quoted(text);
    } else {
        printf("%s", text);
    }
}

static bool is_given(const struct acl *acl, size_t number) {
    switch (rights[number].kind) {
    case RIGHT_FOR_DATABASE:
        return acl->settings.redis.database != 0;
    case RIGHT_FOR_CLUSTER:
        return acl->settings.redis.topology == REDIS_CLUSTER;
    case RIGHT_FOR_FILES:
        return acl->waits_for_files;
    case RIGHT_FOR_CLIENTS:
        return acl->has_clients_file;
    default:
        return true;
    }
}

/* Some commands stand in the table for more than one key. */
static bool is_put(size_t number) {
    for (size_t i = 0; i < number; i++) {
        if (strcmp(rights[i].command, rights[number].command) == 0) {
            return true;
        }
    }
    return false;
}

static void put_rights(const struct acl *acl) {
    char text[80];
    snprintf(text, sizeof text, "~%.*s*", (int)acl->settings.prefix.size,
             acl->settings.prefix.data);
    put_word(acl, text);
    if (acl->form != FORM_PROVIDER) { /* who gives no channel has none; some know no such word */
        put_word(acl, "resetchannels");
    }
    put_word(acl, "-@all");
    for (size_t i = 0; i < rights_count; i++) {
        if (is_given(acl, i) && !is_put(i)) {
            snprintf(text, sizeof text, "+%s", rights[i].command);
            put_word(acl, text);
        }
    }
}

static void print_rights(const struct acl *acl) {
    put_rights(acl);
    putchar('\n');
}

/* ---- forms ---- */

/* redis-cli, with the address of --redis where it is not redis-cli's own default. Behind Sentinels
 * and in a cluster each Redis has users of its own. */
static void print_client(const struct redis_target *settings) {
    const struct redis_url *url = &settings->redis;
    printf("redis-cli");
    if (url->is_unix) {
        printf(" -s ");
        print_quoted(url->host);
    } else if (url->topology == REDIS_SENTINEL) {
        printf(" -h \"${REDIS_HOST:?is to be set first, to the master and then to each replica}\"");
    } else if (url->topology == REDIS_CLUSTER) {
        printf(
            " -h \"${REDIS_HOST:?is to be set first, to each node of the cluster in turn, replicas "
            "too}\" -p \"${REDIS_PORT:-%u}\"",
            url->seeds[0].port);
    } else if (strcmp(settings->address, "127.0.0.1:6379") != 0) {
        printf(" -h ");
        print_quoted(url->host);
        printf(" -p %u", url->port);
    }
}

/* Redis gets the digest: the password itself would be seen in the list of processes. */
static void print_shell(const struct acl *acl) {
    bool has_digest = acl->digest[0] != '\0';
    if (!has_digest) {
        printf(": \"${REDIS_PASSWORD:?is to be set first}\" && ");
    }
    print_client(&acl->settings);
    printf(" ACL SETUSER ");
    print_quoted(acl->user);
    if (has_digest) {
        printf(" reset on '#%s'", acl->digest);
    } else {
        printf(" reset on \"#$(printf %%s \"$REDIS_PASSWORD\" | sha256sum | cut -c1-64)\"");
        say("put the password into the variable REDIS_PASSWORD first, or give it to "
            "--password-stdin");
    }
    print_rights(acl);
    say("then CONFIG REWRITE (or ACL SAVE, where Redis has an ACL file): a restart of Redis "
        "forgets "
        "the user otherwise");
}

static void print_aclfile(const struct acl *acl) {
    printf("user %s on #%s", acl->user,
           acl->digest[0] != '\0' ? acl->digest : "SHA256-OF-THE-PASSWORD");
    print_rights(acl);
    if (acl->digest[0] == '\0') {
        say("put 64 digits in the place of SHA256-OF-THE-PASSWORD (sha256sum), or give the "
            "password "
            "to --password-stdin");
    }
}

/* The password has a field of its own there. */
static void print_provider(const struct acl *acl) {
    printf("on");
    print_rights(acl);
}

/* The rules as words of ACL SETUSER, those of the form. */
static bool print_json(struct acl *acl) {
    cJSON *document = cJSON_CreateObject();
    cJSON_AddStringToObject(document, "user", acl->user);
    if (acl->digest[0] != '\0') {
        cJSON_AddStringToObject(document, "password_sha256", acl->digest);
    }
    acl->rules = cJSON_AddArrayToObject(document, "rules");
    if (acl->rules == NULL) {
        cJSON_Delete(document);
        say_no_memory();
        return false;
    }
    put_rights(acl);
    return json_print(document);
}

/* ---- reading ---- */

static bool read_form(const char *text, enum form *form) {
    static const char *const names[] = {"shell", "aclfile", "provider"};
    *form = FORM_SHELL;
    for (size_t i = 0; text != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *form = (enum form)i;
            return true;
        }
    }
    if (text != NULL) {
        say("--for: it is shell, aclfile or provider");
    }
    return text == NULL;
}

static bool user_is_valid(const char *user) {
    for (const char *c = user; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f) {
            say("--user: it is visible ASCII without spaces");
            return false;
        }
    }
    return (*user != '\0' && strlen(user) < USER_MAX) || (say("--user: it is a name"), false);
}

static enum status read_password(struct acl *acl) {
    char password[PASSWORD_MAX];
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    size_t size;
    enum status status = STATUS_REFUSED;
    struct crypto *crypto = crypto_new();
    if (crypto == NULL) {
        say_no_memory();
    } else if (input_read_line("password", password, sizeof password, &size) &&
               crypto_sha256(crypto, slice_of(password, size), digest)) {
        hex_encode(digest, sizeof digest, acl->digest);
        status = STATUS_DONE;
    }
    crypto_wipe(password, sizeof password);
    crypto_free(crypto);
    return status;
}

enum status acl(const struct arguments *arguments) {
    static void (*const print[])(const struct acl *acl) = {print_shell, print_aclfile,
                                                           print_provider};
    const char *user = arguments_value(arguments, "--user");
    struct acl acl = {.user = user == NULL ? "mintd" : user,
                      .waits_for_files = arguments_has(arguments, "--waitaof"),
                      .has_clients_file = arguments_has(arguments, "--clients-file")};
    if (!read_form(arguments_value(arguments, "--for"), &acl.form) || !user_is_valid(acl.user)) {
        return STATUS_USAGE;
    }
    enum status status = settings_read(&acl.settings, arguments);
    if (status == STATUS_DONE && arguments_has(arguments, "--password-stdin")) {
        status = read_password(&acl);
    }
    if (status == STATUS_DONE && arguments_has(arguments, "--json")) {
        status = print_json(&acl) ? STATUS_DONE : STATUS_REFUSED;
    } else if (status == STATUS_DONE) {
        print[acl.form](&acl);
    }
    redis_target_fini(&acl.settings);
    return status;
}
