#include "store/link/greeting.h"

#include "mintd/encoding.h"
#include "mintd/log.h"
#include "store/link/error.h"
#include "store/link/refusal.h"
#include <stdio.h>

static void set_name(struct greeting *greeting, struct slice name) {
    size_t size = name.size < sizeof greeting->name ? name.size : sizeof greeting->name - 1;
    for (size_t i = 0; i < size; i++) {
        greeting->name[i] = word_is_plain(slice_of(name.data + i, 1)) ? name.data[i] : '-';
    }
}

bool greeting_init(struct greeting *greeting, struct traffic *traffic, struct role *role,
                   const struct greeting_options *options) {
    *greeting = (struct greeting){
        .traffic = traffic,
        .role = role,
        .events = options->events,
        .context = options->context,
        .url = options->url,
        .address = options->address,
        .told = options->told,
        .credentials = {.user = options->url->user},
        .is_quiet = options->is_quiet,
    };
    set_name(greeting, options->name);
    return greeting_set_password(greeting, slice_of_string(options->url->password));
}

void greeting_fini(struct greeting *greeting) {
    credentials_fini(&greeting->credentials);
}

bool greeting_set_password(struct greeting *greeting, struct slice password) {
    return credentials_set_password(&greeting->credentials, password);
}

static void fail(const struct greeting *greeting, enum store_trouble trouble, const char *reason) {
    greeting->events->on_failed(greeting->context, trouble, reason);
}

/* Whether there is no reply to look at. */
static bool is_lost(struct greeting *greeting, const struct link_result *result) {
    if (result->reply == NULL) {
        fail(greeting, result->trouble, "a reply to the greeting is too big"); /* if it was that */
    }
    return result->reply == NULL;
}

/* HELLO or AUTH was answered with an error. */
static void refuse(struct greeting *greeting, struct slice text) {
    const struct refusal *refusal = refusal_find(text);
    if (refusal != NULL) {
        if (refusal->trouble == STORE_TROUBLE_NOAUTH) {
            greeting->events->on_refused(greeting->context, refusal->words);
        }
        fail(greeting, refusal->trouble, refusal->words);
        return;
    }
    char reason[STREAM_REASON_MAX];
    struct slice code = redis_error_code(text);
    snprintf(reason, sizeof reason, "it refused the greeting: %.*s",
             (int)(code.size < 32 ? code.size : 32), code.data);
    fail(greeting, redis_error_trouble(text), reason);
}

/* ---- both: the role, the database ---- */

static void on_selected(void *context, const struct link_result *result) {
    struct greeting *greeting = context;
    if (is_lost(greeting, result)) {
        return;
    }
    if (result->reply->type == REPLY_ERROR) {
        char reason[STREAM_REASON_MAX];
        snprintf(reason, sizeof reason, "SELECT %u was refused: %.*s", greeting->url->database,
                 (int)(result->reply->text.size < 100 ? result->reply->text.size : 100),
                 result->reply->text.data);
        fail(greeting, result->trouble, reason);
        return;
    }
    greeting->events->on_greeted(greeting->context);
}

static void ask_select(struct greeting *greeting) {
    if (greeting->url->database == 0) {
        greeting->events->on_greeted(greeting->context);
        return;
    }
    struct output *out = traffic_ask_begin(greeting->traffic);
    output_command(out, 2);
    output_argument(out, S("SELECT"));
    output_number(out, greeting->url->database);
    traffic_ask_end(greeting->traffic, on_selected, greeting);
}

static void on_master(void *context) {
    ask_select(context);
}

static void on_other(void *context, enum store_trouble trouble, const char *reason) {
    fail(context, trouble, reason);
}

static const struct role_events role_events = {.on_master = on_master, .on_other = on_other};

/* ---- RESP2 ---- */

static void on_named(void *context, const struct link_result *result) {
    if (!is_lost(context, result)) { /* the name is a courtesy: refused or not */
        role_ask(((struct greeting *)context)->role, &role_events, context);
    }
}

static void ask_name(struct greeting *greeting) {
    struct output *out = traffic_ask_begin(greeting->traffic);
    output_command(out, 3);
    output_argument(out, S("CLIENT"));
    output_argument(out, S("SETNAME"));
    output_argument(out, slice_of_string(greeting->name));
    traffic_ask_end(greeting->traffic, on_named, greeting);
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
static void say_resp2(struct greeting *greeting, struct slice reply_to_hello) {
    if (!greeting->said_resp2 && !greeting->is_quiet &&
        redis_told_begin(greeting->told, REDIS_REFUSES_HELLO)) {
        log_warning("redis refuses HELLO 3; going on in RESP2, without answers from memory",
                    LOG_STRING("redis", greeting->address), LOG_TEXT("reply", reply_to_hello));
    }
    greeting->said_resp2 = true;
}

static void take_back_resp2(struct greeting *greeting) {
    if (greeting->said_resp2) {
        (void)redis_told_end(greeting->told, REDIS_REFUSES_HELLO);
    }
    greeting->said_resp2 = false;
}

static void greet_resp2(struct greeting *greeting, struct slice reply_to_hello) {
    say_resp2(greeting, reply_to_hello);
    if (!credentials_are_given(&greeting->credentials)) {
        ask_name(greeting);
        return;
    }
    credentials_put_auth(&greeting->credentials, traffic_ask_begin(greeting->traffic));
    traffic_ask_end(greeting->traffic, on_authenticated, greeting);
}

/* ---- a password that was renewed ---- */

static void on_authenticated_again(void *context, const struct link_result *result) {
    struct greeting *greeting = context;
    if (result->reply != NULL && result->trouble == STORE_TROUBLE_NOAUTH) {
        greeting->events->on_refused(greeting->context, "wrong user or password");
    }
}

/* Redis 7.2 and later give no reply at all to an AUTH that they refuse while replies to what came
 * before it are still to be sent. So a PING with a text stands behind it: its reply is the end, and
 * where it comes first the password was refused. */
void greeting_authenticate(struct greeting *greeting) {
    const struct link_handler handler = {
        .on_reply = on_authenticated_again, .context = greeting, .replies = 2};
    struct output *out = traffic_ask_begin(greeting->traffic);
    unsigned slot;
    credentials_put_auth(&greeting->credentials, out);
    output_command(out, 2);
    output_argument(out, S("PING"));
    output_argument(out, S("mintd"));
    if (traffic_end(greeting->traffic, &handler, &slot)) {
        traffic_end_at_text(greeting->traffic, slot);
    } else {
        fail(greeting, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

/* ---- RESP3 ---- */

static void take_version(struct greeting *greeting, const struct reply *hello) {
    struct slice version = reply_find_text(hello, S("version"));
    if (version.size != 0) {
        snprintf(greeting->server_version, sizeof greeting->server_version, "%.*s",
                 (int)version.size, version.data);
    }
}

/* Whatever the words are: HELLO is not to be had, and nothing else is wrong. NOPERM would come to
 * AUTH too, where it is about more than HELLO. */
static bool is_of_hello_alone(struct slice error) {
    enum store_trouble trouble = redis_error_trouble(error);
    return refusal_find(error) == NULL &&
           (trouble == STORE_TROUBLE_PROTOCOL || trouble == STORE_TROUBLE_NOPERM);
}

static void on_hello(void *context, const struct link_result *result) {
    struct greeting *greeting = context;
    const struct reply *reply = result->reply;
    greeting->waits = GREETING_WAITS;
    if (is_lost(greeting, result)) {
        return;
    }
    if (reply->type == REPLY_ERROR) {
        if (is_of_hello_alone(reply->text)) {
            greet_resp2(greeting, redis_error_code(reply->text));
        } else {
            refuse(greeting, reply->text);
        }
    } else if (reply->type == REPLY_ARRAY) { /* what RESP2 has for a map */
        greet_resp2(greeting, S("an array"));
    } else if (reply->type != REPLY_MAP) {
        fail(greeting, STORE_TROUBLE_PROTOCOL, "its reply to HELLO is not a map");
    } else {
        take_back_resp2(greeting);
        greeting->hello = HELLO_IS_FINE;
        greeting->speaks_resp3 = true;
        take_version(greeting, reply);
        role_take(greeting->role, reply, &role_events, greeting);
    }
}

static void ask_hello(struct greeting *greeting) {
    bool has_password = credentials_are_given(&greeting->credentials);
    bool has_name = greeting->name[0] != '\0';
    struct output *out = traffic_ask_begin(greeting->traffic);
    greeting->waits = GREETING_WAITS_FOR_HELLO;
    output_command(out, 2u + (has_password ? CREDENTIALS_OF_HELLO : 0u) + (has_name ? 2u : 0u));
    output_argument(out, S("HELLO"));
    output_argument(out, S("3"));
    if (has_password) {
        credentials_put_to_hello(&greeting->credentials, out);
    }
    if (has_name) {
        output_argument(out, S("SETNAME"));
        output_argument(out, slice_of_string(greeting->name));
    }
    traffic_ask_end(greeting->traffic, on_hello, greeting);
}

/* ---- HELLO is answered by closing the connection ---- */

static void on_life(void *context, const struct link_result *result) {
    struct greeting *greeting = context;
    greeting->waits = GREETING_WAITS;
    if (is_lost(greeting, result)) {
        return;
    }
    const struct reply *reply = result->reply;
    const struct refusal *refusal = reply->type == REPLY_ERROR ? refusal_find(reply->text) : NULL;
    if (refusal != NULL && !slice_equal(refusal->begin, S("NOAUTH"))) {
        fail(greeting, refusal->trouble, refusal->words);
    } else {
        ask_hello(greeting); /* any reply is a sign of life */
    }
}

static void ask_for_life(struct greeting *greeting) {
    struct output *out = traffic_ask_begin(greeting->traffic);
    output_command(out, 1);
    output_argument(out, S("PING"));
    greeting->waits = GREETING_WAITS_FOR_LIFE;
    traffic_ask_end(greeting->traffic, on_life, greeting);
}

void greeting_start(struct greeting *greeting) {
    greeting->speaks_resp3 = false;
    greeting->waits = GREETING_WAITS;
    greeting->server_version[0] = '\0';
    role_start(greeting->role, greeting->hello == HELLO_HANGS_UP);
    switch (greeting->hello) {
    case HELLO_IS_FINE:
        ask_hello(greeting);
        break;
    case HELLO_IS_DOUBTED:
        ask_for_life(greeting);
        break;
    case HELLO_HANGS_UP:
        greeting->hello = HELLO_IS_DOUBTED;
        greet_resp2(greeting, S("none, it closes the connection: maybe a proxy without HELLO"));
        break;
    }
}

void greeting_heard(struct greeting *greeting) {
    if (greeting->waits == GREETING_WAITS_FOR_HELLO) {
        greeting->waits = GREETING_WAITS;
    }
}

void greeting_hung_up(struct greeting *greeting, enum store_trouble trouble, const char *reason) {
    if (greeting->waits == GREETING_WAITS_FOR_LIFE) {
        fail(greeting, trouble,
             greeting->url->is_tls
                 ? "it closes the connection before it says anything; maybe it is no Redis, or "
                   "a proxy whose Redis is away"
                 : "it closes the connection before it says anything; maybe its port is for "
                   "TLS (rediss://), it is no Redis, or a proxy whose Redis is away");
    } else if (greeting->waits != GREETING_WAITS_FOR_HELLO) {
        fail(greeting, trouble, reason);
    } else if (greeting->hello == HELLO_IS_FINE) {
        greeting->hello = HELLO_IS_DOUBTED;
        greeting->events->on_again(greeting->context, "it closed the connection at HELLO");
    } else {
        greeting->hello = HELLO_HANGS_UP;
        greeting->events->on_again(greeting->context,
                                   "it answered PING, and closed the connection at HELLO");
    }
}
