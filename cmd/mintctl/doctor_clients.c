/* doctor_clients.c: the generation of everybody, and the records of all clients: those that mintd
 * can make no sense of. */
#include "clients/client_ids.h"
#include "clients/client_walk.h"
#include "clients/flaw.h"
#include "doctor.h"
#include "output.h"
#include "token_record.h"

#define NAMED_MAX 300u /* bytes of their ids; the others are counted */

struct census {
    const struct client_ids *ids;
    size_t known, unreadable, named, unanswered;
    struct buffer list;
    char storage[NAMED_MAX];
};

static struct slice id_of(void *context, size_t number) {
    const struct census *census = context;
    return slice_of_string(census->ids->items[number]);
}

static enum status visit(void *context, size_t number, const struct client_record *record) {
    struct census *census = context;
    struct slice id = id_of(census, number);
    census->known += record->is_known || record->is_no_hash;
    if (record->is_no_hash || (record->is_known && !record->is_readable)) {
        census->unreadable++;
        buffer_append_format(&census->list, "%s%.*s%s", census->named == 0 ? "" : ", ",
                             (int)id.size, id.data, record->is_no_hash ? " (no hash)" : "");
        census->named += !census->list.overflow;
    }
    return STATUS_DONE;
}

static void judge(struct doctor *doctor, const struct census *census) {
    char more[40] = "";
    if (census->unreadable > census->named) {
        snprintf(more, sizeof more, " and %zu more", census->unreadable - census->named);
    }
    if (census->unanswered != 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "clients", NULL,
                    "%zu of them: the node that has them does not answer", census->unanswered);
    }
    if (census->unreadable == 0 && census->unanswered == 0) {
        doctor_find(doctor, FINDING_OK, "clients", NULL, "%zu, all readable", census->known);
    } else if (census->unreadable != 0) {
        doctor_find(doctor, FINDING_PROBLEM, "clients",
                    "mintctl client show tells what is wrong with one; client remove takes it away",
                    "%zu of %zu unreadable: mintd answers 503 for them: %.*s%s", census->unreadable,
                    census->known, (int)census->list.size, census->list.data, more);
    }
}

bool doctor_look_at_clients(struct doctor *doctor) {
    struct client_ids ids;
    struct census census = {.ids = &ids};
    enum client_ids_obstacle obstacle;
    census.list = buffer_of(census.storage, sizeof census.storage);
    enum status status = client_ids_read(doctor->redis, &ids, &obstacle);
    if (status == STATUS_DONE && obstacle == CLIENT_IDS_NOT_ALLOWED) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "clients", NULL,
                    "the user of --redis may not SSCAN");
    } else if (status == STATUS_DONE && obstacle == CLIENT_IDS_NO_SET) {
        doctor_find_flaw(doctor, FINDING_PROBLEM, "clients", S(OAUTH_KEY_CLIENTS));
    } else if (status == STATUS_DONE) {
        status =
            client_walk(doctor->redis, &(struct client_walk){.count = ids.count,
                                                             .id = id_of,
                                                             .visit = visit,
                                                             .context = &census,
                                                             .unanswered = &census.unanswered});
        if (status == STATUS_DONE) {
            judge(doctor, &census);
        }
    }
    client_ids_fini(&ids);
    return status == STATUS_DONE;
}

bool doctor_look_at_generation(struct doctor *doctor) {
    uint64_t generation = 0;
    char storage[REDIS_KEY_MAX];
    const struct slice arguments[] = {
        S("GET"), redis_key(doctor->redis, OAUTH_KEY_GENERATION, S(""), storage)};
    struct value *reply = redis_try(doctor->redis, arguments, 2);
    if (reply == NULL) {
        return false;
    }
    if (generation_of(reply, &generation)) {
        doctor_find(doctor, FINDING_OK, "generation", NULL, "%llu, that of everybody",
                    (unsigned long long)generation);
    } else if (reply->kind == REDIS_VALUE_ERROR && !flaw_is_meant(reply->text)) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "generation", NULL,
                    "the user of --redis may not GET it");
    } else {
        doctor_find_flaw(doctor, FINDING_PROBLEM, "generation", S(OAUTH_KEY_GENERATION));
    }
    value_free(reply);
    return true;
}
