#include "store/link/role.h"

#include "store/link/error.h"

void role_init(struct role *role, struct traffic *traffic, bool takes_replica) {
    *role = (struct role){.traffic = traffic, .takes_replica = takes_replica};
}

void role_start(struct role *role, bool is_without_hello) {
    role->asker = NULL;
    memset(role->ways_shut, 0, sizeof role->ways_shut);
    role->ways_shut[ROLE_BY_HELLO] = is_without_hello;
    role->speaks_hello = role->was_master = false;
}

static enum role_way first_way(const struct role *role) {
    static const enum role_way ways[2][2] = {{ROLE_BY_ROLE, ROLE_BY_HELLO},
                                             {ROLE_BY_HELLO, ROLE_BY_ROLE}};
    for (unsigned i = 0; i < 2; i++) {
        enum role_way way = ways[role->speaks_hello][i];
        if (!role->ways_shut[way] && !role->ways_busy[way]) {
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
                    (reply_find_text(reply, S("role")).size != 0 ||
                     reply_find_text(reply, S("server")).size != 0);
    return is_hello ? judge_role(reply_find_text(reply, S("role"))) : VERDICT_ALIEN;
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

static void ask(struct role *role);

static void begin(struct role *role, const struct role_events *asker, void *context) {
    role->asker = asker;
    role->context = context;
    memset(role->ways_busy, 0, sizeof role->ways_busy);
}

static void end_well(struct role *role) {
    const struct role_events *asker = role->asker;
    role->asker = NULL;
    role->was_master = true;
    asker->on_master(role->context);
}

static void end_badly(struct role *role, enum store_trouble trouble, const char *reason) {
    const struct role_events *asker = role->asker;
    role->asker = NULL;
    asker->on_other(role->context, trouble, reason);
}

/* for_good: also the next time. */
static void ask_otherwise(struct role *role, bool for_good) {
    if (role->way == ROLE_BY_PING) { /* refused too: it lives, and will not say more */
        end_well(role);
        return;
    }
    (for_good ? role->ways_shut : role->ways_busy)[role->way] = true;
    ask(role);
}

static void on_verdict(struct role *role, enum verdict verdict) {
    switch (verdict) {
    case VERDICT_MASTER:
        end_well(role);
        break;
    case VERDICT_REPLICA:
        if (role->takes_replica) {
            end_well(role);
            break;
        }
        end_badly(role, STORE_TROUBLE_READONLY,
                  role->was_master ? "it has become a replica" : "it is a replica");
        break;
    case VERDICT_UNTOLD:
        ask_otherwise(role, true);
        break;
    case VERDICT_ALIEN:
        end_badly(role, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
        break;
    }
}

static void on_answer(void *context, const struct link_result *result) {
    struct role *role = context;
    const struct reply *reply = result->reply;
    if (reply == NULL) { /* the connection is lost; or it was too big */
        end_badly(role, result->trouble, "a reply about its role is too big");
    } else if (reply->type != REPLY_ERROR) {
        on_verdict(role, judge(role->way, reply));
    } else if (redis_error_no_master(result->trouble) != NULL) {
        end_badly(role, result->trouble, redis_error_no_master(result->trouble));
    } else {
        struct slice code = redis_error_code(reply->text);
        ask_otherwise(role, slice_equal(code, S("NOPERM")) || slice_equal(code, S("ERR")));
    }
}

static void ask(struct role *role) {
    static const struct slice commands[ROLE_WAYS] = {
        [ROLE_BY_HELLO] = SLICE("HELLO"),
        [ROLE_BY_ROLE] = SLICE("ROLE"),
        [ROLE_BY_PING] = SLICE("PING"),
    };
    struct output *out = traffic_ask_begin(role->traffic);
    role->way = first_way(role);
    output_command(out, 1);
    output_argument(out, commands[role->way]);
    traffic_ask_end(role->traffic, on_answer, role);
}

void role_ask(struct role *role, const struct role_events *asker, void *context) {
    begin(role, asker, context);
    ask(role);
}

void role_take(struct role *role, const struct reply *hello, const struct role_events *asker,
               void *context) {
    begin(role, asker, context);
    role->speaks_hello = true;
    role->way = ROLE_BY_HELLO;
    on_verdict(role, judge_role(reply_find_text(hello, S("role"))));
}
