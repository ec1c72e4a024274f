#include "store/redis/sentinel.h"

#include "mintd/log.h"
#include "store/link/reply.h"
#include <stdio.h>
#include <stdlib.h>

#define PENDING_MAX 8u
#define SENTINEL_PAUSE_MS 100u

enum sentinel_word {
    SENTINEL_UNTOLD,  /* nothing that counts yet */
    SENTINEL_NAMES,   /* `master` */
    SENTINEL_DENIES,  /* it watches none of that name */
    SENTINEL_REFUSES, /* `refusal` */
};

struct sentinel {
    struct sentinels *all;
    struct redis_link *link;
    enum sentinel_word word;
    bool is_asked; /* a question is under way */
    bool is_old;   /* it was put before the owner sought: the answer may be older than the loss */
    bool is_fresh; /* it has answered since the owner seeks */
    bool has_answered; /* on this connection */
    uint64_t epoch;
    struct redis_endpoint master;
    char refusal[SENTINEL_REASON_MAX];
};

struct sentinels {
    uv_loop_t *loop;
    char name[REDIS_NAME_MAX]; /* of the master */
    struct store_metrics *metrics;
    void (*on_told)(void *context);
    void *context;
    bool is_seeking, is_closing;
    struct redis_told *told;
    bool is_told;                /* that none answers */
    struct redis_endpoint given; /* the last that the owner got, */
    struct redis_endpoint found; /* and the last that proved to be the master; no host: none */
    struct redis_endpoint first; /* that was named when the last one was given */
    unsigned picks;              /* since `first` is that */
    unsigned turn;               /* who is asked next */
    uv_timer_t timer;
    unsigned ticks;
    uint64_t asked_ms; /* loop time: all of them, last */
    char reason[SENTINEL_REASON_MAX];
    unsigned open_parts;
    void (*on_closed)(void *);
    void *on_closed_context;
    unsigned count;
    struct sentinel each[REDIS_SEEDS_MAX];
};

static bool is_up(const struct sentinel *sentinel) {
    return link_state(sentinel->link) == LINK_UP;
}

static bool is_same(const struct redis_endpoint *a, const struct redis_endpoint *b) {
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* ---- what they say ---- */

/* Of one whose answer counts: none names a higher epoch. */
static bool is_leading(const struct sentinels *all, const struct sentinel *sentinel) {
    if (sentinel->word != SENTINEL_NAMES) {
        return false;
    }
    for (unsigned i = 0; i < all->count; i++) {
        const struct sentinel *other = &all->each[i];
        if (other->word == SENTINEL_NAMES && other->epoch > sentinel->epoch) {
            return false;
        }
    }
    return true;
}

/* The addresses that are named, each once, those first that are not the one that was lost. */
static unsigned list_named(const struct sentinels *all,
                           const struct redis_endpoint *named[REDIS_SEEDS_MAX]) {
    unsigned count = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < all->count; i++) {
            const struct redis_endpoint *master = &all->each[i].master;
            bool is_new =
                is_leading(all, &all->each[i]) && is_same(master, &all->found) == (pass == 1);
            for (unsigned k = 0; k < count; k++) {
                is_new = is_new && !is_same(master, named[k]);
            }
            if (is_new) {
                named[count++] = master;
            }
        }
    }
    return count;
}

static bool any_is_up(const struct sentinels *all) {
    for (unsigned i = 0; i < all->count; i++) {
        if (is_up(&all->each[i])) {
            return true;
        }
    }
    return false;
}

static bool any_is_fresh(const struct sentinels *all) {
    for (unsigned i = 0; i < all->count; i++) {
        if (all->each[i].is_fresh) {
            return true;
        }
    }
    return false;
}

const struct redis_endpoint *sentinels_master(struct sentinels *all) {
    const struct redis_endpoint *named[REDIS_SEEDS_MAX];
    unsigned count = any_is_fresh(all) ? list_named(all, named) : 0;
    if (count != 0) {
        if (!is_same(named[0], &all->first)) { /* news: tried ahead of the others */
            all->first = *named[0];
            all->picks = 0;
        }
        all->given = *named[all->picks++ % count];
    } else if (!any_is_up(all) && all->found.host[0] != '\0') {
        all->given = all->found;
    } else {
        return NULL;
    }
    return &all->given;
}

bool sentinels_agree(const struct sentinels *all) {
    const struct redis_endpoint *named[REDIS_SEEDS_MAX];
    unsigned count = list_named(all, named);
    bool is_news = count > 1 && !is_same(named[0], &all->first);
    if (all->is_seeking && is_news && is_same(&all->given, &all->found)) {
        return false; /* the one that was lost; there is another that was not tried yet */
    }
    for (unsigned i = 0; i < count; i++) {
        if (is_same(&all->given, named[i])) {
            return true;
        }
    }
    return count == 0;
}

bool sentinels_deny(const struct sentinels *all) {
    bool some = false;
    for (unsigned i = 0; i < all->count; i++) {
        const struct sentinel *sentinel = &all->each[i];
        if (sentinel->word == SENTINEL_NAMES || (is_up(sentinel) && !sentinel->is_fresh)) {
            return false;
        }
        some = some || sentinel->is_fresh;
    }
    return some;
}

/* The first that has a word, and the first of those that are away. */
const char *sentinels_reason(struct sentinels *all) {
    const struct sentinel *first = NULL;
    const char *away = "";
    for (unsigned i = 0; i < all->count; i++) {
        const struct sentinel *sentinel = &all->each[i];
        first = first == NULL && sentinel->word != SENTINEL_UNTOLD ? sentinel : first;
        away = *away == '\0' ? link_reason(sentinel->link) : away;
    }
    if (first == NULL) {
        snprintf(all->reason, sizeof all->reason, "no Sentinel answers%s%.130s",
                 *away == '\0' ? "" : ": ", away);
    } else if (first->word == SENTINEL_REFUSES) {
        snprintf(all->reason, sizeof all->reason, "the Sentinel says: %.130s", first->refusal);
    } else {
        snprintf(all->reason, sizeof all->reason, "no Sentinel knows a master named %.100s",
                 all->name);
    }
    return all->reason;
}

/* ---- a question ---- */

static void tell(struct sentinels *all) {
    if (!all->is_closing) {
        all->on_told(all->context);
    }
}

static void refuse(struct sentinel *sentinel, struct slice error) {
    sentinel->word = SENTINEL_REFUSES;
    if (slice_starts_with(error, S("ERR unknown command"))) {
        error = S("it is a Redis and no Sentinel; name the Sentinels' port, 26379 mostly");
    }
    snprintf(sentinel->refusal, sizeof sentinel->refusal, "%.*s",
             (int)(error.size < 120 ? error.size : 120), error.data);
}

/* [host, port] */
static bool take_master(struct sentinel *sentinel, const struct reply *reply) {
    unsigned long long port;
    if (reply->type != REPLY_ARRAY || reply->elements != 2) {
        return false;
    }
    struct slice host = reply_first(reply)->text;
    if (host.size == 0 || host.size >= REDIS_NAME_MAX ||
        memchr(host.data, '\0', host.size) != NULL ||
        !slice_to_number(reply_next(reply_first(reply))->text, 65535, &port) || port == 0) {
        return false;
    }
    memcpy(sentinel->master.host, host.data, host.size);
    sentinel->master.host[host.size] = '\0';
    sentinel->master.port = (unsigned)port;
    return true;
}

static void ask(struct sentinel *sentinel);

static void on_epoch(void *context, const struct link_result *result) {
    struct sentinel *sentinel = context;
    unsigned long long epoch = 0;
    const struct reply *reply = result->reply;
    if (reply == NULL && result->trouble == STORE_TROUBLE_DISCONNECTED) {
        return; /* what it said before it went counts on */
    }
    if (reply != NULL && (reply->type == REPLY_MAP || reply->type == REPLY_ARRAY)) {
        slice_to_number(reply_find_text(reply, S("config-epoch")), UINT64_MAX, &epoch);
    }
    sentinel->epoch = epoch;
}

static void on_address(void *context, const struct link_result *result) {
    struct sentinel *sentinel = context;
    const struct reply *reply = result->reply;
    bool was_old = sentinel->is_old;
    sentinel->is_asked = sentinel->is_old = false;
    if (reply == NULL) {
        if (result->trouble == STORE_TROUBLE_PROTOCOL) {
            link_fail(sentinel->link, result->trouble, "a reply is too big");
        }
        return;
    }
    sentinel->has_answered = true;
    sentinel->is_fresh = sentinel->is_fresh || !was_old;
    if (reply->type == REPLY_ERROR) {
        refuse(sentinel, reply->text);
    } else if (reply->type == REPLY_NIL) {
        sentinel->word = SENTINEL_DENIES;
    } else if (take_master(sentinel, reply)) {
        sentinel->word = SENTINEL_NAMES;
    } else {
        link_fail(sentinel->link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
        return;
    }
    if (was_old) {
        ask(sentinel);
    }
    tell(sentinel->all);
}

static bool put(struct sentinel *sentinel, struct slice question,
                void (*on_reply)(void *context, const struct link_result *result)) {
    const struct link_handler handler = {.on_reply = on_reply, .context = sentinel, .replies = 1};
    unsigned slot;
    struct output *out = link_begin(sentinel->link);
    if (out == NULL) {
        return false;
    }
    output_command(out, 3);
    output_argument(out, S("SENTINEL"));
    output_argument(out, question);
    output_argument(out, slice_of_string(sentinel->all->name));
    return link_end(sentinel->link, &handler, &slot);
}

/* The epoch is read first: it is then no newer than the address. */
static void ask(struct sentinel *sentinel) {
    if (!sentinel->is_asked && is_up(sentinel)) {
        sentinel->is_asked = put(sentinel, S("MASTER"), on_epoch) &&
                             put(sentinel, S("GET-MASTER-ADDR-BY-NAME"), on_address);
    }
}

static void ask_all(struct sentinels *all) {
    all->asked_ms = uv_now(all->loop);
    for (unsigned i = 0; i < all->count; i++) {
        ask(&all->each[i]);
    }
}

/* The next one that is up, and owes no answer. */
static void ask_next(struct sentinels *all) {
    for (unsigned i = 0; i < all->count; i++) {
        struct sentinel *sentinel = &all->each[all->turn++ % all->count];
        if (is_up(sentinel) && !sentinel->is_asked) {
            ask(sentinel);
            return;
        }
    }
}

static void on_timer(uv_timer_t *timer) {
    struct sentinels *all = timer->data;
    if (all->is_seeking) {
        ask_all(all);
    } else if (++all->ticks % (SENTINEL_POLL_MS / SENTINEL_SEEK_MS) == 0) {
        ask_next(all);
    }
}

/* An answer may begin an attempt, and an attempt asks: not more often than SENTINEL_PAUSE_MS. */
void sentinels_seek(struct sentinels *all) {
    bool begins = !all->is_seeking;
    for (unsigned i = 0; i < all->count && begins; i++) {
        all->each[i].is_fresh = false;
        all->each[i].is_old = all->each[i].is_asked;
        if (!is_up(&all->each[i])) {
            all->each[i].word = SENTINEL_UNTOLD;
        }
    }
    all->is_seeking = true;
    if (begins || uv_now(all->loop) - all->asked_ms >= SENTINEL_PAUSE_MS) {
        ask_all(all);
    }
}

void sentinels_found(struct sentinels *all) {
    all->is_seeking = false;
    all->found = all->first = all->given;
    all->picks = 0;
    ask_all(all); /* another may have been named since its connection was made */
}

/* ---- their links ---- */

static void on_greeting(void *context) {
    struct sentinel *sentinel = context;
    struct sentinels *all = sentinel->all;
    link_set_up(sentinel->link);
    if (all->is_told && redis_told_end(all->told, REDIS_HAS_NO_SENTINEL)) {
        log_info("a sentinel answers again");
    }
    all->is_told = false;
    ask(sentinel);
}

static void on_down(void *context) {
    struct sentinel *sentinel = context;
    struct sentinels *all = sentinel->all;
    bool had_word = sentinel->has_answered;
    sentinel->is_fresh = sentinel->is_asked = sentinel->is_old = sentinel->has_answered = false;
    if (all->is_seeking || sentinel->word != SENTINEL_NAMES) {
        sentinel->word = SENTINEL_UNTOLD;
    } /* else it counts while the owner has a master: who knows less unseats none */
    if (all->is_closing) {
        return;
    }
    if (had_word) {
        counter_add(&all->metrics->sentinels_lost, 1);
    }
    if (had_word && !any_is_up(all)) {
        all->is_told = true;
        if (redis_told_begin(all->told, REDIS_HAS_NO_SENTINEL)) {
            log_warning("no sentinel answers; the master that was found last is kept");
        }
    }
}

static const struct link_events link_events = {.on_greeting = on_greeting, .on_down = on_down};

static struct redis_link *new_link(uv_loop_t *loop, struct sentinel *sentinel,
                                   const struct redis_endpoint *place,
                                   const struct sentinels_options *options) {
    struct redis_url *url = calloc(1, sizeof *url);
    if (url == NULL) {
        return NULL;
    }
    snprintf(url->host, sizeof url->host, "%s", place->host);
    url->port = place->port;
    url->is_tls = options->url->is_tls;
    snprintf(url->user, sizeof url->user, "%.*s", (int)options->user.size, options->user.data);
    snprintf(url->password, sizeof url->password, "%.*s", (int)options->password.size,
             options->password.data);
    struct redis_link *link = link_new(loop, &(struct link_options){.input = options->input,
                                                                    .url = url,
                                                                    .tls = options->tls,
                                                                    .tls_name = options->tls_name,
                                                                    .name = options->name,
                                                                    .pending_max = PENDING_MAX,
                                                                    .peer = LINK_TO_SENTINEL,
                                                                    .events = &link_events,
                                                                    .context = sentinel});
    explicit_bzero(url, sizeof *url);
    free(url);
    return link;
}

/* ---- life ---- */

void sentinels_free(struct sentinels *all) {
    if (all == NULL) {
        return;
    }
    for (unsigned i = 0; i < all->count; i++) {
        link_free(all->each[i].link);
    }
    free(all);
}

struct sentinels *sentinels_new(uv_loop_t *loop, const struct sentinels_options *options) {
    struct sentinels *all = calloc(1, sizeof *all);
    if (all == NULL) {
        return NULL;
    }
    const struct redis_url *url = options->url;
    snprintf(all->name, sizeof all->name, "%s", url->master);
    all->loop = loop;
    all->metrics = options->metrics;
    all->told = options->told;
    all->on_told = options->on_told;
    all->context = options->context;
    for (unsigned i = 0; i < url->seed_count; i++) {
        struct sentinel *sentinel = &all->each[i];
        sentinel->all = all;
        sentinel->link = new_link(loop, sentinel, &url->seeds[i], options);
        if (sentinel->link == NULL) {
            sentinels_free(all);
            return NULL;
        }
        all->count++;
    }
    return all;
}

void sentinels_start(struct sentinels *all) {
    uv_timer_init(all->loop, &all->timer); /* cannot fail */
    all->timer.data = all;
    uv_timer_start(&all->timer, on_timer, SENTINEL_SEEK_MS, SENTINEL_SEEK_MS);
    for (unsigned i = 0; i < all->count; i++) {
        link_start(all->each[i].link);
    }
}

void sentinels_use_tls(struct sentinels *all, struct tls_context *tls) {
    for (unsigned i = 0; i < all->count; i++) {
        link_use_tls(all->each[i].link, tls_context_share(tls));
    }
}

void sentinels_flush(struct sentinels *all) {
    for (unsigned i = 0; i < all->count; i++) {
        link_flush(all->each[i].link, false);
    }
}

static void part_closed(void *context) {
    struct sentinels *all = context;
    if (--all->open_parts == 0) {
        all->on_closed(all->on_closed_context);
    }
}

static void on_timer_closed(uv_handle_t *timer) {
    part_closed(timer->data);
}

void sentinels_close(struct sentinels *all, void (*on_closed)(void *), void *context) {
    all->is_closing = true;
    all->on_closed = on_closed;
    all->on_closed_context = context;
    all->open_parts = all->count + 1;
    for (unsigned i = 0; i < all->count; i++) {
        link_close(all->each[i].link, part_closed, all);
    }
    uv_close((uv_handle_t *)&all->timer, on_timer_closed);
}

void sentinels_look(const struct sentinels *sentinels, store_visit *visit, void *context) {
    for (unsigned i = 0; i < sentinels->count; i++) {
        const struct sentinel *sentinel = &sentinels->each[i];
        const char *address = link_address(sentinel->link);
        visit(context, &(struct store_node){
                           .address = slice_of_string(address),
                           .role = "sentinel",
                           .trouble = link_trouble(sentinel->link),
                       });
    }
}
