/* client_list.c: mintctl client list: all clients, a line each; nothing is kept of those that were
 * printed. */
#include "client_pick.h"
#include "client_view.h"
#include "clients/client_ids.h"
#include "clients/client_walk.h"
#include "settings.h"
#include <stdlib.h>

struct place {
    uint64_t time;
    size_t number; /* of the name */
};

struct listing {
    struct redis *redis;
    const struct client_ids *ids;
    struct client_pick pick;
    struct place *places; /* in order; NULL: that of the ids */
    bool as_json;
    int width;
    size_t printed, unreadable, unanswered;
};

static int widest(const struct client_ids *ids) {
    size_t width = 2;
    for (size_t i = 0; i < ids->count; i++) {
        width = strlen(ids->items[i]) > width ? strlen(ids->items[i]) : width;
    }
    return (int)width;
}

static void print_line(struct slice id, int width, const struct client_record *record) {
    char used[TIME_TEXT] = "-", scope[2048];
    struct secret_view view;
    unsigned accepted = 0;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        accepted += client_view_secret(record, n, &view) && !view.is_expired;
    }
    if (client_last_used(record) != 0) {
        time_text(client_last_used(record), used);
    }
    printf("%.*s%*s  ", (int)id.size, id.data, width - (int)id.size, "");
    print_coloured(client_colour(record), client_state(record), 10);
    printf("  %7u  %-20s  %s\n", accepted, used,
           visible(client_field(record, "scope"), scope, sizeof scope));
}

/* ---- going through ---- */

static void print_head(const struct listing *l) {
    if (l->as_json) {
        printf("{\"clients\": [");
    } else {
        printf("%-*s  %-10s  %7s  %-20s  %s\n", l->width, "ID", "STATE", "SECRETS", "LAST USED",
               "SCOPE");
    }
}

static enum status print_one(struct listing *l, struct slice id,
                             const struct client_record *record) {
    if (!l->as_json) {
        print_line(id, l->width, record);
        return STATUS_DONE;
    }
    char *text = json_line(client_json(id, record));
    if (text == NULL) {
        return STATUS_REFUSED;
    }
    printf("%s\n  %s", l->printed == 0 ? "" : ",", text);
    cJSON_free(text);
    return STATUS_DONE;
}

static struct slice id_of(void *context, size_t number) {
    const struct listing *l = context;
    return slice_of_string(l->ids->items[l->places == NULL ? number : l->places[number].number]);
}

/* Clients that went away in between are left out. */
static enum status visit(void *context, size_t number, const struct client_record *record) {
    struct listing *l = context;
    struct slice id = id_of(l, number);
    if ((!record->is_known && !record->is_no_hash) || !client_pick_wants(&l->pick, id, record)) {
        return STATUS_DONE;
    }
    enum status status = print_one(l, id, record);
    l->printed++;
    if (record->is_no_hash) {
        client_no_hash(l->redis, id);
    } else if (!record->is_readable) {
        say("%.*s: unreadable: mintd refuses it; mintctl client show %.*s has its fields",
            (int)id.size, id.data, (int)id.size, id.data);
    }
    l->unreadable += !record->is_readable;
    return ferror(stdout) ? STATUS_REFUSED : status; /* nobody reads on */
}

/* ---- sorting by a time: they are read twice, and only the times are kept ---- */

struct timing {
    const struct listing *listing;
    struct place *places;
};

static struct slice id_by_name(void *context, size_t number) {
    const struct timing *t = context;
    return slice_of_string(t->listing->ids->items[number]);
}

static enum status note_time(void *context, size_t number, const struct client_record *record) {
    struct timing *t = context;
    t->places[number].time = client_pick_time(&t->listing->pick, record);
    return STATUS_DONE;
}

static int compare(const void *a, const void *b) {
    const struct place *left = a, *right = b;
    return left->time < right->time       ? -1
           : left->time > right->time     ? 1
           : left->number < right->number ? -1
                                          : 1;
}

static enum status sort_by_time(struct listing *l) {
    size_t count = l->ids->count, unanswered = 0;
    struct timing t = {l, calloc(count + 1, sizeof *t.places)};
    if (t.places == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    for (size_t i = 0; i < count; i++) {
        t.places[i] = (struct place){UINT64_MAX, i};
    }
    enum status status = client_walk(l->redis, &(struct client_walk){.count = count,
                                                                     .id = id_by_name,
                                                                     .visit = note_time,
                                                                     .context = &t,
                                                                     .unanswered = &unanswered});
    qsort(t.places, count, sizeof t.places[0], compare);
    l->places = t.places;
    return status;
}

static enum status list(struct listing *l) {
    l->width = widest(l->ids);
    print_head(l);
    enum status status = client_walk(l->redis, &(struct client_walk){.count = l->ids->count,
                                                                     .id = id_of,
                                                                     .visit = visit,
                                                                     .context = l,
                                                                     .unanswered = &l->unanswered});
    if (l->as_json && status == STATUS_DONE) {
        printf("%s]}\n", l->printed == 0 ? "" : "\n");
    }
    if (status == STATUS_DONE && l->unanswered != 0) {
        say("%zu more are not listed: the node that has them does not answer", l->unanswered);
        return STATUS_REDIS;
    }
    return status == STATUS_DONE && l->unreadable != 0 ? STATUS_REFUSED : status;
}

enum status client_list(const struct arguments *arguments) {
    struct client_ids ids = {0, NULL};
    struct listing l = {.ids = &ids, .as_json = arguments_has(arguments, "--json")};
    enum status status = client_pick_read(&l.pick, arguments);
    if (status == STATUS_DONE) {
        status = open_redis(arguments, REDIS_REPLICA_TOO, &l.redis);
    }
    if (status == STATUS_DONE) {
        status = client_ids_read(l.redis, &ids, NULL);
    }
    if (status == STATUS_DONE && l.pick.order != CLIENT_BY_ID) {
        status = sort_by_time(&l);
    }
    if (status == STATUS_DONE) {
        status = list(&l);
    }
    free(l.places);
    client_ids_fini(&ids);
    redis_close(l.redis);
    return status;
}
