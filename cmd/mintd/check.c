#include "check.h"
#include "mintd/http_server.h"
#include "settings.h"
#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX 4096u
#define MASK "***"

/* ---- values ---- */

/* "redis://user:***@host": what stands before the last '@' is a user and a password. */
static void append_url(struct buffer *shown, struct slice url) {
    size_t at = url.size, start = 0;
    while (at > 0 && url.data[at - 1] != '@') {
        at--;
    }
    if (at == 0) {
        buffer_append(shown, url);
        return;
    }
    for (size_t i = 0; i + 2 < at && start == 0; i++) {
        start = memcmp(url.data + i, "://", 3) == 0 ? i + 3 : 0;
    }
    struct slice rest = slice_of(url.data + start, at - 1 - start), user;
    buffer_append(shown, slice_of(url.data, start));
    if (slice_split(&rest, ':', &user) && !slice_is_absent(rest)) {
        buffer_append(shown, user);
        buffer_append_char(shown, ':');
    }
    buffer_append(shown, S(MASK "@"));
    buffer_append(shown, slice_skip(url, at));
}

static void append_value(const struct options *options, const struct setting *setting,
                         struct slice value, struct buffer *shown) {
    if (setting->secrecy == SETTING_PUBLIC || setting->secrecy == SETTING_PUBLIC_IN_FILE) {
        buffer_append(shown, value);
    } else if (setting->secrecy == SETTING_MAY_HOLD_SECRET) {
        append_url(shown, value);
    } else if (strcmp(setting->flag, "--client") == 0) {
        const struct oauth_client_seed *seed = &options->seed;
        buffer_append_format(shown, "%s:" MASK "%s%s", seed->id, seed->scope[0] == '\0' ? "" : ":",
                             seed->scope);
    } else {
        buffer_append(shown, S(MASK));
    }
}

/* What follows from the machine and other settings. Says whether there is such a value. */
static bool append_derived(const struct options *options, const struct setting *setting,
                           struct buffer *shown) {
    const struct instance_options *instance = &options->instance;
    char host[INSTANCE_NAME_MAX + 1] = "";
    if (strcmp(setting->flag, "--workers") == 0) {
        buffer_append_format(shown, "%u", instance->workers);
    } else if (strcmp(setting->flag, "--issuer") == 0) {
        instance_write_issuer(instance, instance->listen[0], shown);
    } else if (strcmp(setting->flag, "--name") == 0) {
        gethostname(host, sizeof host - 1);
        instance_write_name(instance, slice_of_string(host), instance->listen[0], shown);
    } else {
        return false;
    }
    return true;
}

/* The default as --help has it: in the parentheses at its end. */
static void append_default(const struct setting *setting, struct buffer *shown) {
    struct slice help = slice_of_string(setting->help);
    size_t start = help.size;
    if (help.size == 0 || help.data[help.size - 1] != ')') {
        buffer_append(shown, S("none"));
        return;
    }
    while (start > 0 && help.data[start - 1] != '(') {
        start--;
    }
    buffer_append(shown, slice_of(help.data + start, help.size - 1 - start));
}

/* ---- rows ---- */

static void print_source(const struct setting *setting, const struct setting_given *given) {
    switch (given->source) {
    case FROM_DEFAULT:
        puts("default");
        break;
    case FROM_FLAG:
        puts("flag");
        break;
    case FROM_VARIABLE:
        puts(setting->variable);
        break;
    case FROM_FILE:
        printf("%s_FILE\n", setting->variable);
        break;
    }
}

static void show_setting(const struct options *options, const struct setting *setting) {
    char storage[TEXT_MAX];
    struct buffer shown = buffer_of(storage, sizeof storage - 1);
    const struct setting_given *given = &options->given[setting - settings];
    if (given->source == FROM_DEFAULT) {
        bool is_derived = append_derived(options, setting, &shown);
        buffer_append(&shown, is_derived ? S(" (") : S(""));
        append_default(setting, &shown);
        buffer_append(&shown, is_derived ? S(")") : S(""));
    }
    for (unsigned i = 0; i < given->count; i++) {
        buffer_append(&shown, i == 0 ? S("") : S(" "));
        append_value(options, setting, slice_of_string(given->texts[i]), &shown);
    }
    for (size_t i = 0; i < shown.size; i++) { /* nothing that a terminal obeys */
        bool is_control = (unsigned char)storage[i] < 0x20 || storage[i] == 0x7f;
        storage[i] = is_control ? '?' : storage[i];
    }
    storage[shown.size] = '\0';
    printf("%-28s %-40s ", setting->flag, storage);
    print_source(setting, given);
}

/* As the log does at a start. */
static void warn_of_guessed_issuer(const struct instance_options *instance) {
    bool is_local = true;
    for (unsigned i = 0; i < instance->listen_count; i++) {
        is_local = is_local && http_address_is_local(instance->listen[i]);
    }
    if (slice_is_absent(instance->issuer) && !is_local) {
        fputs("mintd: warning: --issuer: " INSTANCE_ISSUER_IS_A_GUESS "\n", stderr);
    }
}

void check_show(const struct options *options) {
    for (unsigned i = 0; i < options->note_count; i++) {
        const struct note *note = &options->notes[i];
        fprintf(stderr, "mintd: warning: %s: %s%s%s\n", note->setting, note->what,
                note->nearest == NULL ? "" : ": is it ",
                note->nearest == NULL ? "" : note->nearest);
    }
    warn_of_guessed_issuer(&options->instance);
    for (size_t i = 0; i < settings_count; i++) {
        show_setting(options, &settings[i]);
    }
    puts("mintd: the configuration is fine");
}
