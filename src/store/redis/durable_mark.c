/* A write that changes something in any case, so that WAIT is about it and all that came before. */
#include "store/redis/redis_store_internal.h"

#define MARK_SECONDS 1u

static void on_marked(void *context, const struct link_result *result) {
    struct redis_node *node = context;
    if (result->trouble != STORE_TROUBLE_NONE) {
        redis_leave_if_no_master(node, result->trouble);
        durable_end_unchanged(node, result->trouble);
    }
}

static bool skip(struct slice *text, struct slice head) {
    bool is_there = !slice_is_absent(*text) && slice_starts_with(*text, head);
    *text = is_there ? slice_skip(*text, head.size) : *text;
    return is_there;
}

/* Of "DEL key", as it was sent. */
static bool read_key(struct slice command, struct slice *key) {
    struct slice digits;
    unsigned long long size;
    (void)skip(&command, S("*1\r\n$6\r\nASKING\r\n"));
    if (!skip(&command, S("*2\r\n$3\r\nDEL\r\n$")) || !slice_split(&command, '\r', &digits) ||
        !slice_to_number(digits, STORE_KEY_MAX + PREFIX_MAX, &size) || !skip(&command, S("\n")) ||
        command.size < size) {
        return false;
    }
    *key = slice_of(command.data, (size_t)size);
    return true;
}

/* One Redis has one mark; in a cluster it has to lie where the key does. Absent: it is not known
 * where. */
static struct slice mark_of(const struct redis_store *store, struct slice command,
                            struct buffer *text) {
    struct slice key;
    if (store->cluster == NULL) {
        buffer_append(text, store->prefix);
        buffer_append(text, S("wait"));
        return buffer_slice(text);
    }
    return read_key(command, &key)
               ? redis_key_beside(store, S("wait"), slice_skip(key, store->prefix.size), text)
               : SLICE_ABSENT;
}

bool durable_put_mark(struct store_operation *operation, struct slice command) {
    struct redis_node *node = operation->way.node;
    char storage[KEY_BESIDE_MAX];
    struct buffer text = buffer_of(storage, sizeof storage);
    bool is_aside = operation->way.is_aside;
    const struct link_handler handler = {
        .on_reply = on_marked, .context = node, .replies = is_aside ? 2 : 1};
    unsigned slot;
    struct slice mark = mark_of(node->store, command, &text);
    struct output *out = slice_is_absent(mark) ? NULL : link_begin(node->link);
    if (out == NULL) {
        return false;
    }
    if (is_aside) {
        output_command(out, 1);
        output_argument(out, S("ASKING"));
    }
    output_command(out, 4);
    output_argument(out, S("SETEX"));
    output_argument(out, mark);
    output_number(out, MARK_SECONDS);
    output_argument(out, S(""));
    if (!link_end(node->link, &handler, &slot)) {
        return false;
    }
    durable_gather(node, operation);
    return true;
}
