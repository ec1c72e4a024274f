/* client_options.h: what a client may have, as the options of a command say it. */
#ifndef MINTCTL_CLIENT_OPTIONS_H
#define MINTCTL_CLIENT_OPTIONS_H

#include "clients/client_settings.h"
#include "command.h"

#define CLIENT_OPTIONS_LIST_MAX (OAUTH_AUDIENCE_MAX + 64u)

struct client_options {
    bool is_given[CLIENT_SETTING_COUNT];
    struct client_settings settings; /* absent where not given, or given empty */
    struct buffer audience, permissions, ttl, max_ttl;
    char audience_storage[CLIENT_OPTIONS_LIST_MAX], permissions_storage[CLIENT_OPTIONS_LIST_MAX];
    char ttl_storage[24], max_ttl_storage[24];
};

/* --name, --scope, --default-scope, --audience, --ttl, --max-ttl, --permission; as far as each can
 * be judged without the others. USAGE, said. */
enum status client_options_read(struct client_options *options, const struct arguments *arguments);

#endif
