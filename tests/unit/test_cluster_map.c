/* A cluster without a link: the slot of a key, what a node may say of slots, whom the views make
 * the owner of one, what is forgotten then; and what MOVED and ASK say. */
#include "mintd/log.h"
#include "store/link/reply.h"
#include "store/redis/cluster_internal.h"
#include "unit/unit.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define NODES 3u

/* ---- the slot of a key ---- */

/* As CLUSTER KEYSLOT of Redis 7.0 says. */
static void test_slots_are_those_of_redis(void **state) {
    static const struct {
        struct slice key;
        unsigned slot;
    } known[] = {
        {SLICE(""), 0},
        {SLICE("123456789"), 0x31c3}, /* the check value of CRC-16/XMODEM */
        {SLICE("foo"), 12182},
        {SLICE("bar"), 5061},
        {SLICE("hello"), 866},
        {SLICE("user1000"), 3443},
        {SLICE("{user1000}.following"), 3443},
        {SLICE("foo{}{bar}"), 8363},
        {SLICE("foo{{bar}}zap"), 4015},
        {SLICE("foo{bar}{zap}"), 5061},
        {SLICE("{}"), 15257},
        {SLICE("a{"), 14311},
        {SLICE("a}"), 5921},
        {SLICE("}{x}"), 16287},
        {SLICE("\377\000\200"), 7915},
        {SLICE("mintd:generation"), 6971},
        {SLICE("mintd:client:svc-a"), 2344},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct slice key = known[i].key;
        for (size_t cut = 0; cut <= key.size; cut++) { /* whatever of it is the prefix */
            assert_int_equal(cluster_slot(slice_of(key.data, cut), slice_skip(key, cut)),
                             known[i].slot);
        }
        assert_int_equal(cluster_slot(SLICE_ABSENT, key), known[i].slot);
    }
}

static void test_longest_key_has_a_slot(void **state) {
    char prefix[PREFIX_MAX], key[STORE_KEY_MAX];
    (void)state;
    memset(prefix, '{', sizeof prefix);
    memset(key, 'k', sizeof key);
    unsigned open = cluster_slot(slice_of(prefix, sizeof prefix), slice_of(key, sizeof key));
    key[sizeof key - 1] = '}'; /* the tag is all that lies between the first brace and this one */
    unsigned tagged = cluster_slot(slice_of(prefix, sizeof prefix), slice_of(key, sizeof key));
    unsigned tag =
        cluster_slot(slice_of(prefix + 1, sizeof prefix - 1), slice_of(key, sizeof key - 1));
    assert_int_not_equal(open, tagged);
    assert_int_equal(tagged, tag);
}

/* ---- what MOVED and ASK say ---- */

static void assert_redirect(struct slice error, enum redirect_kind kind, unsigned slot,
                            struct slice host, unsigned port) {
    struct redirect redirect = redirect_read(error);
    assert_int_equal(redirect.kind, kind);
    if (kind == REDIRECT_MOVED || kind == REDIRECT_ASK) {
        assert_int_equal(redirect.slot, slot);
        assert_slice(redirect.host, host);
        assert_int_equal(redirect.port, port);
    }
}

static void test_redirects_are_read(void **state) {
    (void)state;
    assert_redirect(S("MOVED 1 h:6379"), REDIRECT_MOVED, 1, S("h"), 6379);
    assert_redirect(S("ASK 16383 10.0.0.1:1"), REDIRECT_ASK, 16383, S("10.0.0.1"), 1);
    assert_redirect(S("MOVED 0 [::1]:65535"), REDIRECT_MOVED, 0, S("::1"), 65535);
    assert_redirect(S("MOVED 1 ::1:6379"), REDIRECT_MOVED, 1, S("::1"), 6379);
    assert_redirect(S("MOVED 1 :6379"), REDIRECT_MOVED, 1, S(""), 6379);
    assert_redirect(S("MOVED 1 []:6379"), REDIRECT_MOVED, 1, S(""), 6379);
    assert_redirect(S("MOVED 1 h:6379 more"), REDIRECT_MOVED, 1, S("h"), 6379);
    assert_redirect(S("TRYAGAIN Multiple keys"), REDIRECT_AGAIN, 0, S(""), 0);
    assert_redirect(S("TRYAGAIN"), REDIRECT_AGAIN, 0, S(""), 0);
}

static void test_redirects_that_make_no_sense(void **state) {
    static const struct slice texts[] = {
        SLICE(""),
        SLICE(" "),
        SLICE("MO"),
        SLICE("MOVED"),
        SLICE("MOVED "),
        SLICE("MOVED 1"),
        SLICE("MOVED 1 "),
        SLICE("MOVED  1 h:1"),
        SLICE("MOVED 16384 h:1"),
        SLICE("MOVED -1 h:1"),
        SLICE("MOVED 1x h:1"),
        SLICE("MOVED 99999999999999999999 h:1"),
        SLICE("MOVED 1 h"),
        SLICE("MOVED 1 h:"),
        SLICE("MOVED 1 h:0"),
        SLICE("MOVED 1 h:65536"),
        SLICE("MOVED 1 h:6379x"),
        SLICE("MOVED 1 [::1]"),
        SLICE("MOVED 1 ?:6379"),
        SLICE("moved 1 h:1"),
        SLICE("MOVEDx 1 h:1"),
        SLICE("ASK 1 :"),
        SLICE("CLUSTERDOWN Hash slot not served"),
        SLICE("CROSSSLOT Keys in request don't hash to the same slot"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_redirect(texts[i], REDIRECT_NONE, 0, S(""), 0);
    }
    assert_redirect(SLICE_ABSENT, REDIRECT_NONE, 0, S(""), 0);
}

/* ---- nodes that are never spoken to ---- */

struct world {
    uv_loop_t loop;
    struct store_metrics metrics;
    struct redis_store *store;
    struct reply_reader *reader;
    struct redis_node *nodes[NODES]; /* a, b, c */
    uint64_t moment;                 /* of the next view */
};

static struct redis_node *meet(struct world *world, char name) {
    char host[2] = {name, '\0'}, id[NODE_ID_SIZE];
    memset(id, name, sizeof id);
    struct redis_node *node =
        cluster_meet(world->store, &(struct node_facts){.host = slice_of_string(host),
                                                        .id = slice_of(id, sizeof id),
                                                        .port = 7000});
    assert_non_null(node);
    return node;
}

static int open_world(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    struct redis_store_options options = {
        .url = {.topology = REDIS_CLUSTER, .is_unix = true, .seed_count = 1},
        .prefix = S("mintd:"),
        .timeout_ms = 600,
        .metrics = &world->metrics,
        .cache_size = 65536,
    };
    snprintf(options.url.seeds[0].host, sizeof options.url.seeds[0].host, "/nowhere/seed");
    assert_int_equal(uv_loop_init(&world->loop), 0);
    world->store = redis_store_of(redis_store_new(&world->loop, &options));
    world->reader = reply_reader_new(32768, 256 * 1024);
    assert_true(world->store != NULL && world->reader != NULL);
    for (unsigned i = 0; i < NODES; i++) {
        world->nodes[i] = meet(world, (char)('a' + (int)i));
    }
    world->moment = 1;
    *state = world;
    return 0;
}

static void on_closed(void *context) {
    *(bool *)context = true;
}

static int close_world(void **state) {
    struct world *world = *state;
    bool closed = false;
    store_close(&world->store->base, on_closed, &closed);
    while (!closed) {
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    store_free(&world->store->base);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    reply_reader_free(world->reader);
    free(world);
    return 0;
}

/* ---- a view, from its text ---- */

/* RESP, with ' ' for the end of a line. */
static bool take(struct world *world, struct redis_node *node, const char *text) {
    static char bytes[256 * 1024];
    const struct reply *reply = NULL;
    size_t size = 0;
    for (const char *at = text; *at != '\0'; at++) {
        assert_true(size + 2 < sizeof bytes);
        if (*at == ' ') {
            bytes[size++] = '\r';
            bytes[size++] = '\n';
        } else {
            bytes[size++] = *at;
        }
    }
    assert_true(reply_reader_reset(world->reader));
    reply_reader_feed(world->reader, slice_of(bytes, size));
    assert_int_equal(reply_reader_next(world->reader, &reply), REPLY_READY);
    return cluster_take_view(node, reply);
}

#define ID_A "$40 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
#define ID_B "$40 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
#define ID_C "$40 cccccccccccccccccccccccccccccccccccccccc "
#define AT_A "*3 $1 a :7000 " ID_A
#define AT_B "*3 $1 b :7000 " ID_B
#define AT_C "*3 $1 c :7000 " ID_C

static void test_views_that_make_sense(void **state) {
    static const struct {
        const char *text;
        unsigned count, first, last, owner;
    } views[] = {
        {"*0 ", 0, 0, 0, 0},
        {"*1 *3 :0 :16383 " AT_B, 1, 0, 16383, 1},
        {"*1 *3 :5 :5 " AT_A, 1, 5, 5, 0},
        {"*2 *3 :9 :10 " AT_B "*3 :0 :8 " AT_A, 2, 0, 8, 0}, /* in any order */
        {"*1 *5 :1 :2 " AT_C AT_A AT_B, 1, 1, 2, 2},         /* replicas behind the master */
        {"*1 *3 :1 :2 *3 _ :7000 " ID_B, 1, 1, 2, 1},        /* known by its id, */
        {"*1 *3 :1 :2 *3 $0  :7000 " ID_B, 1, 1, 2, 1},      /* wherever it is */
        {"*1 *3 :1 :2 *3 $1 ? :7000 " ID_B, 0, 0, 0, 0},     /* nobody knows where */
        {"*1 *3 :1 :2 *4 $1 c :7000 " ID_C "%1 $2 ip $9 127.0.0.1 ", 1, 1, 2, 2},
        {"*1 *3 :1 :2 *4 $1 c :7000 " ID_C "*2 $8 hostname $5 c.org ", 1, 1, 2, 2},
        {"*1 *3 :1 :2 *4 $1 c :7000 " ID_C "*0 ", 1, 1, 2, 2},
    };
    struct world *world = *state;
    struct redis_node *node = world->nodes[0];
    for (size_t i = 0; i < COUNT_OF(views); i++) {
        assert_true(take(world, node, views[i].text));
        assert_true(node->has_view);
        assert_int_equal(node->view_count, views[i].count);
        if (node->view_count != 0) {
            assert_int_equal(node->view[0].first, views[i].first);
            assert_int_equal(node->view[0].last, views[i].last);
            assert_int_equal(node->view[0].node, world->nodes[views[i].owner]->index);
        }
    }
    assert_int_equal(world->store->node_count, NODES); /* nobody was met */
    assert_string_equal(world->nodes[2]->address, "127.0.0.1");
}

static void test_views_that_make_no_sense(void **state) {
    static const char *const texts[] = {
        "_ ",
        ":1 ",
        "$2 no ",
        "%0 ",
        "*1 :1 ",
        "*1 *0 ",
        "*1 *2 :0 :1 ",
        "*1 *3 :2 :1 " AT_A,                  /* first behind last */
        "*1 *3 :-1 :1 " AT_A,                 /* no slot */
        "*1 *3 :0 :16384 " AT_A,              /* no slot */
        "*1 *3 :0 :4294967296 " AT_A,         /* no slot */
        "*1 *3 $1 0 :1 " AT_A,                /* no number */
        "*2 *3 :0 :5 " AT_A "*3 :5 :9 " AT_B, /* twice */
        "*2 *3 :7 :7 " AT_A "*3 :0 :9 " AT_A,
        "*1 *3 :0 :1 $1 a ",
        "*1 *3 :0 :1 *2 $1 a :7000 ",
        "*1 *3 :0 :1 *3 :1 :7000 " ID_A,
        "*1 *3 :0 :1 *3 $1 a $4 7000 " ID_A,
        "*1 *3 :0 :1 *3 $1 a :0 " ID_A,
        "*1 *3 :0 :1 *3 $1 a :65536 " ID_A,
        "*1 *3 :0 :1 *3 $1 a :-1 " ID_A,
        "*1 *3 :0 :1 *3 $1 a :7000 $0  ",
        "*1 *3 :0 :1 *3 $1 a :7000 :1 ",
        "*1 *3 :0 :1 *3 $1 a :7000 $41 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ",
        "*2 *3 :0 :1 *3 $1 z :7000 $1 z *3 :2 :3 *3 $1 a :0 " ID_A, /* nobody is met by it */
    };
    struct world *world = *state;
    struct redis_node *node = world->nodes[0];
    assert_true(take(world, node, "*1 *3 :3 :4 " AT_B));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_false(take(world, node, texts[i]));
        assert_int_equal(node->view_count, 1); /* the one before stays */
        assert_int_equal(node->view[0].first, 3);
        assert_int_equal(node->view[0].node, world->nodes[1]->index);
    }
    assert_int_equal(world->store->node_count, NODES);
}

static void test_views_name_whom_nobody_knew(void **state) {
    struct world *world = *state;
    assert_true(take(world, world->nodes[0], "*1 *3 :0 :1 *3 $1 z :7000 $1 z "));
    assert_int_equal(world->store->node_count, NODES + 1);
    struct redis_node *met = world->store->nodes[NODES];
    assert_string_equal(met->place.host, "z");
    assert_string_equal(met->id, "z");
    assert_int_equal(world->nodes[0]->view[0].node, met->index);
}

/* More than there is room for: those that are met first. */
static void test_view_of_300_nodes(void **state) {
    struct world *world = *state;
    char *text = malloc(64 * 1024);
    size_t size = (size_t)sprintf(text, "*300 ");
    assert_non_null(text);
    for (unsigned i = 0; i < 300; i++) {
        size += (size_t)sprintf(text + size, "*3 :%u :%u *3 $4 h%03u :7000 $4 i%03u ", i, i, i, i);
    }
    assert_true(take(world, world->nodes[0], text));
    free(text);
    assert_int_equal(world->store->node_count, NODES_MAX);
    assert_int_equal(world->nodes[0]->view_count, NODES_MAX - NODES);
    cluster_vote(world->store);
    assert_non_null(cluster_node_of(world->store, NODES_MAX - NODES - 1));
    assert_null(cluster_node_of(world->store, NODES_MAX - NODES));
}

/* ---- the vote ---- */

/* Each has one that nobody else wants, so that what it says counts. */
#define THEIR_OWN "*3 :100 :100 " AT_A "*3 :101 :101 " AT_B "*3 :102 :102 " AT_C

/* What this node says now, of one slot: that of the node of that name; '-': nobody's. */
static void says(struct world *world, unsigned node, char owner) {
    static const char *const texts[] = {"*4 *3 :7 :7 " AT_A THEIR_OWN,
                                        "*4 *3 :7 :7 " AT_B THEIR_OWN,
                                        "*4 *3 :7 :7 " AT_C THEIR_OWN};
    assert_true(
        take(world, world->nodes[node], owner == '-' ? "*3 " THEIR_OWN : texts[owner - 'a']));
    world->nodes[node]->owned_ms = world->moment++;
}

static void assert_owner(struct world *world, char owner) {
    cluster_vote(world->store);
    const struct redis_node *node = cluster_node_of(world->store, 7);
    assert_int_equal(node == NULL ? '-' : node->place.host[0], owner);
}

static void test_whom_most_name(void **state) {
    struct world *world = *state;
    assert_owner(world, '-'); /* nobody has said anything */
    says(world, 0, 'a');
    assert_owner(world, 'a');
    says(world, 1, 'b');
    says(world, 2, 'b');
    assert_owner(world, 'b');
    says(world, 1, '-'); /* b denies it, c and a name others */
    assert_owner(world, 'a');
}

static void test_tie_is_for_who_has_it(void **state) {
    struct world *world = *state;
    says(world, 0, 'a');
    says(world, 1, 'b');
    says(world, 2, '-');
    assert_owner(world, 'a');
    says(world, 2, 'b');
    assert_owner(world, 'b');
    says(world, 2, '-');
    assert_owner(world, 'b'); /* both claim it, as before: whoever had it last */
}

/* Whoever says that a slot is not his has it not; a view without him counts less than his own. */
static void test_who_denies_it_has_it_not(void **state) {
    struct world *world = *state;
    says(world, 1, 'a');
    says(world, 2, 'a');
    says(world, 0, 'b'); /* last, and of himself */
    assert_owner(world, 'b');
}

/* A master that was replaced while it stood still is named by more, for a moment. */
static void test_higher_epoch_has_it(void **state) {
    struct world *world = *state;
    says(world, 0, 'a');
    says(world, 2, 'a');
    says(world, 1, 'b');
    world->nodes[0]->epoch = 3;
    world->nodes[1]->epoch = 4;
    assert_owner(world, 'b');
    world->nodes[1]->epoch = 0; /* it has not told: then voices count */
    world->store->cluster->is_patched = true;
    assert_owner(world, 'a');
    world->nodes[1]->epoch = 4;
    says(world, 1, '-'); /* it does not claim it, and nobody names it */
    assert_owner(world, 'a');
}

/* It was asked before it got the slot; those who name it, later. */
static void test_old_denial_is_no_denial(void **state) {
    struct world *world = *state;
    says(world, 0, 'b');
    says(world, 1, 'a');
    says(world, 2, 'a');
    assert_owner(world, 'a');
}

/* The slot has moved, and each of the two names the other: nobody is worse than who had it. */
static void test_all_who_are_named_deny_it(void **state) {
    struct world *world = *state;
    says(world, 1, 'b');
    assert_owner(world, 'b');
    says(world, 1, 'a');
    says(world, 0, 'b');
    world->nodes[1]->owned_ms = world->nodes[0]->owned_ms; /* in one moment */
    assert_owner(world, 'b');
}

/* It has left, and is in another cluster now, of which all have higher epochs. */
static void test_who_has_no_slot_and_is_not_named_does_not_count(void **state) {
    static const char foreign[] = "*2 *3 :0 :50 " AT_C "*3 :51 :200 *3 $1 z :7000 $1 z ";
    struct world *world = *state;
    struct redis_node *left = world->nodes[2];
    says(world, 0, 'c');
    assert_owner(world, 'c');
    assert_true(take(world, world->nodes[0], "*2 *3 :7 :7 " AT_A "*3 :101 :101 " AT_B));
    world->nodes[0]->owned_ms = world->moment++;
    assert_owner(world, 'a');
    world->nodes[0]->epoch = 3;
    left->epoch = 9;
    assert_true(take(world, left, foreign));
    assert_owner(world, 'a');
    assert_int_equal(world->store->node_count, NODES); /* nobody was met */
    world->nodes[0]->has_view = false; /* nor is it heard where all others are away */
    assert_true(take(world, left, foreign));
    assert_owner(world, 'a');
    assert_int_equal(world->store->node_count, NODES);
    says(world, 1, 'a'); /* it names c again, for another slot */
    assert_true(take(world, left, foreign));
    assert_owner(world, 'c');
}

/* Where those who have slots are away, whoever is there counts: they may have been replaced. */
static void test_all_count_where_nobody_with_a_slot_says_anything(void **state) {
    struct world *world = *state;
    assert_true(take(world, world->nodes[0], "*1 *3 :7 :7 " AT_A));
    assert_owner(world, 'a');
    world->nodes[0]->has_view = false;
    assert_true(take(world, world->nodes[1], "*1 *3 :7 :7 " AT_B));
    assert_owner(world, 'b');
}

static void test_node_without_a_view_has_no_vote(void **state) {
    struct world *world = *state;
    says(world, 0, 'a');
    says(world, 1, 'b');
    says(world, 2, 'b');
    assert_owner(world, 'b');
    world->nodes[2]->has_view = world->nodes[1]->has_view = false; /* their links are lost */
    assert_owner(world, 'a');
    world->nodes[0]->has_view = false;
    assert_owner(world, 'a'); /* no view at all: as it was */
    says(world, 0, '-');
    assert_owner(world, '-'); /* nobody is named */
}

/* A vote comes with news; between two of them MOVED counts. */
static void test_moved_counts_until_the_next_vote(void **state) {
    struct world *world = *state;
    says(world, 0, 'a');
    assert_owner(world, 'a');
    cluster_patch(world->store, 7, world->nodes[2]);
    assert_ptr_equal(cluster_node_of(world->store, 7), world->nodes[2]);
    assert_owner(world, 'a'); /* as the one who was asked says */
    cluster_patch(world->store, 7, world->nodes[2]);
    says(world, 0, 'c');
    assert_owner(world, 'c');
}

static void test_slots_are_counted(void **state) {
    struct world *world = *state;
    const unsigned *slots_of = world->store->cluster->slots_of;
    assert_true(take(world, world->nodes[0],
                     "*3 *3 :0 :5460 " AT_A "*3 :5461 :10922 " AT_B "*3 :10923 :16383 " AT_C));
    cluster_vote(world->store);
    assert_int_equal(slots_of[0], 5461);
    assert_int_equal(slots_of[1], 5462);
    assert_int_equal(slots_of[2], 5461);
    cluster_patch(world->store, 0, world->nodes[1]);
    cluster_patch(world->store, 0, world->nodes[1]); /* twice is once */
    assert_int_equal(slots_of[0], 5460);
    assert_int_equal(slots_of[1], 5463);
    cluster_pass_on(world->store, world->nodes[1], NULL);
    assert_int_equal(slots_of[1], 0);
    assert_null(cluster_node_of(world->store, 0));
    cluster_pass_on(world->store, world->nodes[2], world->nodes[0]);
    assert_int_equal(slots_of[0], 5460 + 5461);
}

/* ---- what is forgotten ---- */

static struct store_copy remember(struct world *world, const char *key, unsigned node) {
    struct store_operation answer = {
        .answer = STORE_FOUND, .value = S("v"), .origin = (uint8_t)world->nodes[node]->index};
    cache_put(world->store->copies.cache, CACHE_TEXT, slice_of_string(key), 1, &answer);
    assert_int_not_equal(answer.copy.number, 0);
    return answer.copy;
}

static bool holds(struct world *world, const struct store_copy *copy) {
    return cache_holds(world->store->copies.cache, copy);
}

/* Whatever slot it was: all that came from the node, and nothing else. */
static void test_who_loses_a_slot_loses_its_copies(void **state) {
    struct world *world = *state;
    struct store_copy of_a, of_b;
    says(world, 0, 'a');
    assert_owner(world, 'a');
    of_a = remember(world, "one", 0);
    of_b = remember(world, "two", 1);
    cluster_patch(world->store, 7, world->nodes[0]); /* it has it: nothing changes */
    assert_true(holds(world, &of_a) && holds(world, &of_b));
    cluster_patch(world->store, 7, world->nodes[1]);
    assert_false(holds(world, &of_a));
    assert_true(holds(world, &of_b));
    of_a = remember(world, "one", 0);
    assert_owner(world, 'a'); /* and back: b has lost it */
    assert_true(holds(world, &of_a));
    assert_false(holds(world, &of_b));
    says(world, 0, '-');
    assert_owner(world, '-');
    assert_false(holds(world, &of_a));
}

/* It denies the slot in one view and has it in the next: in between it was somebody else's. */
static void test_denial_forgets_also_where_it_keeps_the_slot(void **state) {
    struct world *world = *state;
    says(world, 0, 'a');
    assert_owner(world, 'a');
    struct store_copy of_a = remember(world, "one", 0);
    says(world, 0, '-');
    says(world, 1, 'a');
    says(world, 2, 'a');
    assert_owner(world, 'a');
    assert_false(holds(world, &of_a));
}

/* Its view is older than the one by which it got the slot: it did not know of it yet. */
static void test_denial_from_before_it_had_the_slot_forgets_nothing(void **state) {
    struct world *world = *state;
    says(world, 0, 'a');
    says(world, 1, 'a');
    says(world, 2, 'a');
    assert_owner(world, 'a');
    struct store_copy of_b = remember(world, "two", 1);
    says(world, 0, 'b');
    assert_owner(world, 'b');
    says(world, 2, 'b');
    assert_owner(world, 'b');
    assert_true(holds(world, &of_b));
    says(world, 1, 'b');
    assert_owner(world, 'b');
    assert_true(holds(world, &of_b));
    says(world, 1, '-');
    says(world, 2, 'b');
    assert_owner(world, 'b');
    assert_false(holds(world, &of_b));
}

int main(void) {
#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_are_those_of_redis),
        cmocka_unit_test(test_longest_key_has_a_slot),
        cmocka_unit_test(test_redirects_are_read),
        cmocka_unit_test(test_redirects_that_make_no_sense),
        IN_WORLD(test_views_that_make_sense),
        IN_WORLD(test_views_that_make_no_sense),
        IN_WORLD(test_views_name_whom_nobody_knew),
        IN_WORLD(test_view_of_300_nodes),
        IN_WORLD(test_whom_most_name),
        IN_WORLD(test_tie_is_for_who_has_it),
        IN_WORLD(test_who_denies_it_has_it_not),
        IN_WORLD(test_higher_epoch_has_it),
        IN_WORLD(test_old_denial_is_no_denial),
        IN_WORLD(test_all_who_are_named_deny_it),
        IN_WORLD(test_who_has_no_slot_and_is_not_named_does_not_count),
        IN_WORLD(test_all_count_where_nobody_with_a_slot_says_anything),
        IN_WORLD(test_node_without_a_view_has_no_vote),
        IN_WORLD(test_moved_counts_until_the_next_vote),
        IN_WORLD(test_slots_are_counted),
        IN_WORLD(test_who_loses_a_slot_loses_its_copies),
        IN_WORLD(test_denial_forgets_also_where_it_keeps_the_slot),
        IN_WORLD(test_denial_from_before_it_had_the_slot_forgets_nothing),
    };
    signal(SIGPIPE, SIG_IGN);
    log_start(LOG_FORMAT_TEXT, LOG_SILENT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    log_stop();
    return failed;
}
