/* client_list.c: mintctl client list: all clients, a line each; nothing is kept of those that were
 * printed. */
#include "client_names.h"
#include "client_view.h"
#include "client_walk.h"

struct listing {
    struct redis *redis;
    const struct client_names *names;
    bool as_json;
    int width;
    size_t printed, unreadable, unanswered;
};

static int widest(const struct client_names *names) {
    size_t width = 2;
    for (size_t i = 0; i < names->count; i++) {
        width = strlen(names->items[i]) > width ? strlen(names->items[i]) : width;
    }
    return (int)width;
}

/* The latest use of any secret; 0: none is known. */
static uint64_t last_used(const struct client_record *record) {
    struct secret_view view;
    uint64_t last = 0;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        if (client_view_secret(record, n, &view) && view.used > last) {
            last = view.used;
        }
    }
    return last;
}

static void print_line(struct slice id, int width, const struct client_record *record) {
    char used[TIME_TEXT] = "-", scope[2048];
    struct secret_view view;
    unsigned accepted = 0;
    for (unsigned n = 1; n <= OAUTH_SECRETS_MAX; n++) {
        accepted += client_view_secret(record, n, &view) && !view.is_expired;
    }
    if (last_used(record) != 0) {
        time_text(last_used(record), used);
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
    cJSON *json = client_json(id, record);
    char *text = json == NULL ? NULL : cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (text == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    printf("%s\n  %s", l->printed == 0 ? "" : ",", text);
    cJSON_free(text);
    return STATUS_DONE;
}

static struct slice id_of(void *context, size_t number) {
    const struct listing *l = context;
    return slice_of_string(l->names->items[number]);
}

/* Clients that went away in between are left out. */
static enum status visit(void *context, size_t number, const struct client_record *record) {
    struct listing *l = context;
    struct slice id = id_of(l, number);
    if (!record->is_known && !record->is_no_hash) {
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

static enum status list(struct listing *l) {
    l->width = widest(l->names);
    print_head(l);
    enum status status = client_walk(l->redis, &(struct client_walk){.count = l->names->count,
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
    struct client_names names = {0, NULL};
    struct listing l = {.names = &names, .as_json = arguments_has(arguments, "--json")};
    enum status status = redis_open(arguments, REDIS_REPLICA_TOO, &l.redis);
    if (status == STATUS_DONE) {
        status = client_names_read(l.redis, &names, NULL);
    }
    if (status == STATUS_DONE) {
        status = list(&l);
    }
    client_names_fini(&names);
    redis_close(l.redis);
    return status;
}
