/* Whether a server is the master.
 *
 * Happy path: HELLO without arguments, which every user may ask, names the role. RESP2 is spoken
 * where HELLO was refused, so there ROLE comes first.
 *
 * Failure modes: a way that is refused is not tried again on this connection, the next one is. Who
 * may ask nothing but PING hears of MASTERDOWN and LOADING; then only a write tells that it has
 * become a replica. */
#include "store/link/link_internal.h"

#include "store/link/error.h"

static enum role_way first_way(const struct redis_link *link) {
    static const enum role_way ways[2][2] = {{ROLE_BY_ROLE, ROLE_BY_HELLO},
                                             {ROLE_BY_HELLO, ROLE_BY_ROLE}};
    for (unsigned i = 0; i < 2; i++) {
        enum role_way way = ways[link->speaks_resp3][i];
        if (!link->role_ways_shut[way]) {
            return way;
        }
    }
    return ROLE_BY_PING;
}

/* ---- what was answered ---- */

enum verdict {
    VERDICT_MASTER,
    VERDICT_REPLICA,
    VERDICT_UNTOLD, /* a right reply, but it does not say */
    VERDICT_ALIEN, /* a reply to another command: one was cut, and all that follow are off by one */
};

static enum verdict judge_role(struct slice role) {
    bool is_replica = slice_equal(role, S("replica")) || slice_equal(role, S("slave"));
    return role.size == 0 ? VERDICT_UNTOLD : is_replica ? VERDICT_REPLICA : VERDICT_MASTER;
}

static enum verdict judge_hello(const struct reply *reply) {
    bool is_hello = (reply->type == REPLY_MAP || reply->type == REPLY_ARRAY) &&
                    reply->elements >= 2 &&
                    (greeting_find_text(reply, S("role")).size != 0 ||
                     greeting_find_text(reply, S("server")).size != 0);
    return is_hello ? judge_role(greeting_find_text(reply, S("role"))) : VERDICT_ALIEN;
}

static enum verdict judge(enum role_way way, const struct reply *reply) {
    switch (way) {
    case ROLE_BY_HELLO:
        return judge_hello(reply);
    case ROLE_BY_ROLE:
        return reply->type == REPLY_ARRAY && reply->elements != 0
                   ? judge_role(reply_first(reply)->text)
                   : VERDICT_ALIEN;
    default:
        return reply->type == REPLY_STATUS && slice_equal(reply->text, S("PONG")) ? VERDICT_MASTER
                                                                                  : VERDICT_ALIEN;
    }
}

/* ---- the question ---- */

static void ask(struct redis_link *link);

static void end_well(struct redis_link *link) {
    void (*on_master)(struct redis_link *) = link->on_master;
    link->on_master = NULL;
    on_master(link);
}

static void ask_otherwise(struct redis_link *link) {
    if (link->role_way == ROLE_BY_PING) { /* refused too: it lives, and will not say more */
        end_well(link);
        return;
    }
    link->role_ways_shut[link->role_way] = true;
    ask(link);
}

static void on_verdict(struct redis_link *link, enum verdict verdict) {
    switch (verdict) {
    case VERDICT_MASTER:
        end_well(link);
        break;
    case VERDICT_REPLICA:
        if (link->peer != LINK_TO_MASTER) {
            end_well(link);
            break;
        }
        link->on_master = NULL;
        link_fail(link, STORE_TROUBLE_READONLY,
                  link->state == LINK_UP ? "it has become a replica" : "it is a replica");
        break;
    case VERDICT_UNTOLD:
        ask_otherwise(link);
        break;
    case VERDICT_ALIEN:
        link->on_master = NULL;
        link_fail(link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
        break;
    }
}

static void on_answer(void *context, const struct link_result *result) {
    struct redis_link *link = context;
    const struct reply *reply = result->reply;
    if (reply == NULL) { /* the connection is lost; or it was too big */
        link->on_master = NULL;
        link_fail(link, result->trouble, "a reply about its role is too big");
    } else if (reply->type != REPLY_ERROR) {
        on_verdict(link, judge(link->role_way, reply));
    } else if (redis_error_no_master(result->trouble) != NULL) {
        link->on_master = NULL;
        link_fail(link, result->trouble, redis_error_no_master(result->trouble));
    } else {
        ask_otherwise(link);
    }
}

static void ask(struct redis_link *link) {
    static const struct slice commands[ROLE_WAYS] = {
        [ROLE_BY_HELLO] = SLICE("HELLO"),
        [ROLE_BY_ROLE] = SLICE("ROLE"),
        [ROLE_BY_PING] = SLICE("PING"),
    };
    struct output *out = link_ask_begin(link);
    link->role_way = first_way(link);
    output_command(out, 1);
    output_argument(out, commands[link->role_way]);
    link_ask_end(link, on_answer);
}

void role_ask(struct redis_link *link, void (*on_master)(struct redis_link *link)) {
    link->on_master = on_master;
    link->role_asked_ms = uv_now(link->loop);
    ask(link);
}

void role_take(struct redis_link *link, const struct reply *hello,
               void (*on_master)(struct redis_link *link)) {
    link->on_master = on_master;
    link->role_way = ROLE_BY_HELLO;
    on_verdict(link, judge_role(greeting_find_text(hello, S("role"))));
}
