/* health.c: mintctl health: the URL, or what the environment says of the instance beside us. */
#include "health.h"
#include "command.h"
#include "environment.h"
#include "output.h"

#define DEFAULT_LISTEN "127.0.0.1:4001 [::1]:4001"

static enum status tell(bool answered, bool ready, const char *where) {
    if (!answered) {
        say("%s: no connection", where);
    }
    return answered && ready ? STATUS_DONE : STATUS_REFUSED;
}

static enum status ask_url(const struct arguments *arguments, const char *url) {
    struct health_target target;
    bool answered;
    if (!health_target_read(url, &target)) {
        say("the URL is http://host[:port][/path], https://host[:port][/path] or unix:/path");
        return STATUS_USAGE;
    }
    target.ca_file = arguments_value(arguments, "--ca");
    target.believes_all = arguments_has(arguments, "--insecure");
    bool ready = health_ask(&target, &answered);
    return tell(answered, ready, url);
}

/* The first listener that can be reached answers for all. */
static enum status ask_listeners(const char *listen) {
    const char *certificate = environment_value("MINTD_TLS_CERT");
    struct slice rest = slice_of_string(listen), address;
    while (slice_next_word(&rest, &address)) {
        struct health_target targets[2];
        char text[HEALTH_PART_MAX];
        snprintf(text, sizeof text, "%.*s", (int)address.size, address.data);
        unsigned count = health_targets_of_listener(text, targets);
        if (count == 0) {
            say("MINTD_LISTEN: it is host:port, [v6]:port, :port or unix:/path");
            return STATUS_USAGE;
        }
        for (unsigned i = 0; i < count; i++) {
            bool answered;
            targets[i].is_tls = certificate != NULL && !targets[i].is_unix;
            targets[i].believes_all = true; /* it is compared */
            targets[i].own_certificate = certificate;
            bool ready = health_ask(&targets[i], &answered);
            if (answered) {
                return tell(true, ready, text);
            }
        }
    }
    return tell(false, false, listen);
}

enum status health(const struct arguments *arguments) {
    const char *url = arguments->operands[0], *listen = environment_value("MINTD_LISTEN");
    bool says_whom = arguments_has(arguments, "--ca") || arguments_has(arguments, "--insecure");
    if (url != NULL) {
        return ask_url(arguments, url);
    }
    if (says_whom) {
        say("--ca and --insecure: they go with a URL");
        return STATUS_USAGE;
    }
    return ask_listeners(listen == NULL ? DEFAULT_LISTEN : listen);
}
