#include "client_pick.h"
#include "client_view.h"
#include "mintd/clock.h"
#include "mintd/quantity.h"
#include "output.h"

#define SPAN_MAX (100ull * 366 * 86400)

static bool read_order(struct client_pick *pick, const char *word) {
    static const char *const words[] = {[CLIENT_BY_ID] = "id",
                                        [CLIENT_BY_USE] = "used",
                                        [CLIENT_BY_END] = "expires",
                                        [CLIENT_BY_MAKING] = "created"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (word == NULL || strcmp(word, words[i]) == 0) {
            pick->order = (enum client_order)i;
            return true;
        }
    }
    say("--sort: it is id, used, expires or created");
    return false;
}

static bool read_span(const struct arguments *arguments, const char *flag,
                      unsigned long long *seconds) {
    const char *text = arguments_value(arguments, flag);
    *seconds = 0;
    if (text == NULL ||
        (quantity_seconds(slice_of_string(text), SPAN_MAX, seconds) && *seconds != 0)) {
        return true;
    }
    say("%s: it is a time like 12h, 7d or 90d", flag);
    return false;
}

enum status client_pick_read(struct client_pick *pick, const struct arguments *arguments) {
    pick->filter = arguments_value(arguments, "--filter");
    return read_order(pick, arguments_value(arguments, "--sort")) &&
                   read_span(arguments, "--unused-for", &pick->unused_for_s) &&
                   read_span(arguments, "--expiring-in", &pick->expiring_in_s)
               ? STATUS_DONE
               : STATUS_USAGE;
}

/* ---- times ---- */

/* The next end of a secret that is still accepted; UINT64_MAX: none ends. */
static uint64_t next_end(const struct client_record *record) {
    struct secret_view view;
    uint64_t first = UINT64_MAX;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        bool ends = client_view_secret(record, n, &view) && view.expires != 0 && !view.is_expired;
        first = ends && view.expires < first ? view.expires : first;
    }
    return first;
}

static uint64_t last_made(const struct client_record *record) {
    struct secret_view view;
    uint64_t last = client_number(client_field(record, "created"));
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        bool is_later = client_view_secret(record, n, &view) && view.made > last;
        last = is_later ? view.made : last;
    }
    return last;
}

static uint64_t time_or_last(uint64_t time) {
    return time == 0 ? UINT64_MAX : time;
}

uint64_t client_pick_time(const struct client_pick *pick, const struct client_record *record) {
    switch (pick->order) {
    case CLIENT_BY_USE:
        return time_or_last(client_last_used(record));
    case CLIENT_BY_END:
        return next_end(record);
    case CLIENT_BY_MAKING:
        return time_or_last(client_number(client_field(record, "created")));
    case CLIENT_BY_ID:
        break;
    }
    return 0;
}

/* ---- which ---- */

static bool has_text(const char *text, struct slice field) {
    return !slice_is_absent(field) && strcasestr(field.data, text) != NULL;
}

static bool is_unused(const struct client_pick *pick, const struct client_record *record) {
    uint64_t used = client_last_used(record), now = clock_shared_ms() / 1000;
    uint64_t since = used != 0 ? used : last_made(record);
    return since + pick->unused_for_s <= now;
}

static bool ends_soon(const struct client_pick *pick, const struct client_record *record) {
    uint64_t end = next_end(record), now = clock_shared_ms() / 1000;
    return end != UINT64_MAX && end <= now + pick->expiring_in_s;
}

bool client_pick_wants(const struct client_pick *pick, struct slice id,
                       const struct client_record *record) {
    return (pick->filter == NULL || has_text(pick->filter, id) ||
            has_text(pick->filter, client_field(record, "name")) ||
            has_text(pick->filter, client_field(record, "scope"))) &&
           (pick->unused_for_s == 0 || is_unused(pick, record)) &&
           (pick->expiring_in_s == 0 || ends_soon(pick, record));
}
