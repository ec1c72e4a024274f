#include "clients/client_ids.h"
#include "clients/flaw.h"
#include "mintd/say.h"
#include "oauth/oauth_internal.h"
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 256u
#define PAGE "500" /* a reply has about as many ids, and the link reads 1,000 of one */

static bool add(struct client_ids *ids, size_t *room, struct slice id) {
    if (!oauth_client_id_is_valid(id)) {
        return true; /* no client of mintd's can have it */
    }
    if (ids->count == *room) {
        size_t wanted = *room == 0 ? FIRST_ROOM : 2 * *room;
        char **items = realloc(ids->items, wanted * sizeof *items);
        if (items == NULL) {
            return false;
        }
        ids->items = items;
        *room = wanted;
    }
    char *copy = strndup(id.data, id.size);
    if (copy == NULL) {
        return false;
    }
    ids->items[ids->count++] = copy;
    return true;
}

/* SSCAN replies with the next cursor and some members. */
static bool add_page(struct client_ids *ids, size_t *room, const struct value *page) {
    const struct value *members = &page->items[1];
    for (size_t i = 0; i < members->count; i++) {
        if (!add(ids, room, members->items[i].text)) {
            return false;
        }
    }
    return true;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* SSCAN may tell a member twice. */
static void sort_once(struct client_ids *ids) {
    size_t kept = 0;
    if (ids->count == 0) {
        return;
    }
    qsort(ids->items, ids->count, sizeof *ids->items, compare);
    for (size_t i = 0; i < ids->count; i++) {
        if (kept != 0 && strcmp(ids->items[kept - 1], ids->items[i]) == 0) {
            free(ids->items[i]);
        } else {
            ids->items[kept++] = ids->items[i];
        }
    }
    ids->count = kept;
}

static enum status refused(struct redis *redis, struct slice key, struct value *error,
                           enum client_ids_obstacle *obstacle) {
    enum status status = obstacle == NULL ? STATUS_REDIS : STATUS_DONE;
    if (obstacle == NULL) {
        redis_say_refusal(redis, error, STORE_TROUBLE_NONE, key);
    } else {
        *obstacle = flaw_is_meant(error->text) ? CLIENT_IDS_NO_SET : CLIENT_IDS_NOT_ALLOWED;
    }
    value_free(error);
    return status;
}

enum status client_ids_check(struct redis *redis) {
    char storage[REDIS_KEY_MAX];
    const struct slice arguments[] = {S("SSCAN"),
                                      redis_key(redis, OAUTH_KEY_CLIENTS, S(""), storage), S("0"),
                                      S("COUNT"), S("1")};
    struct value *page = redis_try(redis, arguments, 5);
    enum status status = page == NULL ? STATUS_REDIS : STATUS_DONE;
    if (value_is(page, REDIS_VALUE_ERROR) && flaw_is_meant(page->text)) {
        flaw_say(redis, arguments[1]);
        status = STATUS_REDIS;
    }
    value_free(page);
    return status;
}

enum status client_ids_read(struct redis *redis, struct client_ids *ids,
                            enum client_ids_obstacle *obstacle) {
    char storage[REDIS_KEY_MAX], cursor[24] = "0";
    struct slice key = redis_key(redis, OAUTH_KEY_CLIENTS, S(""), storage);
    size_t room = 0;
    *ids = (struct client_ids){0, NULL};
    if (obstacle != NULL) {
        *obstacle = CLIENT_IDS_NO_OBSTACLE;
    }
    do {
        const struct slice arguments[] = {S("SSCAN"), key, slice_of_string(cursor), S("COUNT"),
                                          S(PAGE)};
        struct value *page = redis_try(redis, arguments, 5);
        if (page == NULL) {
            return STATUS_REDIS;
        }
        if (page->kind == REDIS_VALUE_ERROR) {
            return refused(redis, key, page, obstacle);
        }
        bool fits = value_is(page, REDIS_VALUE_LIST) && page->count == 2 &&
                    page->items[0].text.size > 0 && page->items[0].text.size < sizeof cursor;
        bool added = fits && add_page(ids, &room, page);
        snprintf(cursor, sizeof cursor, "%s", fits ? page->items[0].text.data : "0");
        value_free(page);
        if (!fits) {
            return redis_complain("a reply is none to its command");
        }
        if (!added) {
            say_no_memory();
            return STATUS_REFUSED;
        }
    } while (strcmp(cursor, "0") != 0);
    sort_once(ids);
    return STATUS_DONE;
}

void client_ids_fini(struct client_ids *ids) {
    for (size_t i = 0; i < ids->count; i++) {
        free(ids->items[i]);
    }
    free(ids->items);
    *ids = (struct client_ids){0, NULL};
}
