/* health.c: mintctl health: the URL, or what the environment says of the instance beside us. */
#include "health.h"
#include "command.h"
#include "environment.h"
#include "output.h"

#define READY 200u
#define DEFAULT_LISTEN "127.0.0.1:4001 [::1]:4001"

/* As it is where that is visible text, JSON for instance: scripts may read it. Else escaped. */
static void copy_words(const char *body, char *words, size_t size) {
    for (const char *c = body; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            visible(slice_of_string(body), words, size);
            return;
        }
    }
    snprintf(words, size, "%s", body);
}

static void tell_people(const struct health_answer *answer, const char *host) {
    char words[HEALTH_ANSWER_MAX];
    copy_words(answer->body, words, sizeof words);
    if (answer->status == READY) {
        puts(words);
    } else if (answer->status != 0) {
        say("%s: %s", host, words);
    }
}

/* The body as what it is where it is JSON, else as a text. */
static bool tell_programs(const struct health_answer *answer, const char *where) {
    cJSON *object = cJSON_CreateObject();
    json_add_text(object, "address", slice_of_string(where));
    cJSON_AddBoolToObject(object, "ready", answer->status == READY);
    if (answer->status != 0) {
        cJSON *body = cJSON_ParseWithOpts(answer->body, NULL, true);
        json_add_number(object, "status", answer->status);
        if (body == NULL) {
            json_add_text(object, "answer", slice_of_string(answer->body));
        } else if (!cJSON_AddItemToObject(object, "answer", body)) {
            cJSON_Delete(body);
        }
    }
    return json_print_line(object);
}

static enum status tell(const struct arguments *arguments, const struct health_answer *answer,
                        const char *host, const char *where) {
    bool is_told = true;
    if (!answer->is_connected) {
        say("%s: no connection", where);
    }
    if (arguments_has(arguments, "--json")) {
        is_told = tell_programs(answer, where);
    } else {
        tell_people(answer, host);
    }
    return is_told && answer->status == READY ? STATUS_DONE : STATUS_REFUSED;
}

static enum status ask_url(const struct arguments *arguments, const char *url) {
    struct health_target target;
    struct health_answer answer;
    if (!health_target_read(url, &target)) {
        say("the URL is http://host[:port][/path], https://host[:port][/path] or unix:/path");
        return STATUS_USAGE;
    }
    target.ca_file = arguments_value(arguments, "--ca");
    target.believes_all = arguments_has(arguments, "--insecure");
    health_ask(&target, &answer);
    return tell(arguments, &answer, target.host, url);
}

/* The first listener that can be reached answers for all. */
static enum status ask_listeners(const struct arguments *arguments, const char *listen) {
    const char *certificate = environment_value("MINTD_TLS_CERT");
    struct slice rest = slice_of_string(listen), address;
    struct health_answer answer = {.is_connected = false};
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
            targets[i].is_tls = certificate != NULL && !targets[i].is_unix;
            targets[i].believes_all = true; /* it is compared */
            targets[i].own_certificate = certificate;
            health_ask(&targets[i], &answer);
            if (answer.is_connected) {
                return tell(arguments, &answer, targets[i].host, text);
            }
        }
    }
    return tell(arguments, &answer, listen, listen);
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
    return ask_listeners(arguments, listen == NULL ? DEFAULT_LISTEN : listen);
}
