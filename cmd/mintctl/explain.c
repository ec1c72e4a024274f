/* explain.c: mintctl explain: which of the two ways it is. */
#include "explain.h"
#include "clients/flaw.h"
#include "input.h"
#include "mintd/crypto.h"
#include "output.h"
#include "settings.h"
#include "token_record.h"

#define INPUT_MAX (16u * 1024u)

enum status explain_connect(struct explanation *e) {
    return e->redis != NULL ? STATUS_DONE : open_redis(e->arguments, REDIS_REPLICA_TOO, &e->redis);
}

enum status explain_flaw(struct explanation *e, const char *step, struct slice key) {
    char text[REDIS_KEY_MAX];
    struct flaw flaw = flaw_of(e->redis, key);
    return step_refused(&e->steps, OAUTH_REFUSED_RECORD_UNREADABLE, step, "the key %s %s; %s",
                        visible(key, text, sizeof text), flaw.is, flaw.remedy);
}

static bool has_scheme(struct slice text, struct slice scheme) {
    struct slice rest = text, first;
    return slice_split(&rest, ' ', &first) && slice_equal_nocase(first, scheme);
}

static enum status explain_bearer(struct explanation *e, struct slice authorization) {
    struct slice token;
    if (oauth_bearer_token_of(authorization, &token) != OAUTH_REFUSED_NONE) {
        return step_refused(&e->steps, OAUTH_REFUSED_MALFORMED_BEARER, "header",
                            "behind Bearer stands not one token of A-Z a-z 0-9 - . _ ~ + / =: look "
                            "for quotes, spaces, or a variable that was not filled in");
    }
    step_good(&e->steps, "header", "Bearer and one token");
    return explain_token(e, token);
}

/* "Authorization: " may stand in front; a text that is no header is a token. */
static enum status explain_text(struct explanation *e, struct slice text) {
    struct slice rest = text, name;
    slice_split(&rest, ':', &name);
    if (!slice_is_absent(rest) && slice_equal_nocase(slice_trim(name), S("Authorization"))) {
        text = rest;
    }
    text = slice_trim(text);
    if (has_scheme(text, S("Basic"))) {
        return explain_basic(e, text);
    }
    if (has_scheme(text, S("Bearer"))) {
        return explain_bearer(e, text);
    }
    if (memchr(text.data, ' ', text.size) != NULL) {
        return step_refused(&e->steps, OAUTH_REFUSED_NO_TOKEN, "header",
                            "the scheme is neither Bearer nor Basic");
    }
    return explain_token(e, text);
}

enum status explain(const struct arguments *arguments) {
    char text[INPUT_MAX];
    size_t size;
    struct explanation e = {.arguments = arguments};
    bool on_command_line = strcmp(arguments->operands[0], "-") != 0;
    if (!input_read_operand(arguments->operands[0], "token or header", text, sizeof text, &size)) {
        return STATUS_USAGE;
    }
    if (on_command_line) {
        token_warn_of_command_line("a token or a secret");
    }
    enum status status = STATUS_REFUSED;
    if (steps_init(&e.steps, arguments_has(arguments, "--json"))) {
        status = steps_end(&e.steps, explain_text(&e, slice_of(text, size)));
    }
    crypto_wipe(text, sizeof text);
    redis_close(e.redis);
    return status;
}
