/* credentials.c: what a request offers as its client's name and secret (RFC 7617, RFC 6749 2.3.1).
 *
 * RFC 6749 has id and secret form-encoded inside Basic; most clients send them raw. Both readings
 * of the secret are kept, and both are always tried. Ids need no second reading: no valid id
 * changes when it is decoded. */
#include "mintd/encoding.h"
#include "oauth/oauth_internal.h"

#define BASIC_MAX 4096u /* bytes of id, colon and secret, each byte of which may be %XX */

static bool has_control_bytes(struct slice s) {
    bool any = false;
    for (size_t i = 0; i < s.size; i++) {
        any |= (unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f;
    }
    return any;
}

bool oauth_secret_is_valid(struct slice secret) {
    return secret.size != 0 && secret.size <= PASSWORD_SECRET_MAX && !has_control_bytes(secret);
}

static bool keep_id(struct oauth_credentials *credentials, struct slice id) {
    if (!oauth_client_id_is_valid(id)) {
        if (!oauth_client_id_has_alphabet(id)) {
            credentials->refusal = OAUTH_REFUSED_CLIENT_ID_CHARACTER;
        }
        return false;
    }
    memcpy(credentials->id, id.data, id.size);
    credentials->id_size = id.size;
    return true;
}

static bool keep_secret(struct oauth_credentials *credentials, struct slice secret) {
    if (!oauth_secret_is_valid(secret)) {
        return false;
    }
    unsigned index = credentials->secret_count++;
    memcpy(credentials->secrets[index], secret.data, secret.size);
    credentials->secret_sizes[index] = secret.size;
    return true;
}

void oauth_credentials_init(struct oauth_credentials *credentials) {
    credentials->refusal = OAUTH_REFUSED_NO_CREDENTIALS;
    credentials->id_size = 0;
    credentials->secret_count = 0;
}

void oauth_credentials_wipe(struct oauth_credentials *credentials) {
    while (credentials->secret_count != 0) {
        unsigned last = --credentials->secret_count;
        crypto_wipe(credentials->secrets[last], credentials->secret_sizes[last]);
    }
}

struct slice oauth_credentials_id(const struct oauth_credentials *credentials) {
    return slice_of(credentials->id, credentials->id_size);
}

/* The bytes behind "Basic ", decoded; false where they are not what they should be. */
static bool read_basic(struct slice authorization, struct buffer *decoded) {
    struct slice rest = authorization;
    struct slice scheme = SLICE_ABSENT;
    slice_split(&rest, ' ', &scheme);
    return slice_equal_nocase(scheme, S("Basic")) && !slice_is_absent(rest) &&
           base64_decode(slice_trim(rest), decoded);
}

static bool keep_both_readings(struct oauth_credentials *credentials, struct slice raw_id,
                               struct slice raw_secret) {
    char storage[BASIC_MAX];
    struct buffer id = buffer_of(storage, sizeof storage);
    bool kept = keep_id(credentials, form_decode(raw_id, &id) ? buffer_slice(&id) : raw_id);
    struct buffer secret = buffer_of(storage, sizeof storage);
    if (kept && form_decode(raw_secret, &secret) &&
        !slice_equal(buffer_slice(&secret), raw_secret)) {
        keep_secret(credentials, buffer_slice(&secret));
    }
    crypto_wipe(storage, secret.size); /* what cannot be decoded is wiped already */
    keep_secret(credentials, raw_secret);
    return kept && credentials->secret_count != 0;
}

void oauth_credentials_from_basic(struct oauth_credentials *credentials,
                                  struct slice authorization) {
    char storage[BASIC_MAX];
    struct buffer decoded = buffer_of(storage, sizeof storage);
    oauth_credentials_init(credentials);
    credentials->refusal = OAUTH_REFUSED_MALFORMED_CREDENTIALS;
    if (read_basic(authorization, &decoded)) {
        struct slice secret = buffer_slice(&decoded);
        struct slice id;
        slice_split(&secret, ':', &id);
        if (!slice_is_absent(secret) && keep_both_readings(credentials, id, secret)) {
            credentials->refusal = OAUTH_REFUSED_NONE;
        }
    }
    crypto_wipe(storage, decoded.size);
}

void oauth_credentials_from_body(struct oauth_credentials *credentials, struct slice id,
                                 struct slice secret) {
    oauth_credentials_init(credentials);
    credentials->refusal = OAUTH_REFUSED_MALFORMED_CREDENTIALS;
    if (secret.size == 0) {
        credentials->refusal = OAUTH_REFUSED_NO_CREDENTIALS;
    } else if (keep_id(credentials, id) && keep_secret(credentials, secret)) {
        credentials->refusal = OAUTH_REFUSED_NONE;
    }
}
