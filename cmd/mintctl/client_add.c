/* client_add.c: mintctl client add. */
#include "client_settings.h"
#include "mintd/clock.h"
#include "output.h"
#include "secret.h"

#define LIST_MAX (OAUTH_AUDIENCE_MAX + 64u)

/* The values of a repeatable option as a list separated by spaces; absent where there is none. */
static struct slice join(const struct arguments *arguments, const char *flag, struct buffer *list) {
    unsigned place = 0;
    const char *value;
    while ((value = arguments_next(arguments, flag, &place)) != NULL) {
        if (list->size != 0) {
            buffer_append_char(list, ' ');
        }
        buffer_append(list, slice_of_string(value));
    }
    return list->size == 0 && !list->overflow ? SLICE_ABSENT : buffer_slice(list);
}

static enum status read_settings(const struct arguments *arguments,
                                 struct client_settings *settings, struct buffer *audience,
                                 struct buffer *permissions) {
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    struct slice *values = settings->values;
    values[CLIENT_NAME] = slice_of_string(arguments_value(arguments, "--name"));
    values[CLIENT_SCOPE] = slice_of_string(arguments_value(arguments, "--scope"));
    values[CLIENT_DEFAULT_SCOPE] = slice_of_string(arguments_value(arguments, "--default-scope"));
    values[CLIENT_TTL] = slice_of_string(arguments_value(arguments, "--ttl"));
    values[CLIENT_MAX_TTL] = slice_of_string(arguments_value(arguments, "--max-ttl"));
    values[CLIENT_AUDIENCE] = join(arguments, "--audience", audience);
    values[CLIENT_PERMISSIONS] = join(arguments, "--permission", permissions);
    if (audience->overflow || permissions->overflow) {
        say("--audience and --permission: 1024 bytes at most together");
        return STATUS_USAGE;
    }
    if (!client_settings_check(settings, &error)) {
        storage[error.size] = '\0';
        say("%s", storage);
        return STATUS_USAGE;
    }
    return STATUS_DONE;
}

static enum status describe_new_client(const struct client_settings *settings,
                                       const struct secret *secret, struct client_edit *edit) {
    struct crypto *crypto = crypto_new();
    uint64_t generation = 0, now = clock_wall_ms() / 1000;
    bool is_random = crypto != NULL && secret_random_generation(crypto, &generation);
    crypto_free(crypto);
    if (!is_random) {
        say("the client cannot be made: the random generator fails");
        return STATUS_REFUSED;
    }
    client_edit_init(edit);
    client_settings_edit(settings, NULL, edit);
    client_edit_set(edit, S("secret:1"), slice_of_string(secret->stored));
    client_edit_set_number(edit, S("secret:1:made"), now);
    client_edit_set_number(edit, S("gen"), generation);
    client_edit_set_number(edit, S("created"), now);
    return STATUS_DONE;
}

static enum status add(struct redis *redis, struct slice id, const struct client_settings *settings,
                       const struct secret *secret) {
    struct client_edit edit;
    bool made;
    enum status status = describe_new_client(settings, secret, &edit);
    if (status == STATUS_DONE) {
        status = client_make(redis, id, &edit, &made);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    if (!made) {
        say("%.*s: there is a client of that name already: mintctl client show tells what it has",
            (int)id.size, id.data);
        return STATUS_REFUSED;
    }
    status = secret_print(secret, id);
    say("%.*s: made%s", (int)id.size, id.data,
        secret->is_made ? "; its secret is shown this once" : "");
    redis_settle(redis);
    return status;
}

enum status client_add(const struct arguments *arguments) {
    char audience_storage[LIST_MAX], permissions_storage[LIST_MAX];
    struct buffer audience = buffer_of(audience_storage, sizeof audience_storage);
    struct buffer permissions = buffer_of(permissions_storage, sizeof permissions_storage);
    struct client_settings settings;
    struct redis *redis = NULL;
    struct secret secret = {.crypto = NULL};
    struct slice id;
    if (!client_id_read(arguments->operands[0], &id)) {
        return STATUS_USAGE;
    }
    enum status status = read_settings(arguments, &settings, &audience, &permissions);
    if (status == STATUS_DONE) {
        status = redis_open(arguments, REDIS_OUR_LAYOUT, &redis);
    }
    if (status == STATUS_DONE) {
        status = secret_get(&secret, arguments);
    }
    if (status == STATUS_DONE) {
        status = add(redis, id, &settings, &secret);
    }
    secret_fini(&secret);
    redis_close(redis);
    return status;
}
