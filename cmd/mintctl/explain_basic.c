/* explain_basic.c: the way of Authorization: Basic through mintd: base64, id and secret, the
 * client, which of its secrets it is. */
#include "clients/client_record.h"
#include "explain.h"
#include "mintd/clock.h"
#include "mintd/encoding.h"
#include "output.h"

#define DECODED_MAX 2048u

#define REFUSED(reason) OAUTH_REFUSED_##reason

/* ---- the header; no Redis ---- */

static enum status malformed(struct explanation *e, const char *name, const char *why) {
    return step_refused(&e->steps, REFUSED(MALFORMED_CREDENTIALS), name, "%s", why);
}

static enum status check_decoded(struct explanation *e, struct slice decoded) {
    struct slice secret = decoded, id;
    slice_split(&secret, ':', &id);
    if (slice_is_absent(secret)) {
        return malformed(e, "colon", "there is none between id and secret");
    }
    step_good(&e->steps, "colon", "splits it into an id of %zu bytes and a secret of %zu", id.size,
              secret.size);
    if (secret.size != 0 && memchr("\r\n", secret.data[secret.size - 1], 2) != NULL) {
        return malformed(e, "secret", "it ends with a line break: encode it with printf, not echo");
    }
    return STATUS_DONE;
}

static enum status check_base64(struct explanation *e, struct slice authorization) {
    char storage[DECODED_MAX];
    struct buffer decoded = buffer_of(storage, sizeof storage);
    struct slice rest = authorization, scheme;
    slice_split(&rest, ' ', &scheme);
    struct slice text = slice_is_absent(rest) ? S("") : slice_trim(rest);
    enum status status;
    if (text.size == 0) {
        status = malformed(e, "base64", "nothing stands behind Basic");
    } else if (!base64_decode(text, &decoded)) {
        status = malformed(e, "base64",
                           "what stands behind Basic is not base64 with its padding (RFC 4648 4)");
    } else {
        step_good(&e->steps, "base64", "%zu bytes", decoded.size);
        status = check_decoded(e, buffer_slice(&decoded));
    }
    crypto_wipe(storage, sizeof storage);
    return status;
}

static enum status check_credentials(struct explanation *e, struct slice authorization,
                                     struct oauth_credentials *credentials) {
    enum status status = check_base64(e, authorization);
    if (status != STATUS_DONE) {
        return status;
    }
    oauth_credentials_from_basic(credentials, authorization);
    if (credentials->refusal == OAUTH_REFUSED_NONE) {
        return STATUS_DONE;
    }
    if (credentials->id_size == 0) {
        return step_refused(&e->steps, credentials->refusal, "id",
                            "no client can have it: 1 to 255 of A-Z a-z 0-9 . _ ~ @ / -");
    }
    return malformed(e, "secret", "it is empty, over 1024 bytes, or has control characters");
}

/* ---- the secret ---- */

struct match {
    unsigned number; /* of the stored secret, from 1; 0: none matches */
    unsigned reading;
    uint64_t expired_at; /* 0: it is accepted */
    bool is_unknown;     /* none matches, and one could not be checked */
};

static enum password_verdict verdict_of(const struct oauth_credentials *credentials,
                                        unsigned reading, struct slice stored) {
    return slice_is_absent(stored)
               ? PASSWORD_WRONG
               : password_verify(stored, slice_of(credentials->secrets[reading],
                                                  credentials->secret_sizes[reading]));
}

/* One that is accepted; else one that has expired. */
static struct match find_match(const struct oauth_credentials *credentials,
                               const struct oauth_client *client) {
    struct match found = {0};
    for (unsigned i = 0; i < OAUTH_SECRETS_MAX * credentials->secret_count; i++) {
        unsigned n = i / credentials->secret_count, reading = i % credentials->secret_count;
        const struct oauth_secret *secret = &client->secrets[n];
        enum password_verdict verdict = verdict_of(credentials, reading, secret->stored);
        if (verdict != PASSWORD_RIGHT) {
            found.is_unknown = found.is_unknown || verdict == PASSWORD_NOT_CHECKED;
            continue;
        }
        bool expired = secret->expires != 0 && secret->expires * 1000 <= clock_shared_ms();
        found = (struct match){n + 1, reading, expired ? secret->expires : 0, found.is_unknown};
        if (!expired) {
            break;
        }
    }
    return found;
}

/* Two readings are kept where they differ: form-decoded first, then as sent. */
static const char *reading_name(const struct oauth_credentials *credentials, unsigned reading) {
    return credentials->secret_count == 2 && reading == 0 ? "form-decoded, as RFC 6749 2.3.1 says"
                                                          : "as it was sent";
}

static enum status judge_secret(struct explanation *e, const struct oauth_credentials *credentials,
                                const struct oauth_client *client) {
    char time[TIME_TEXT], span[TIME_TEXT];
    struct match match = find_match(credentials, client);
    if (match.is_unknown && (match.number == 0 || match.expired_at != 0)) {
        say("the secret cannot be checked: not enough memory");
        return STATUS_REFUSED;
    }
    if (match.number == 0) {
        return step_refused(
            &e->steps, REFUSED(WRONG_SECRET), "secret", "it is none of the client's%s",
            credentials->secret_count == 2 ? ", neither form-decoded nor as it was sent" : "");
    }
    if (match.expired_at != 0) {
        uint64_t ago = clock_shared_ms() / 1000 - match.expired_at;
        return step_refused(&e->steps, REFUSED(SECRET_EXPIRED), "secret",
                            "it is secret %u, which expired at %s, %s ago", match.number,
                            time_text(match.expired_at, time), span_text(ago, span));
    }
    step_good(&e->steps, "secret", "it is secret %u, %s", match.number,
              reading_name(credentials, match.reading));
    return STATUS_DONE;
}

/* ---- the client ---- */

static enum status judge_client(struct explanation *e, const struct oauth_credentials *credentials,
                                const struct client_record *record) {
    char key[REDIS_KEY_MAX];
    struct slice id = oauth_credentials_id(credentials);
    const struct oauth_client *client = &record->client;
    if (!record->is_readable) {
        return explain_flaw(e, "client", redis_key(e->redis, "client:", id, key));
    }
    if (!record->is_known) {
        return step_refused(&e->steps, REFUSED(UNKNOWN_CLIENT), "client", "there is no %.*s",
                            (int)id.size, id.data);
    }
    step_good(&e->steps, "client", "%.*s is there", (int)id.size, id.data);
    enum status status = judge_secret(e, credentials, client);
    if (status != STATUS_DONE) {
        return status;
    }
    if (client->disabled) {
        return step_refused(&e->steps, REFUSED(CLIENT_DISABLED), "disabled",
                            "the client is disabled: mintctl client enable lets it in again");
    }
    step_good(&e->steps, "disabled", "no");
    if (!client->may_mint) {
        step_note(&e->steps, "grants",
                  "client_credentials is not among them: it gets no token (unauthorized_client)");
    }
    return STATUS_DONE;
}

static enum status check_client(struct explanation *e,
                                const struct oauth_credentials *credentials) {
    struct client_record record;
    enum status status = client_record_look(e->redis, oauth_credentials_id(credentials), &record);
    if (status == STATUS_DONE) {
        status = judge_client(e, credentials, &record);
        client_record_fini(&record);
    }
    return status;
}

enum status explain_basic(struct explanation *e, struct slice authorization) {
    struct oauth_credentials credentials;
    enum status status = check_credentials(e, authorization, &credentials);
    if (status == STATUS_DONE) {
        status = explain_connect(e);
    }
    if (status == STATUS_DONE) {
        status = check_client(e, &credentials);
    }
    crypto_wipe(&credentials, sizeof credentials);
    return status;
}
