/* The first words on a connection: HELLO 3 (with AUTH and a name), SELECT; for a server that
 * refuses HELLO, in whatever words: AUTH, CLIENT SETNAME, the question for its role, SELECT, in
 * RESP2.
 *
 * A proxy may refuse HELLO by closing the connection; but so does one whose Redis is away for the
 * moment. So the next connection begins with PING: where that is answered and HELLO is not, the
 * connection behind it does without HELLO; and the one behind that, whenever it comes, asks anew.
 *
 * An error reply to HELLO or AUTH may repeat what it was sent, the password too: only words of our
 * own about it get into the log. */
#include "store/link/link_internal.h"

#include "mintd/log.h"
#include "store/link/error.h"
#include <stdio.h>

static void ask_select(struct redis_link *link);

/* Whether there is no reply to look at. */
static bool is_lost(struct redis_link *link, const struct link_result *result) {
    if (result->reply == NULL) {
        link_fail(link, result->trouble, "a reply to the greeting is too big"); /* if it still is */
    }
    return result->reply == NULL;
}

/* The errors that say of a greeting why there is none. */
struct refusal {
    struct slice begin;
    enum store_trouble trouble;
    const char *words;
};

static const struct refusal *find_refusal(struct slice text) {
    static const struct refusal table[] = {
        {SLICE("NOAUTH"), STORE_TROUBLE_NOAUTH, "it wants a password"},
        {SLICE("WRONGPASS"), STORE_TROUBLE_NOAUTH, "wrong user or password"},
        {SLICE("ERR invalid password"), STORE_TROUBLE_NOAUTH, "wrong password"},
        {SLICE("ERR AUTH"), STORE_TROUBLE_NOAUTH, "it has no password, but we were given one"},
        {SLICE("ERR Client sent AUTH"), STORE_TROUBLE_NOAUTH,
         "it has no password, but we were given one"},
        {SLICE("ERR max number of clients"), STORE_TROUBLE_DISCONNECTED,
         "it has reached its maximum of clients"},
        {SLICE("DENIED"), STORE_TROUBLE_NOAUTH, "its protected mode lets no other host in"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (slice_starts_with(text, table[i].begin)) {
            return &table[i];
        }
    }
    return NULL;
}

/* HELLO or AUTH was answered with an error. */
static void refuse(struct redis_link *link, struct slice text) {
    const struct refusal *refusal = find_refusal(text);
    if (refusal != NULL) {
        if (refusal->trouble == STORE_TROUBLE_NOAUTH && link->events.on_refused != NULL) {
            link->events.on_refused(link->context, refusal->words);
        }
        link_fail(link, refusal->trouble, refusal->words);
        return;
    }
    char reason[LINK_REASON_MAX];
    struct slice code = redis_error_code(text);
    snprintf(reason, sizeof reason, "it refused the greeting: %.*s",
             (int)(code.size < 32 ? code.size : 32), code.data);
    link_fail(link, redis_error_trouble(text), reason);
}

/* ---- RESP2 ---- */

static void on_named(void *context, const struct link_result *result) {
    if (!is_lost(context, result)) { /* the name is a courtesy: refused or not */
        role_ask(context, ask_select);
    }
}

static void ask_name(struct redis_link *link) {
    struct output *out = link_ask_begin(link);
    output_command(out, 3);
    output_argument(out, S("CLIENT"));
    output_argument(out, S("SETNAME"));
    output_argument(out, slice_of_string(link->name));
    link_ask_end(link, on_named);
}

static void put_password(const struct redis_link *link, struct output *out) {
    const struct redis_url *url = &link->url;
    out->secret = true;
    output_command(out, url->user[0] != '\0' ? 3 : 2);
    output_argument(out, S("AUTH"));
    if (url->user[0] != '\0') {
        output_argument(out, slice_of_string(url->user));
    }
    output_argument(out, slice_of(link->password, link->password_size));
}

static void on_authenticated(void *context, const struct link_result *result) {
    if (is_lost(context, result)) {
        return;
    }
    if (result->reply->type == REPLY_ERROR) {
        refuse(context, result->reply->text);
        return;
    }
    ask_name(context);
}

/* Once, however many links meet it; again once HELLO was answered to all of them. Of a Sentinel
 * nobody has to know it. */
static void say_resp2(struct redis_link *link, struct slice reply_to_hello) {
    if (!link->said_resp2 && link->peer != LINK_TO_SENTINEL &&
        redis_told_begin(link->told, REDIS_REFUSES_HELLO)) {
        log_warning("redis refuses HELLO 3; going on in RESP2, without answers from memory",
                    LOG_STRING("redis", link->address), LOG_TEXT("reply", reply_to_hello));
    }
    link->said_resp2 = true;
}

static void take_back_resp2(struct redis_link *link) {
    if (link->said_resp2) {
        (void)redis_told_end(link->told, REDIS_REFUSES_HELLO);
    }
    link->said_resp2 = false;
}

static void greet_resp2(struct redis_link *link, struct slice reply_to_hello) {
    say_resp2(link, reply_to_hello);
    if (link->password_size == 0) {
        ask_name(link);
        return;
    }
    put_password(link, link_ask_begin(link));
    link_ask_end(link, on_authenticated);
}

/* ---- a password that was renewed ---- */

/* The connection stays what it was: the user that it was greeted as. */
static void on_authenticated_again(void *context, const struct link_result *result) {
    struct redis_link *link = context;
    if (result->reply != NULL && result->trouble == STORE_TROUBLE_NOAUTH &&
        link->events.on_refused != NULL) {
        link->events.on_refused(link->context, "wrong user or password");
    }
}

/* Redis 7.2 and later give no reply at all to an AUTH that they refuse while replies to what came
 * before it are still to be sent. So a PING with a text stands behind it: its reply is the end, and
 * where it comes first the password was refused. */
void link_authenticate(struct redis_link *link) {
    const struct link_handler handler = {
        .on_reply = on_authenticated_again, .context = link, .replies = 2};
    struct output *out = link_ask_begin(link);
    unsigned slot;
    put_password(link, out);
    output_command(out, 2);
    output_argument(out, S("PING"));
    output_argument(out, S("mintd"));
    if (link_end(link, &handler, &slot)) {
        link->slots[slot & link->slot_mask].ends_at_text = true;
    } else {
        link_fail(link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

/* ---- RESP3 ---- */

struct slice greeting_find_text(const struct reply *hello, struct slice name) {
    const struct reply *item = reply_first(hello);
    for (uint32_t i = 0; i + 1 < hello->elements; i += 2) {
        const struct reply *value = reply_next(item);
        if (slice_equal(item->text, name)) {
            return value->text;
        }
        item = reply_next(value);
    }
    return SLICE_ABSENT;
}

static void take_version(struct redis_link *link, const struct reply *hello) {
    struct slice version = greeting_find_text(hello, S("version"));
    if (version.size != 0) {
        snprintf(link->server_version, sizeof link->server_version, "%.*s", (int)version.size,
                 version.data);
    }
}

/* Whatever the words are: HELLO is not to be had, and nothing else is wrong. NOPERM would come to
 * AUTH too, where it is about more than HELLO. */
static bool is_of_hello_alone(struct slice error) {
    enum store_trouble trouble = redis_error_trouble(error);
    return find_refusal(error) == NULL &&
           (trouble == STORE_TROUBLE_PROTOCOL || trouble == STORE_TROUBLE_NOPERM);
}

static void on_hello(void *context, const struct link_result *result) {
    struct redis_link *link = context;
    const struct reply *reply = result->reply;
    link->greeting_waits = GREETING_WAITS;
    if (is_lost(link, result)) {
        return;
    }
    if (reply->type == REPLY_ERROR) {
        if (is_of_hello_alone(reply->text)) {
            greet_resp2(link, redis_error_code(reply->text));
        } else {
            refuse(link, reply->text);
        }
    } else if (reply->type == REPLY_ARRAY) { /* what RESP2 has for a map */
        greet_resp2(link, S("an array"));
    } else if (reply->type != REPLY_MAP) {
        link_fail(link, STORE_TROUBLE_PROTOCOL, "its reply to HELLO is not a map");
    } else {
        take_back_resp2(link);
        link->hello = HELLO_IS_FINE;
        link->speaks_resp3 = true;
        take_version(link, reply);
        role_take(link, reply, ask_select);
    }
}

static void ask_hello(struct redis_link *link) {
    const struct redis_url *url = &link->url;
    bool has_password = link->password_size != 0;
    bool has_name = link->name[0] != '\0';
    struct output *out = link_ask_begin(link);
    link->greeting_waits = GREETING_WAITS_FOR_HELLO;
    out->secret = has_password;
    output_command(out, 2u + (has_password ? 3u : 0u) + (has_name ? 2u : 0u));
    output_argument(out, S("HELLO"));
    output_argument(out, S("3"));
    if (has_password) {
        output_argument(out, S("AUTH"));
        output_argument(out, url->user[0] != '\0' ? slice_of_string(url->user) : S("default"));
        output_argument(out, slice_of(link->password, link->password_size));
    }
    if (has_name) {
        output_argument(out, S("SETNAME"));
        output_argument(out, slice_of_string(link->name));
    }
    link_ask_end(link, on_hello);
}

/* ---- HELLO is answered by closing the connection ---- */

static void on_life(void *context, const struct link_result *result) {
    struct redis_link *link = context;
    link->greeting_waits = GREETING_WAITS;
    if (is_lost(link, result)) {
        return;
    }
    const struct reply *reply = result->reply;
    const struct refusal *refusal = reply->type == REPLY_ERROR ? find_refusal(reply->text) : NULL;
    if (refusal != NULL && !slice_equal(refusal->begin, S("NOAUTH"))) {
        link_fail(link, refusal->trouble, refusal->words);
    } else {
        ask_hello(link); /* any reply is a sign of life */
    }
}

static void ask_for_life(struct redis_link *link) {
    struct output *out = link_ask_begin(link);
    output_command(out, 1);
    output_argument(out, S("PING"));
    link->greeting_waits = GREETING_WAITS_FOR_LIFE;
    link_ask_end(link, on_life);
}

void greeting_start(struct redis_link *link) {
    link->speaks_resp3 = false;
    link->greeting_waits = GREETING_WAITS;
    link->server_version[0] = '\0';
    link->on_master = NULL;
    memset(link->role_ways_shut, 0, sizeof link->role_ways_shut);
    switch (link->hello) {
    case HELLO_IS_FINE:
        ask_hello(link);
        break;
    case HELLO_IS_DOUBTED:
        ask_for_life(link);
        break;
    case HELLO_HANGS_UP:
        link->hello = HELLO_IS_DOUBTED;
        link->role_ways_shut[ROLE_BY_HELLO] = true;
        greet_resp2(link, S("none, it closes the connection: maybe a proxy without HELLO"));
        break;
    }
}

void greeting_hung_up(struct redis_link *link, enum store_trouble trouble, const char *reason) {
    if (link->greeting_waits == GREETING_WAITS_FOR_LIFE) {
        link_fail(
            link, trouble,
            link->url.is_tls
                ? "it closes the connection before it says anything; maybe it is no Redis, or "
                  "a proxy whose Redis is away"
                : "it closes the connection before it says anything; maybe its port is for "
                  "TLS (rediss://), it is no Redis, or a proxy whose Redis is away");
    } else if (link->greeting_waits != GREETING_WAITS_FOR_HELLO) {
        link_fail(link, trouble, reason);
    } else if (link->hello == HELLO_IS_FINE) {
        link->hello = HELLO_IS_DOUBTED;
        link_leave(link, "it closed the connection at HELLO");
    } else {
        link->hello = HELLO_HANGS_UP;
        link_leave(link, "it answered PING, and closed the connection at HELLO");
    }
}

/* ---- both ---- */

static void on_selected(void *context, const struct link_result *result) {
    struct redis_link *link = context;
    if (is_lost(link, result)) {
        return;
    }
    if (result->reply->type == REPLY_ERROR) {
        char reason[LINK_REASON_MAX];
        snprintf(reason, sizeof reason, "SELECT %u was refused: %.*s", link->url.database,
                 (int)(result->reply->text.size < 100 ? result->reply->text.size : 100),
                 result->reply->text.data);
        link_fail(link, result->trouble, reason);
        return;
    }
    link->events.on_greeting(link->context);
}

static void ask_select(struct redis_link *link) {
    if (link->url.database == 0) {
        link->events.on_greeting(link->context);
        return;
    }
    struct output *out = link_ask_begin(link);
    output_command(out, 2);
    output_argument(out, S("SELECT"));
    output_number(out, link->url.database);
    link_ask_end(link, on_selected);
}
