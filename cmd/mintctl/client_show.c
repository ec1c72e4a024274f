/* client_show.c: mintctl client show: one client, without the hashes of its secrets. */
#include "client_view.h"
#include "clients/client_settings.h"
#include "settings.h"

static void print_row(const char *word, struct slice value) {
    char text[2048];
    if (!slice_is_absent(value)) {
        printf("%-15s %s\n", word, visible(value, text, sizeof text));
    }
}

static void print_time_row(const char *word, struct slice value) {
    char text[TIME_TEXT];
    if (client_number(value) != 0) {
        printf("%-15s %s\n", word, time_text(client_number(value), text));
    }
}

static void print_secret_time(const char *word, uint64_t time) {
    char text[TIME_TEXT];
    if (time != 0) {
        printf(", %s %s", word, time_text(time, text));
    }
}

static void print_secrets(const struct client_record *record) {
    struct secret_view view;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        if (!client_view_secret(record, n, &view)) {
            continue;
        }
        printf("secret %-8u %s", n, view.kind);
        print_secret_time("made", view.made);
        print_secret_time("used", view.used);
        print_secret_time("expires", view.expires);
        if (view.is_expired) {
            print_coloured(COLOUR_YELLOW, " (expired)", 0);
        }
        printf("\n");
    }
}

static void print_client(struct slice id, const struct client_record *record) {
    print_row("id", id);
    printf("%-15s ", "state");
    print_coloured(client_colour(record), client_state(record), 0);
    printf("\n");
    for (unsigned i = 0; i < CLIENT_SETTING_COUNT; i++) {
        print_row(client_setting_word(i), client_field(record, client_setting_field(i)));
    }
    print_row("grants", client_field(record, "grants"));
    print_row("generation", client_field(record, "gen"));
    print_time_row("created", client_field(record, "created"));
    print_secrets(record);
}

static enum status show(const struct arguments *arguments, struct redis *redis, struct slice id,
                        const struct client_record *record) {
    enum status status = STATUS_DONE;
    if (!record->is_known && !record->is_no_hash) {
        return client_unknown(id);
    }
    if (!arguments_has(arguments, "--json")) {
        print_client(id, record);
    } else if (!json_print(client_json(id, record))) {
        status = STATUS_REFUSED;
    }
    return record->is_no_hash ? client_no_hash(redis, id) : status;
}

enum status client_show(const struct arguments *arguments) {
    struct client_record record;
    struct redis *redis = NULL;
    struct slice id;
    if (!client_id_read(arguments->operands[0], &id)) {
        return STATUS_USAGE;
    }
    enum status status = open_redis(arguments, REDIS_REPLICA_TOO, &redis);
    if (status == STATUS_DONE) {
        status = client_record_look(redis, id, &record);
    }
    if (status == STATUS_DONE) {
        status = show(arguments, redis, id, &record);
        client_record_fini(&record);
    }
    redis_close(redis);
    return status;
}
