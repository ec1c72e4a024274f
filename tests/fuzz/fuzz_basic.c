/* oauth_credentials_from_basic: any header, and "Basic" with the base64 of any bytes; and
 * oauth_credentials_from_body: any id and secret, of which a colon is between. */
#include "fuzz/fuzz.h"
#include "mintd/encoding.h"
#include "mintd/oauth.h"

#define PAIR_MAX 6000u

static void require_well_formed(const struct oauth_credentials *credentials) {
    FUZZ_REQUIRE(oauth_client_id_is_valid(oauth_credentials_id(credentials)));
    FUZZ_REQUIRE(credentials->secret_count == 1 || credentials->secret_count == 2);
    for (unsigned i = 0; i < credentials->secret_count; i++) {
        FUZZ_REQUIRE(credentials->secret_sizes[i] != 0);
        FUZZ_REQUIRE(credentials->secret_sizes[i] <= PASSWORD_SECRET_MAX);
        for (size_t at = 0; at < credentials->secret_sizes[i]; at++) {
            unsigned char c = (unsigned char)credentials->secrets[i][at];
            FUZZ_REQUIRE(c >= 0x20 && c != 0x7f);
        }
    }
}

static void read_header(struct slice header, struct oauth_credentials *credentials) {
    memset(credentials, 0xa5, sizeof *credentials);
    oauth_credentials_from_basic(credentials, header);
    if (credentials->refusal == OAUTH_REFUSED_NONE) {
        require_well_formed(credentials);
    } else {
        FUZZ_REQUIRE(credentials->refusal == OAUTH_REFUSED_MALFORMED_CREDENTIALS ||
                     credentials->refusal == OAUTH_REFUSED_CLIENT_ID_CHARACTER);
    }
}

/* What can be sent as it is must arrive as it is, in the last reading. */
static void require_arrival(struct slice pair, const struct oauth_credentials *credentials) {
    struct slice secret = pair, id;
    slice_split(&secret, ':', &id);
    if (credentials->refusal == OAUTH_REFUSED_NONE) {
        unsigned last = credentials->secret_count - 1;
        struct slice raw = slice_of(credentials->secrets[last], credentials->secret_sizes[last]);
        FUZZ_REQUIRE(slice_equal(raw, secret) || secret.size > PASSWORD_SECRET_MAX);
    }
}

static void read_body(struct slice pair, struct oauth_credentials *credentials) {
    struct slice secret = pair, id;
    slice_split(&secret, ':', &id);
    memset(credentials, 0xa5, sizeof *credentials);
    oauth_credentials_from_body(credentials, id, secret);
    if (credentials->refusal == OAUTH_REFUSED_NONE) {
        require_well_formed(credentials);
        FUZZ_REQUIRE(credentials->secret_count == 1);
        FUZZ_REQUIRE(slice_equal(oauth_credentials_id(credentials), id));
    }
    FUZZ_REQUIRE((credentials->refusal == OAUTH_REFUSED_NO_CREDENTIALS) == (secret.size == 0));
}

/* Nothing of a secret is left. */
static void require_wiped(struct oauth_credentials *credentials) {
    oauth_credentials_wipe(credentials);
    for (unsigned i = 0; i < credentials->secret_count; i++) {
        for (size_t at = 0; at < credentials->secret_sizes[i]; at++) {
            FUZZ_REQUIRE(credentials->secrets[i][at] == '\0');
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct oauth_credentials credentials;
    static char storage[PAIR_MAX * 4 / 3 + 16];
    struct slice input = fuzz_input(data, size);
    read_header(input, &credentials);
    if (size <= PAIR_MAX) {
        struct buffer header = buffer_of(storage, sizeof storage);
        buffer_append(&header, S("Basic "));
        base64_encode_unpadded(data, size, &header);
        while ((header.size - strlen("Basic ")) % 4 != 0) {
            buffer_append_char(&header, '=');
        }
        read_header(buffer_slice(&header), &credentials);
        require_arrival(input, &credentials);
        require_wiped(&credentials);
    }
    read_body(input, &credentials);
    return 0;
}
