/* GET; where there is none, SET ... NX and GET again, since another instance may have been quicker.
 * Where one is pinned none is made: it would be another one.
 *
 * No answer is not a no: where it cannot be read, what was known stays. */
#include "store/redis/identity.h"

#include "store/link/error.h"
#include <stdio.h>

#define ROUNDS_MAX 3u /* made and gone again, over and over */

static void ask(struct redis_identity *identity, bool make);

bool identity_is_right(const struct redis_identity *identity) {
    return identity->pinned[0] == '\0' || (identity->has_known && !identity->in_doubt &&
                                           strcmp(identity->known, identity->pinned) == 0);
}

bool identity_is_unwatched(const struct redis_identity *identity) {
    return identity->pinned[0] != '\0' && !identity->is_watched;
}

bool identity_is_certain(const struct redis_identity *identity) {
    return identity->pinned[0] == '\0' || (identity->is_watched && identity_is_right(identity));
}

/* Once for as long as it is so. */
static void tell_if_wrong(struct redis_identity *identity) {
    bool is_wrong = !identity_is_right(identity);
    if (is_wrong && !identity->said_wrong) {
        identity->on_news(identity->context, REDIS_IDENTITY_WRONG,
                          slice_of_string(identity->pinned), slice_of_string(identity->known));
    }
    identity->said_wrong = is_wrong;
}

/* Nothing was learned, so a doubt stays. */
static void end_look_in_vain(struct redis_identity *identity) {
    identity->is_open = false;
    identity->on_checked(identity->context);
}

/* Whether who was asked is still the one that has the key, and tells of its changes. */
static bool is_watching(struct redis_identity *identity) {
    bool is_tracked = *identity->is_tracked;
    return is_tracked && identity->find_link(identity->context) == identity->link;
}

static void end_look(struct redis_identity *identity) {
    identity->is_open = false;
    identity->in_doubt = false;
    identity->is_watched = is_watching(identity);
    tell_if_wrong(identity);
    identity->on_checked(identity->context);
}

/* REDIS_IDENTITY_MAX bytes at most. */
static void keep(char *known, struct slice text) {
    if (text.size != 0) {
        memcpy(known, text.data, text.size);
    }
    known[text.size] = '\0';
}

/* `now` is empty where it has none. */
static void take(struct redis_identity *identity, struct slice now) {
    char before[REDIS_IDENTITY_MAX + 1];
    bool is_other = identity->has_known && identity->known[0] != '\0' &&
                    !slice_equal(slice_of_string(identity->known), now);
    memcpy(before, identity->known, sizeof before);
    keep(identity->known, now);
    identity->has_known = true;
    if (is_other) {
        identity->said_wrong = false;
        identity->on_news(identity->context, REDIS_IDENTITY_CHANGED, slice_of_string(before),
                          slice_of_string(identity->known));
    }
    end_look(identity);
}

/* True: the look is over, since there is no reply, or an error that ends the connection. */
static bool is_lost(struct redis_identity *identity, const struct link_result *result) {
    if (result->reply == NULL) {
        identity->is_open = false; /* lost; or it was too big, and is no identity of ours */
        link_fail(identity->link, result->trouble, "its reply about its identity is too big");
        return true;
    }
    if (redis_error_no_master(result->trouble) != NULL) {
        identity->is_open = false;
        link_fail(identity->link, result->trouble, redis_error_no_master(result->trouble));
        return true;
    }
    return false;
}

static void tell_refusal(struct redis_identity *identity, const struct reply *reply) {
    if (!identity->said_refusal) {
        identity->said_refusal = true;
        identity->on_news(identity->context, REDIS_IDENTITY_REFUSED, SLICE_ABSENT, reply->text);
    }
}

/* Any other error may be gone at the next look: a script that runs for long, for instance. */
static bool is_refusal(const struct reply *reply) {
    return slice_starts_with(reply->text, S("NOPERM")) ||
           slice_starts_with(reply->text, S("WRONGTYPE")) ||
           slice_starts_with(reply->text, S("ERR unknown command"));
}

static void on_made(void *context, const struct link_result *result) {
    struct redis_identity *identity = context;
    if (is_lost(identity, result)) {
        return;
    }
    if (result->trouble == STORE_TROUBLE_CLUSTER) { /* another node has the key */
        end_look_in_vain(identity);
    } else if (result->reply->type == REPLY_ERROR) { /* it may not be written: it has none, then */
        tell_refusal(identity, result->reply);
        take(identity, S(""));
    } else {
        ask(identity, false);
    }
}

static bool may_make(struct redis_identity *identity) {
    return identity->seed[0] != '\0' && identity->pinned[0] == '\0' &&
           identity->rounds++ < ROUNDS_MAX;
}

static void on_read(void *context, const struct link_result *result) {
    struct redis_identity *identity = context;
    if (is_lost(identity, result)) {
        return;
    }
    const struct reply *reply = result->reply;
    if (reply->type == REPLY_NIL && may_make(identity)) {
        ask(identity, true);
    } else if (reply->type == REPLY_NIL) {
        take(identity, S(""));
    } else if (reply->type == REPLY_TEXT) {
        size_t size = reply->text.size;
        take(identity,
             slice_of(reply->text.data, size < REDIS_IDENTITY_MAX ? size : REDIS_IDENTITY_MAX));
    } else if (reply->type == REPLY_ERROR && is_refusal(reply)) {
        tell_refusal(identity, reply);
        end_look(identity);
    } else if (reply->type == REPLY_ERROR) {
        end_look_in_vain(identity);
    } else {
        identity->is_open = false;
        link_fail(identity->link, STORE_TROUBLE_PROTOCOL, "a reply is not one to its command");
    }
}

/* Another one each time: the one that an emptied Redis had must not come back. */
static struct slice new_text(struct redis_identity *identity, char *storage, size_t size) {
    int length = snprintf(storage, size, "%s-%x", identity->seed, identity->made++);
    return slice_of(storage, (size_t)length < size ? (size_t)length : size - 1);
}

void identity_put_question(const struct redis_identity *identity, struct output *out) {
    output_command(out, 2);
    output_argument(out, S("GET"));
    output_joined(out, identity->prefix, S(REDIS_IDENTITY_KEY));
}

static void ask(struct redis_identity *identity, bool make) {
    const struct link_handler handler = {
        .on_reply = make ? on_made : on_read, .context = identity, .replies = 1};
    char text[REDIS_IDENTITY_MAX + 1];
    unsigned slot;
    identity->link = identity->find_link(identity->context);
    struct output *out = identity->link == NULL ? NULL : link_begin(identity->link);
    if (out == NULL) { /* the link is busy: there will be another look */
        identity->is_open = false;
        return;
    }
    if (!make) {
        identity_put_question(identity, out);
    } else {
        output_command(out, 4);
        output_argument(out, S("SET"));
        output_joined(out, identity->prefix, S(REDIS_IDENTITY_KEY));
        output_argument(out, new_text(identity, text, sizeof text));
        output_argument(out, S("NX"));
    }
    if (!link_end(identity->link, &handler, &slot)) {
        identity->is_open = false;
        link_fail(identity->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

void identity_check(struct redis_identity *identity) {
    if (!identity->is_open) {
        identity->is_open = true;
        identity->rounds = 0;
        ask(identity, false);
    }
}

/* A look that is under way was not answered before we heard of it, so it is answered behind it. */
void identity_doubt(struct redis_identity *identity) {
    if (identity->seed[0] != '\0') {
        identity->in_doubt = identity->pinned[0] != '\0';
        identity_check(identity);
    }
}

void identity_note_change(struct redis_identity *identity) {
    identity->is_watched = false;
    if (identity->seed[0] != '\0') {
        identity_check(identity);
    }
}

void identity_take_word(struct redis_identity *identity, struct slice now) {
    if (!slice_equal(now, slice_of_string(identity->pinned))) {
        identity_doubt(identity);
    }
}
