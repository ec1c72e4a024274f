/* doctor_slots.c: the map of a cluster: whether each slot has a node, as all nodes see it, and what
 * the map calls the nodes. */
#include "doctor.h"
#include "output.h"
#include <stdlib.h>

#define SLOTS 16384u
#define IDS_MAX 1024u
#define ID_SIZE 40u

struct map {
    unsigned views;             /* nodes that have told theirs */
    uint16_t owner[SLOTS];      /* 1 + the number of an id; 0: none */
    bool is_disputed[SLOTS];    /* two of the nodes name different ones */
    char ids[IDS_MAX][ID_SIZE]; /* of owners */
    bool has_name[IDS_MAX];     /* the map has a name of it, not its address alone */
    size_t count;
    const struct node *down; /* the first that says that the cluster is; NULL: none does */
};

/* ---- reading ---- */

/* The number of an id, found or new; IDS_MAX: there is no room. */
static size_t number_of(struct map *map, struct slice id) {
    for (size_t i = 0; i < map->count; i++) {
        if (slice_equal(slice_of(map->ids[i], ID_SIZE), id)) {
            return i;
        }
    }
    if (map->count < IDS_MAX && id.size == ID_SIZE) {
        memcpy(map->ids[map->count++], id.data, ID_SIZE);
        return map->count - 1;
    }
    return IDS_MAX;
}

static bool is_address(struct slice host) {
    for (size_t i = 0; i < host.size; i++) {
        if ((host.data[i] < '0' || host.data[i] > '9') && host.data[i] != '.') {
            return memchr(host.data, ':', host.size) != NULL;
        }
    }
    return true;
}

/* [endpoint, port, id, [further names]]: either the endpoint is a name, or a further one. */
static bool has_name(const struct value *node) {
    struct slice hostname =
        node->count > 3 ? value_find_text(&node->items[3], S("hostname")) : SLICE_ABSENT;
    return hostname.size != 0 || !is_address(node->items[0].text);
}

/* [first, last, node, replicas ...] */
static void read_range(struct map *map, const struct value *range) {
    bool fits = range->kind == REDIS_VALUE_LIST && range->count >= 3 &&
                range->items[2].kind == REDIS_VALUE_LIST && range->items[2].count >= 3;
    int64_t first = fits ? range->items[0].number : 0, last = fits ? range->items[1].number : -1;
    size_t number = fits ? number_of(map, range->items[2].items[2].text) : IDS_MAX;
    if (number == IDS_MAX || first < 0 || last >= (int64_t)SLOTS) {
        return;
    }
    map->has_name[number] |= has_name(&range->items[2]);
    for (int64_t slot = first; slot <= last; slot++) {
        map->is_disputed[slot] |=
            map->owner[slot] != 0 && map->owner[slot] != (uint16_t)(number + 1);
        map->owner[slot] = (uint16_t)(number + 1);
    }
}

static void ask_for_state(struct doctor *doctor, struct map *map) {
    const struct slice arguments[] = {S("CLUSTER"), S("INFO")};
    struct info info = {doctor_ask(doctor, arguments, 2)};
    if (map->down == NULL && slice_equal(info_field(&info, "cluster_state"), S("fail"))) {
        map->down = doctor->at;
    }
    info_fini(&info);
}

/* Of a node that may be asked; one that is away has been told. */
static void read_view(struct doctor *doctor, struct map *map) {
    const struct slice arguments[] = {S("CLUSTER"), S("SLOTS")};
    struct value *reply = doctor_ask(doctor, arguments, 2);
    if (value_is(reply, REDIS_VALUE_LIST)) {
        map->views++;
        for (size_t i = 0; i < reply->count; i++) {
            read_range(map, &reply->items[i]);
        }
    }
    value_free(reply);
}

/* NULL, said: no memory. */
static struct map *read_map(struct doctor *doctor) {
    struct map *map = calloc(1, sizeof *map);
    if (map == NULL) {
        say_no_memory();
        return NULL;
    }
    for (unsigned i = 0; i < doctor->nodes.count; i++) {
        if (!doctor->nodes.items[i].is_away) {
            doctor->at = &doctor->nodes.items[i];
            read_view(doctor, map);
        }
    }
    doctor->at = NULL;
    return map;
}

/* ---- the slots ---- */

static void judge(struct doctor *doctor, const struct map *map) {
    unsigned without = 0, disputed = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        without += map->owner[slot] == 0;
        disputed += map->is_disputed[slot];
    }
    if (map->views == 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "slots",
                    "see that each slot has a node (redis-cli --cluster check)",
                    "the user of --redis may not ask CLUSTER SLOTS");
    } else if (without != 0) {
        doctor_find(doctor, FINDING_PROBLEM, "slots", "redis-cli --cluster fix gives them nodes",
                    "%u of %u have no node: mintd answers 503 for their keys", without, SLOTS);
    } else if (map->down != NULL) {
        doctor_find(doctor, FINDING_PROBLEM, "slots",
                    "bring the nodes back that are away; with cluster-require-full-coverage no the "
                    "others answer for their keys meanwhile",
                    "%s says that the cluster is down: it answers for no key", map->down->name);
    } else if (disputed != 0) {
        doctor_find(doctor, FINDING_WARNING, "slots",
                    "look again in a moment; where it stays, redis-cli --cluster check tells more",
                    "the nodes do not agree on who has %u of them: they are being moved, or the "
                    "cluster is split",
                    disputed);
    } else {
        doctor_find(doctor, FINDING_OK, "slots", NULL, "each of %u has a node", SLOTS);
    }
}

bool doctor_look_at_slots(struct doctor *doctor) {
    struct map *map = read_map(doctor);
    if (map == NULL) {
        doctor->is_short_of_memory = true;
        return true;
    }
    for (unsigned i = 0; i < doctor->nodes.count; i++) {
        if (!doctor->nodes.items[i].is_away) {
            doctor->at = &doctor->nodes.items[i];
            ask_for_state(doctor, map);
        }
    }
    doctor->at = NULL;
    judge(doctor, map);
    free(map);
    return true;
}

/* ---- names, for certificates ---- */

static void judge_names(struct doctor *doctor, const struct map *map) {
    unsigned nameless = 0;
    for (size_t i = 0; i < map->count; i++) {
        nameless += !map->has_name[i];
    }
    if (map->views == 0) {
        doctor_find(doctor, FINDING_NOT_CHECKED, "names", NULL,
                    "the user of --redis may not ask CLUSTER SLOTS");
    } else if (nameless != 0) {
        doctor_find(
            doctor, FINDING_WARNING, "names",
            "CONFIG SET cluster-announce-hostname NAME on each node, or --redis-tls-name "
            "where all have one name",
            "the map has no name of %u of %zu nodes: their certificates have to be for their "
            "addresses, also that of a replica that takes over",
            nameless, map->count);
    } else {
        doctor_find(doctor, FINDING_OK, "names", NULL, "the map has a name of each node");
    }
}

bool doctor_look_at_names(struct doctor *doctor) {
    const struct redis_target *settings = redis_target_of(doctor->redis);
    if (settings->context == NULL || settings->tls.believes_all || settings->tls.name.size != 0) {
        return true;
    }
    struct map *map = read_map(doctor);
    if (map == NULL) {
        doctor->is_short_of_memory = true;
        return true;
    }
    judge_names(doctor, map);
    free(map);
    return true;
}
