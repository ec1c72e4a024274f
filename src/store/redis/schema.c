/* GET; where there is none, SET ... NX and GET again, since another instance may have been quicker.
 * Reading first, so that a full or read-only Redis that has a schema can still be read. */
#include "store/redis/schema.h"

#include "mintd/log.h"
#include <stdio.h>

#define ROUNDS_MAX 3u /* made and gone again, over and over */

static void send(struct redis_schema *schema, bool make);

static void fail(struct redis_schema *schema, const struct link_result *result) {
    char reason[120] = "its reply to the schema check makes no sense";
    schema->is_open = false;
    const struct reply *reply = result->reply;
    bool is_error = reply != NULL && reply->type == REPLY_ERROR;
    if ((schema->is_moving && result->trouble == STORE_TROUBLE_CLUSTER) ||
        (schema->is_mark && is_error)) {
        schema->is_due = result->trouble == STORE_TROUBLE_CLUSTER;
        return; /* there will be another check */
    }
    if (result->trouble == STORE_TROUBLE_CLUSTER) {
        snprintf(reason, sizeof reason,
                 "it is a node of a cluster: write redis+cluster:// in --redis");
    } else if (is_error) {
        snprintf(reason, sizeof reason, "the schema check was refused: %.*s",
                 (int)(reply->text.size < 80 ? reply->text.size : 80), reply->text.data);
    }
    link_fail(schema->link,
              result->trouble != STORE_TROUBLE_NONE ? result->trouble : STORE_TROUBLE_PROTOCOL,
              reason);
}

static void on_made(void *context, const struct link_result *result) {
    struct redis_schema *schema = context;
    if (result->trouble != STORE_TROUBLE_NONE) {
        fail(schema, result);
    } else {
        send(schema, false);
    }
}

static void end(struct redis_schema *schema, struct slice version) {
    schema->is_open = schema->is_due = false;
    schema->word = slice_is_absent(version) ? SCHEMA_IS_OURS : SCHEMA_IS_OTHER;
    schema->on_checked(schema->context, version);
}

static void on_read(void *context, const struct link_result *result) {
    struct redis_schema *schema = context;
    if (result->trouble == STORE_TROUBLE_WRONGTYPE) {
        end(schema, S("no string"));
    } else if (result->trouble != STORE_TROUBLE_NONE) {
        fail(schema, result);
    } else if (result->reply->type == REPLY_NIL && schema->absent == SCHEMA_ABSENT_IS_OURS) {
        end(schema, SLICE_ABSENT);
    } else if (result->reply->type == REPLY_NIL && schema->absent == SCHEMA_ABSENT_IS_UNTOLD) {
        schema->is_open = schema->is_due = false;
        schema->word = SCHEMA_UNTOLD;
    } else if (result->reply->type == REPLY_NIL && schema->rounds++ < ROUNDS_MAX) {
        send(schema, true);
    } else if (result->reply->type != REPLY_TEXT) {
        fail(schema, result);
    } else if (slice_equal(result->reply->text, S(REDIS_SCHEMA_VERSION))) {
        end(schema, SLICE_ABSENT);
    } else {
        end(schema, result->reply->text);
    }
}

static void send(struct redis_schema *schema, bool make) {
    const struct link_handler handler = {
        .on_reply = make ? on_made : on_read, .context = schema, .replies = 1};
    struct output *out = schema->link == NULL ? NULL : link_begin(schema->link);
    unsigned slot;
    schema->is_open = false;
    if (out == NULL) {
        return; /* the link is busy or down: there will be another check */
    }
    output_command(out, make ? 4 : 2);
    output_argument(out, make ? S("SET") : S("GET"));
    output_joined(out, schema->prefix, schema->key);
    if (make) {
        output_argument(out, S(REDIS_SCHEMA_VERSION));
        output_argument(out, S("NX"));
    }
    schema->is_open = link_end(schema->link, &handler, &slot);
    if (!schema->is_open) {
        link_fail(schema->link, STORE_TROUBLE_DISCONNECTED, "out of memory");
    }
}

void schema_check(struct redis_schema *schema) {
    schema->rounds = 0;
    schema->is_due = true;
    send(schema, false);
}
