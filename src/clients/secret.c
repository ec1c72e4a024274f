#include "clients/secret.h"
#include "mintd/say.h"
#include "mintd/text_flaw.h"
#include "oauth/token.h"

#define SHORT_SECRET 16u

static bool has_control_bytes(struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* The fast hash is for secrets of ours alone: they cannot be guessed. */
static enum status hash(struct secret *secret) {
    struct slice text = slice_of(secret->text, secret->size);
    struct buffer stored = buffer_of(secret->stored, sizeof secret->stored - 1);
    bool ours = token_text_is_valid(S("mts_"), text);
    bool hashed = ours ? password_hash_fast(text, &stored) : password_hash_slow(text, &stored);
    if (!hashed || stored.overflow) {
        say("the secret could not be hashed: not enough memory or randomness");
        return STATUS_REFUSED;
    }
    secret->stored[stored.size] = '\0';
    return STATUS_DONE;
}

static enum status judge(const struct secret *secret) {
    struct slice text = slice_of(secret->text, secret->size);
    enum text_flaw flaw = text_flaw(text);
    if (flaw == TEXT_FLAW_UTF16 || flaw == TEXT_FLAW_BOM) {
        say("the secret: %s", text_flaw_words(flaw));
        return STATUS_REFUSED;
    }
    if (text.size == 0 || text.size > PASSWORD_SECRET_MAX || has_control_bytes(text)) {
        say("a secret is 1 to %u bytes without control characters", PASSWORD_SECRET_MAX);
        return STATUS_REFUSED;
    }
    if (text.size < SHORT_SECRET) {
        say("warning: a secret of less than %u characters can be guessed", SHORT_SECRET);
    }
    return STATUS_DONE;
}

enum status secret_set(struct secret *secret, struct slice text) {
    memset(secret, 0, sizeof *secret);
    if (text.size <= PASSWORD_SECRET_MAX) {
        memcpy(secret->text, text.data, text.size);
        secret->size = text.size;
    }
    enum status status = judge(secret);
    return status == STATUS_DONE ? hash(secret) : status;
}

enum status secret_make(struct secret *secret) {
    memset(secret, 0, sizeof *secret);
    secret->crypto = crypto_new();
    if (secret->crypto == NULL || !token_text_make(secret->crypto, S("mts_"), secret->text)) {
        say("no secret can be made: the random generator fails");
        return STATUS_REFUSED;
    }
    secret->is_made = true;
    secret->size = OAUTH_TOKEN_SIZE;
    return hash(secret);
}

void secret_fini(struct secret *secret) {
    crypto_free(secret->crypto);
    crypto_wipe(secret, sizeof *secret);
}

bool secret_random_generation(struct crypto *crypto, uint64_t *generation) {
    uint32_t random = 0;
    bool ok = crypto_random(crypto, &random, sizeof random);
    *generation = random;
    return ok;
}
