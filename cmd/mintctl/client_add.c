/* client_add.c: mintctl client add. */
#include "client_options.h"
#include "mintd/clock.h"
#include "new_secret.h"
#include "output.h"
#include "settings.h"

static enum status read_settings(struct client_options *options,
                                 const struct arguments *arguments) {
    char storage[256];
    struct buffer error = buffer_of(storage, sizeof storage - 1);
    enum status status = client_options_read(options, arguments);
    if (status == STATUS_DONE && !client_settings_check(&options->settings, &error)) {
        storage[error.size] = '\0';
        say("%s", storage);
        status = STATUS_USAGE;
    }
    return status;
}

static enum status describe_new_client(const struct client_settings *settings,
                                       const struct secret *secret, struct client_edit *edit) {
    struct crypto *crypto = crypto_new();
    uint64_t generation = 0, now = clock_shared_ms() / 1000;
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
                       const struct secret *secret, bool as_json) {
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
    status = new_secret_print(secret, id, as_json, &(struct new_secret_place){.number = 1});
    say("%.*s: made%s", (int)id.size, id.data,
        secret->is_made ? "; its secret is shown this once" : "");
    client_settle(redis, id, true);
    return status;
}

enum status client_add(const struct arguments *arguments) {
    struct client_options options;
    struct redis *redis = NULL;
    struct secret secret = {.crypto = NULL};
    struct slice id;
    if (!client_id_read(arguments->operands[0], &id)) {
        return STATUS_USAGE;
    }
    enum status status = read_settings(&options, arguments);
    if (status == STATUS_DONE) {
        status = open_redis(arguments, REDIS_OUR_LAYOUT, &redis);
    }
    if (status == STATUS_DONE) {
        status = new_secret_get(&secret, arguments);
    }
    if (status == STATUS_DONE) {
        status = add(redis, id, &options.settings, &secret, arguments_has(arguments, "--json"));
    }
    secret_fini(&secret);
    redis_close(redis);
    return status;
}
