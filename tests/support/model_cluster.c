#include "support/model_cluster.h"

#include "store/redis/cluster.h"
#include <hiredis/hiredis.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define SAID_MAX 2048u

struct model_item {
    struct model_item *next;
    redisReply *command; /* in an inbox */
    char name[96];       /* for people */
    size_t size;
    char bytes[];
};

/* ---- boxes ---- */

static void push_item(struct model_item **box, struct model_item *item) {
    while (*box != NULL) {
        box = &(*box)->next;
    }
    *box = item;
}

static struct model_item *pop_item(struct model_item **box) {
    struct model_item *item = *box;
    *box = item->next;
    return item;
}

static void free_item(struct model_item *item) {
    freeReplyObject(item->command);
    free(item);
}

static void free_box(struct model_item **box) {
    while (*box != NULL) {
        free_item(pop_item(box));
    }
}

static struct model_item *new_item(const char *name, const char *bytes, size_t size) {
    struct model_item *item = calloc(1, sizeof *item + size);
    assert_non_null(item);
    snprintf(item->name, sizeof item->name, "%s", name);
    item->size = size;
    if (size != 0) {
        memcpy(item->bytes, bytes, size);
    }
    return item;
}

static void say_named(struct model_link *link, const char *name, const char *text) {
    push_item(&link->outbox, new_item(name, text, strlen(text)));
}

static void say(struct model_link *link, const char *text) {
    char name[96];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "\r"), text);
    say_named(link, name, text);
}

/* ---- slots ---- */

static unsigned slot_of(const char *key) {
    return cluster_slot(S(""), slice_of_string(key));
}

enum model_class model_class_of(const struct model_cluster *cluster, const char *key) {
    unsigned slot = slot_of(key);
    return slot == cluster->slots[MODEL_CLIENT]       ? MODEL_CLIENT
           : slot == cluster->slots[MODEL_GENERATION] ? MODEL_GENERATION
                                                      : MODEL_TOKENS;
}

struct model_node *model_owner(struct model_cluster *cluster, enum model_class class) {
    struct model_node *owner = NULL;
    for (unsigned i = 0; i < MODEL_NODES; i++) {
        struct model_node *node = &cluster->nodes[i];
        bool claims = node->owner[class] == i;
        if (claims && (owner == NULL || node->migrates_to[class] == MODEL_NOWHERE)) {
            owner = node; /* the last step of a move is told to the one that gets it first */
        }
    }
    return owner;
}

/* ---- keys, and who is told of them ---- */

static struct model_entry *find_in(struct model_node *node, const char *key) {
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        if (node->entries[i].key[0] != '\0' && strcmp(node->entries[i].key, key) == 0) {
            return &node->entries[i];
        }
    }
    return NULL;
}

const struct model_entry *model_find(const struct model_cluster *cluster, const char *key) {
    const struct model_entry *entry = NULL;
    for (unsigned i = 0; i < MODEL_NODES && entry == NULL; i++) {
        entry = find_in((struct model_node *)&cluster->nodes[i], key);
    }
    return entry;
}

static void track(struct model_link *link, const char *key) {
    for (unsigned i = 0; i < link->tracked_count; i++) {
        if (strcmp(link->tracked[i], key) == 0) {
            return;
        }
    }
    assert_true(link->tracked_count < MODEL_TRACKED);
    snprintf(link->tracked[link->tracked_count++], sizeof link->tracked[0], "%s", key);
}

/* True: it was to be told, and is not any more. */
static bool take_tracked(struct model_link *link, const char *key) {
    for (unsigned i = 0; i < link->tracked_count; i++) {
        if (strcmp(link->tracked[i], key) == 0) {
            memmove(link->tracked[i], link->tracked[--link->tracked_count],
                    sizeof link->tracked[0]);
            return true;
        }
    }
    return false;
}

static void tell(struct model_node *node, const char *key) {
    char text[256], name[96];
    snprintf(text, sizeof text, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$%zu\r\n%s\r\n", strlen(key),
             key);
    snprintf(name, sizeof name, "push of %s", key);
    for (unsigned i = 0; i < MODEL_LINKS; i++) {
        struct model_link *link = &node->links[i];
        if (link->fd < 0 || !take_tracked(link, key) || node->flaw == MODEL_TELLS_NOTHING) {
            continue;
        }
        if (node->flaw == MODEL_TELLS_BEHIND) {
            push_item(&link->late, new_item(name, text, strlen(text)));
        } else {
            say_named(link, name, text);
        }
    }
}

static void put_in(struct model_node *node, const char *key, const char *reply, bool tells) {
    struct model_entry *entry = find_in(node, key);
    for (unsigned i = 0; entry == NULL; i++) {
        assert_true(i < MODEL_KEYS);
        entry = node->entries[i].key[0] == '\0' ? &node->entries[i] : NULL;
    }
    assert_true(strlen(key) < sizeof entry->key && strlen(reply) < sizeof entry->reply);
    memmove(entry->reply, reply, strlen(reply) + 1);
    memmove(entry->key, key, strlen(key) + 1);
    if (tells) {
        tell(node, key);
    }
}

static bool remove_from(struct model_node *node, const char *key, bool tells) {
    struct model_entry *entry = find_in(node, key);
    if (entry == NULL) {
        return false;
    }
    if (tells) {
        tell(node, key);
    }
    entry->key[0] = '\0';
    return true;
}

/* ---- what others do ---- */

/* Who would serve a write of somebody who follows MOVED and ASK. */
static struct model_node *server_of(struct model_cluster *cluster, const char *key) {
    enum model_class class = model_class_of(cluster, key);
    struct model_node *owner = model_owner(cluster, class);
    assert_non_null(owner);
    bool is_asked = owner->migrates_to[class] != MODEL_NOWHERE && find_in(owner, key) == NULL;
    return is_asked ? &cluster->nodes[owner->migrates_to[class]] : owner;
}

void model_put(struct model_cluster *cluster, const char *key, const char *reply) {
    put_in(server_of(cluster, key), key, reply, true);
}

void model_remove(struct model_cluster *cluster, const char *key) {
    (void)remove_from(server_of(cluster, key), key, true);
}

void model_begin_move(struct model_cluster *cluster, enum model_class class, unsigned to) {
    struct model_node *owner = model_owner(cluster, class);
    cluster->nodes[to].imports[class] = true;
    owner->migrates_to[class] = to;
}

void model_move_keys(struct model_cluster *cluster, enum model_class class, unsigned to,
                     bool tells) {
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        struct model_node *from = &cluster->nodes[n];
        for (unsigned i = 0; i < MODEL_KEYS && n != to; i++) {
            struct model_entry *entry = &from->entries[i];
            if (entry->key[0] != '\0' && model_class_of(cluster, entry->key) == class) {
                put_in(&cluster->nodes[to], entry->key, entry->reply, tells);
                (void)remove_from(from, entry->key, tells);
            }
        }
    }
}

static unsigned highest_epoch(const struct model_cluster *cluster) {
    unsigned epoch = 0;
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        epoch = cluster->nodes[n].epoch > epoch ? cluster->nodes[n].epoch : epoch;
    }
    return epoch;
}

void model_set_owner(struct model_cluster *cluster, unsigned node, enum model_class class,
                     unsigned owner) {
    if (node == owner && cluster->nodes[node].imports[class]) {
        cluster->nodes[node].epoch = highest_epoch(cluster) + 1;
    }
    cluster->nodes[node].owner[class] = owner;
    cluster->nodes[node].imports[class] = false;
    cluster->nodes[node].migrates_to[class] = MODEL_NOWHERE;
}

/* ---- commands ---- */

static void id_of(unsigned node, char id[41]) {
    memset(id, 'a' + (int)node, 40);
    id[40] = '\0';
}

static void say_slots(struct model_cluster *cluster, struct model_node *node,
                      struct model_link *link) {
    char text[SAID_MAX + 16], id[41];
    unsigned count = 0, first = 0;
    size_t size = 0;
    char ranges[SAID_MAX];
    while (first < CLUSTER_SLOTS) {
        unsigned last = first;
        enum model_class class = first == cluster->slots[MODEL_CLIENT]       ? MODEL_CLIENT
                                 : first == cluster->slots[MODEL_GENERATION] ? MODEL_GENERATION
                                                                             : MODEL_TOKENS;
        while (class == MODEL_TOKENS && last + 1 < CLUSTER_SLOTS &&
               last + 1 != cluster->slots[MODEL_CLIENT] &&
               last + 1 != cluster->slots[MODEL_GENERATION]) {
            last++;
        }
        const struct model_node *owner = &cluster->nodes[node->owner[class]];
        id_of(owner->index, id);
        size +=
            (size_t)snprintf(ranges + size, sizeof ranges - size,
                             "*3\r\n:%u\r\n:%u\r\n*3\r\n$%zu\r\n%s\r\n:%u\r\n$40\r\n%s\r\n", first,
                             last, strlen(owner->path), owner->path, 7000 + owner->index, id);
        assert_true(size < sizeof ranges);
        first = last + 1;
        count++;
    }
    snprintf(text, sizeof text, "*%u\r\n%s", count, ranges);
    say_named(link, "its slots", text);
}

static void say_own_id(const struct model_node *node, struct model_link *link) {
    char text[64], id[41];
    id_of(node->index, id);
    snprintf(text, sizeof text, "$40\r\n%s\r\n", id);
    say_named(link, "its id", text);
}

static void say_epoch(const struct model_node *node, struct model_link *link) {
    char info[96], text[128];
    snprintf(info, sizeof info, "cluster_state:ok\r\ncluster_my_epoch:%u\r\n", node->epoch);
    snprintf(text, sizeof text, "$%zu\r\n%s\r\n", strlen(info), info);
    say_named(link, "its epoch", text);
}

static void say_elsewhere(const struct model_cluster *cluster, struct model_link *link,
                          const char *word, const char *key, unsigned to) {
    char text[256];
    snprintf(text, sizeof text, "-%s %u %s:%u\r\n", word, slot_of(key), cluster->nodes[to].path,
             7000 + to);
    say(link, text);
}

/* True: the key is to be looked for here. */
static bool serves(struct model_cluster *cluster, struct model_node *node, struct model_link *link,
                   const char *key) {
    enum model_class class = model_class_of(cluster, key);
    bool is_owner = node->owner[class] == node->index;
    if (is_owner && node->migrates_to[class] != MODEL_NOWHERE && find_in(node, key) == NULL) {
        say_elsewhere(cluster, link, "ASK", key, node->migrates_to[class]);
        return false;
    }
    if (!is_owner && !(node->imports[class] && link->is_asking) &&
        node->flaw != MODEL_ANSWERS_FOR_OTHERS) {
        say_elsewhere(cluster, link, "MOVED", key, node->owner[class]);
        return false;
    }
    return true;
}

static void read_key(struct model_node *node, struct model_link *link, const char *name,
                     const char *key) {
    const struct model_entry *entry = find_in(node, key);
    bool exists = strcmp(name, "EXISTS") == 0, is_hash = strcmp(name, "HGETALL") == 0;
    if (link->is_tracking) {
        track(link, key);
    }
    if (exists) {
        say(link, entry != NULL ? ":1\r\n" : ":0\r\n");
    } else if (entry == NULL) {
        say(link, is_hash ? "%0\r\n" : "_\r\n");
    } else {
        say_named(link, is_hash ? "a hash" : "a text", entry->reply);
    }
}

static void on_key(struct model_cluster *cluster, struct model_node *node, struct model_link *link,
                   const redisReply *command) {
    const char *name = command->element[0]->str, *key = command->element[1]->str;
    char reply[MODEL_REPLY_MAX];
    if (!serves(cluster, node, link, key)) {
        return;
    }
    if (strcmp(name, "SETEX") == 0) {
        const redisReply *value = command->element[3];
        assert_true(value->len + 32 < sizeof reply);
        snprintf(reply, sizeof reply, "$%zu\r\n%s\r\n", value->len, value->str);
        say(link, "+OK\r\n");
        put_in(node, key, reply, true);
    } else if (strcmp(name, "DEL") == 0) {
        say(link, find_in(node, key) != NULL ? ":1\r\n" : ":0\r\n");
        (void)remove_from(node, key, true);
    } else {
        read_key(node, link, name, key);
    }
}

static bool is_word(const redisReply *command, unsigned index, const char *word) {
    return command->elements > index && strcmp(command->element[index]->str, word) == 0;
}

static void execute(struct model_cluster *cluster, struct model_node *node, struct model_link *link,
                    const redisReply *command) {
    if (is_word(command, 0, "HELLO")) {
        say(link, "%4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n"
                  "$5\r\nproto\r\n:3\r\n$4\r\nrole\r\n$6\r\nmaster\r\n");
    } else if (is_word(command, 0, "CLIENT")) {
        link->is_tracking = !node->refuses_tracking;
        say(link, node->refuses_tracking ? "-ERR unknown subcommand\r\n" : "+OK\r\n");
    } else if (is_word(command, 0, "CLUSTER") && is_word(command, 1, "SLOTS")) {
        say_slots(cluster, node, link);
    } else if (is_word(command, 0, "CLUSTER") && is_word(command, 1, "INFO")) {
        say_epoch(node, link);
    } else if (is_word(command, 0, "CLUSTER")) {
        say_own_id(node, link);
    } else if (is_word(command, 0, "ASKING")) {
        say(link, "+OK\r\n");
        link->is_asking = true;
        return;
    } else if (is_word(command, 1, "mintd:schema") ||
               is_word(command, 1, "mintd:schema:{mintd:generation}")) {
        say_named(link, "the schema", "$1\r\n1\r\n");
    } else {
        assert_true(command->elements >= 2);
        on_key(cluster, node, link, command);
    }
    link->is_asking = false;
    if (link->late != NULL) {
        push_item(&link->outbox, pop_item(&link->late));
    }
}

/* ---- sockets ---- */

static void drop(struct model_link *link) {
    close(link->fd);
    link->fd = -1;
    redisReaderFree(link->reader);
    free_box(&link->inbox);
    free_box(&link->outbox);
    free_box(&link->late);
}

static void accept_one(struct model_node *node) {
    int fd = accept4(node->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct model_link *link = node->links;
    assert_true(fd >= 0);
    while (link->fd >= 0) {
        link++;
        assert_true(link < node->links + MODEL_LINKS);
    }
    *link = (struct model_link){.fd = fd, .reader = redisReaderCreate()};
    assert_non_null(link->reader);
}

static void take_commands(struct model_link *link) {
    void *reply = NULL;
    char name[96];
    while (redisReaderGetReply(link->reader, &reply) == REDIS_OK && reply != NULL) {
        const redisReply *command = reply;
        snprintf(name, sizeof name, "%.20s %.70s", command->element[0]->str,
                 command->elements > 1 ? command->element[1]->str : "");
        struct model_item *item = new_item(name, "", 0);
        item->command = reply;
        push_item(&link->inbox, item);
    }
}

static void read_one(struct model_link *link) {
    char bytes[16384];
    ssize_t size = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size <= 0) {
        drop(link);
    } else {
        redisReaderFeed(link->reader, bytes, (size_t)size);
        take_commands(link);
    }
}

/* One question for all sockets, since most have nothing. */
bool model_take(struct model_cluster *cluster) {
    struct pollfd sockets[MODEL_NODES * (MODEL_LINKS + 1)];
    nfds_t count = 0, at = 0;
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        struct model_node *node = &cluster->nodes[n];
        sockets[count++] = (struct pollfd){.fd = node->listener, .events = POLLIN};
        for (unsigned i = 0; i < MODEL_LINKS; i++) { /* -1 is passed over */
            sockets[count++] = (struct pollfd){.fd = node->links[i].fd, .events = POLLIN};
        }
    }
    if (poll(sockets, count, 0) <= 0) {
        return false;
    }
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        struct model_node *node = &cluster->nodes[n];
        bool has_caller = sockets[at++].revents != 0;
        for (unsigned i = 0; i < MODEL_LINKS; i++) {
            if (sockets[at++].revents != 0) {
                read_one(&node->links[i]);
            }
        }
        if (has_caller) {
            accept_one(node);
        }
    }
    return true;
}

/* The first connection where there is something to do. */
static struct model_link *busy_link(const struct model_node *node, bool out) {
    for (unsigned i = 0; i < MODEL_LINKS; i++) {
        const struct model_link *link = &node->links[i];
        if (link->fd >= 0 && (out ? link->outbox : link->inbox) != NULL) {
            return (struct model_link *)link;
        }
    }
    return NULL;
}

bool model_can_execute(const struct model_node *node) {
    return busy_link(node, false) != NULL;
}

bool model_can_deliver(const struct model_node *node) {
    return busy_link(node, true) != NULL;
}

/* ASKING and what it is for are one. */
void model_execute(struct model_cluster *cluster, struct model_node *node) {
    struct model_link *link = busy_link(node, false);
    do {
        struct model_item *item = pop_item(&link->inbox);
        memcpy(cluster->last, item->name, sizeof cluster->last);
        execute(cluster, node, link, item->command);
        free_item(item);
    } while (link->is_asking && link->inbox != NULL);
}

void model_deliver(struct model_cluster *cluster, struct model_node *node) {
    struct model_link *link = busy_link(node, true);
    struct model_item *item = pop_item(&link->outbox);
    memcpy(cluster->last, item->name, sizeof cluster->last);
    ssize_t sent = send(link->fd, item->bytes, item->size, MSG_NOSIGNAL);
    free_item(item);
    if (sent < 0) { /* it has left */
        drop(link);
    }
}

/* ---- life ---- */

static void open_node(struct model_cluster *cluster, unsigned index) {
    struct model_node *node = &cluster->nodes[index];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    node->index = index;
    for (unsigned i = 0; i < MODEL_LINKS; i++) {
        node->links[i].fd = -1;
    }
    snprintf(node->path, sizeof node->path, "%s/%c", cluster->directory, 'a' + (int)index);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", node->path);
    node->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(node->listener >= 0);
    assert_int_equal(bind(node->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(node->listener, 16), 0);
}

void model_open(struct model_cluster *cluster, struct slice prefix, struct slice client_key,
                struct slice generation_key) {
    *cluster = (struct model_cluster){.directory = "/tmp/mintd-model.XXXXXX"};
    assert_non_null(mkdtemp(cluster->directory));
    snprintf(cluster->client_key, sizeof cluster->client_key, "%.*s%.*s", (int)prefix.size,
             prefix.data, (int)client_key.size, client_key.data);
    snprintf(cluster->generation_key, sizeof cluster->generation_key, "%.*s%.*s", (int)prefix.size,
             prefix.data, (int)generation_key.size, generation_key.data);
    cluster->slots[MODEL_CLIENT] = slot_of(cluster->client_key);
    cluster->slots[MODEL_GENERATION] = slot_of(cluster->generation_key);
    assert_int_not_equal(cluster->slots[MODEL_CLIENT], cluster->slots[MODEL_GENERATION]);
    for (unsigned i = 0; i < MODEL_NODES; i++) {
        open_node(cluster, i);
    }
}

void model_close(struct model_cluster *cluster) {
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        struct model_node *node = &cluster->nodes[n];
        for (unsigned i = 0; i < MODEL_LINKS; i++) {
            if (node->links[i].fd >= 0) {
                drop(&node->links[i]);
            }
        }
        close(node->listener);
        unlink(node->path);
    }
    rmdir(cluster->directory);
}

void model_reset(struct model_cluster *cluster, const unsigned owner[MODEL_CLASSES]) {
    for (unsigned n = 0; n < MODEL_NODES; n++) {
        struct model_node *node = &cluster->nodes[n];
        assert_false(model_can_execute(node) || model_can_deliver(node));
        memset(node->entries, 0, sizeof node->entries);
        node->epoch = n + 1;
        for (unsigned class = 0; class < MODEL_CLASSES; class ++) {
            model_set_owner(cluster, n, class, owner[class]);
        }
        for (unsigned i = 0; i < MODEL_LINKS; i++) {
            struct model_link *link = &node->links[i];
            link->tracked_count = 0;
            free_box(&link->late);
            if (link->fd >= 0 && link->is_tracking) {
                say_named(link, "push of all", ">2\r\n$10\r\ninvalidate\r\n_\r\n");
            }
        }
    }
}
