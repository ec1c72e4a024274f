/* client_rotate.c: mintctl client rotate: a new secret beside the others, which get an end. */
#include "clients/client_change.h"
#include "mintd/clock.h"
#include "mintd/quantity.h"
#include "new_secret.h"
#include "output.h"
#include "settings.h"

#define GRACE_DEFAULT "24h"
#define NEVER UINT64_MAX

struct rotation {
    const struct secret *secret;
    uint64_t now, grace;
    unsigned number; /* the slot that the secret got */
};

/* When secret n ends: NEVER where it has no end. */
static uint64_t end_of(const struct client_record *record, unsigned n) {
    uint64_t expires = client_number(client_secret_field(record, n, ":expires"));
    return expires == 0 ? NEVER : expires;
}

/* The slot for the new secret: an empty one, else the one whose secret ended longest ago, once all
 * that go on for ever were given their end. 0: none. */
static unsigned find_slot(const struct client_record *record, const struct rotation *r) {
    unsigned oldest = 0;
    uint64_t oldest_end = NEVER;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        if (slice_is_absent(client_secret_field(record, n, ""))) {
            return n;
        }
        uint64_t end = end_of(record, n);
        end = end < r->now + r->grace ? end : r->now + r->grace;
        if (end <= r->now && end < oldest_end) {
            oldest = n;
            oldest_end = end;
        }
    }
    return oldest;
}

static void remove_if_there(const struct client_record *record, struct client_edit *edit,
                            unsigned n, const char *part) {
    if (!slice_is_absent(client_secret_field(record, n, part))) {
        client_edit_remove(edit, client_edit_secret_name(edit, n, part));
    }
}

static void end_others(const struct client_record *record, const struct rotation *r,
                       struct client_edit *edit) {
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        if (n != r->number && !slice_is_absent(client_secret_field(record, n, "")) &&
            end_of(record, n) > r->now + r->grace) {
            client_edit_set_number(edit, client_edit_secret_name(edit, n, ":expires"),
                                   r->now + r->grace);
        }
    }
}

static enum status say_full(const struct client_record *record) {
    char text[TIME_TEXT];
    uint64_t first = NEVER;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        first = end_of(record, n) < first ? end_of(record, n) : first;
    }
    say("all four secrets are still accepted%s%s: wait, or end the others now with --grace 0",
        first == NEVER ? "" : "; the first ends at ", first == NEVER ? "" : time_text(first, text));
    return STATUS_REFUSED;
}

static enum status decide(void *context, const struct client_record *record,
                          struct client_edit *edit) {
    struct rotation *r = context;
    r->number = find_slot(record, r);
    if (r->number == 0) {
        return say_full(record);
    }
    client_edit_set(edit, client_edit_secret_name(edit, r->number, ""),
                    slice_of_string(r->secret->stored));
    client_edit_set_number(edit, client_edit_secret_name(edit, r->number, ":made"), r->now);
    remove_if_there(record, edit, r->number, ":expires");
    remove_if_there(record, edit, r->number, ":used");
    end_others(record, r, edit);
    return STATUS_DONE;
}

static enum status rotate(struct redis *redis, struct slice id, struct rotation *rotation,
                          bool as_json) {
    char text[TIME_TEXT];
    const struct client_change change = {decide, rotation};
    rotation->now = clock_shared_ms() / 1000;
    enum status status = client_change(redis, id, &change);
    if (status != STATUS_DONE) {
        return status;
    }
    status = new_secret_print(
        rotation->secret, id, as_json,
        &(struct new_secret_place){.number = rotation->number,
                                   .has_others = true,
                                   .others_until = rotation->now + rotation->grace});
    say("%.*s: secret %u is accepted from now on, the others %s%s", (int)id.size, id.data,
        rotation->number, rotation->grace == 0 ? "are refused" : "until ",
        rotation->grace == 0 ? "" : time_text(rotation->now + rotation->grace, text));
    client_settle(redis, id, false);
    return status;
}

enum status client_rotate(const struct arguments *arguments) {
    const char *grace = arguments_value(arguments, "--grace");
    struct secret secret = {.crypto = NULL};
    struct rotation rotation = {.secret = &secret};
    struct redis *redis = NULL;
    struct slice id;
    if (!client_id_read(arguments->operands[0], &id)) {
        return STATUS_USAGE;
    }
    unsigned long long seconds;
    if (!quantity_seconds(slice_of_string(grace == NULL ? GRACE_DEFAULT : grace), OAUTH_TTL_MAX,
                          &seconds)) {
        say("--grace: it is a time like 90s, 30m, 24h or 7d, or 0; 366d at most");
        return STATUS_USAGE;
    }
    rotation.grace = seconds;
    enum status status = open_redis(arguments, REDIS_OUR_LAYOUT, &redis);
    if (status == STATUS_DONE) {
        status = new_secret_get(&secret, arguments);
    }
    if (status == STATUS_DONE) {
        status = rotate(redis, id, &rotation, arguments_has(arguments, "--json"));
    }
    secret_fini(&secret);
    redis_close(redis);
    return status;
}
