#include "client_options.h"
#include "mintd/quantity.h"
#include "output.h"

/* The values of a repeatable option as a list separated by spaces; an empty one adds nothing. */
static struct slice join(const struct arguments *arguments, const char *flag, struct buffer *list) {
    unsigned place = 0;
    const char *value;
    while ((value = arguments_next(arguments, flag, &place)) != NULL) {
        if (list->size != 0 && *value != '\0') {
            buffer_append_char(list, ' ');
        }
        buffer_append(list, slice_of_string(value));
    }
    return list->size == 0 && !list->overflow ? SLICE_ABSENT : buffer_slice(list);
}

static enum status read_lists(struct client_options *options, const struct arguments *arguments) {
    struct slice *values = options->settings.values;
    options->audience = buffer_of(options->audience_storage, sizeof options->audience_storage);
    options->permissions =
        buffer_of(options->permissions_storage, sizeof options->permissions_storage);
    values[CLIENT_AUDIENCE] = join(arguments, "--audience", &options->audience);
    values[CLIENT_PERMISSIONS] = join(arguments, "--permission", &options->permissions);
    if (options->audience.overflow || options->permissions.overflow) {
        say("--audience and --permission: 1024 bytes at most together");
        return STATUS_USAGE;
    }
    return STATUS_DONE;
}

/* "15m" as "900", which is how Redis has it. */
static enum status read_span(const struct arguments *arguments, const char *flag,
                             struct buffer *digits, struct slice *value) {
    struct slice text = slice_of_string(arguments_value(arguments, flag));
    unsigned long long seconds;
    if (text.size == 0) {
        return STATUS_DONE;
    }
    if (!quantity_seconds(text, OAUTH_TTL_MAX, &seconds) || seconds == 0) {
        say("%s: it is a time like 900, 90s, 15m, 24h or 7d, at most 366d", flag);
        return STATUS_USAGE;
    }
    buffer_append_number(digits, seconds);
    *value = buffer_slice(digits);
    return STATUS_DONE;
}

static struct slice text_of(const struct arguments *arguments, const char *flag) {
    struct slice text = slice_of_string(arguments_value(arguments, flag));
    return text.size == 0 ? SLICE_ABSENT : text;
}

enum status client_options_read(struct client_options *options, const struct arguments *arguments) {
    static const char *const flags[] = {
        [CLIENT_NAME] = "--name",
        [CLIENT_SCOPE] = "--scope",
        [CLIENT_AUDIENCE] = "--audience",
        [CLIENT_DEFAULT_SCOPE] = "--default-scope",
        [CLIENT_TTL] = "--ttl",
        [CLIENT_MAX_TTL] = "--max-ttl",
        [CLIENT_PERMISSIONS] = "--permission",
    };
    struct slice *values = options->settings.values;
    memset(options, 0, sizeof *options);
    for (unsigned i = 0; i < CLIENT_SETTING_COUNT; i++) {
        options->is_given[i] = arguments_has(arguments, flags[i]);
    }
    values[CLIENT_NAME] = text_of(arguments, "--name");
    values[CLIENT_SCOPE] = text_of(arguments, "--scope");
    values[CLIENT_DEFAULT_SCOPE] = text_of(arguments, "--default-scope");
    options->ttl = buffer_of(options->ttl_storage, sizeof options->ttl_storage);
    options->max_ttl = buffer_of(options->max_ttl_storage, sizeof options->max_ttl_storage);
    enum status status = read_lists(options, arguments);
    if (status == STATUS_DONE) {
        status = read_span(arguments, "--ttl", &options->ttl, &values[CLIENT_TTL]);
    }
    if (status == STATUS_DONE) {
        status = read_span(arguments, "--max-ttl", &options->max_ttl, &values[CLIENT_MAX_TTL]);
    }
    return status;
}
