/* token_record_read: any text; a record that was read is the same when written and read again. */
#include "fuzz/fuzz.h"
#include "oauth/token.h"

#define TEXT_MAX (OAUTH_CLIENT_ID_MAX + OAUTH_SCOPE_MAX + OAUTH_AUDIENCE_MAX)

static void require_equal(const struct token_record *a, const struct token_record *b) {
    FUZZ_REQUIRE(slice_equal(a->client_id, b->client_id) && slice_equal(a->scope, b->scope) &&
                 slice_equal(a->audience, b->audience));
    FUZZ_REQUIRE(a->issued_at == b->issued_at && a->expires_at == b->expires_at);
    FUZZ_REQUIRE(a->generation == b->generation && a->global_generation == b->global_generation);
}

static void require_visible(struct slice list) {
    for (size_t i = 0; i < list.size; i++) {
        FUZZ_REQUIRE(list.data[i] >= ' ' && list.data[i] <= '~');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char storage[TEXT_MAX], storage_again[TEXT_MAX], json_storage[8 * TEXT_MAX];
    struct buffer text = buffer_of(storage, sizeof storage);
    struct token_record record, again;
    memset(&record, 0xa5, sizeof record);
    if (!token_record_read(fuzz_input(data, size), &record, &text)) {
        return 0;
    }
    FUZZ_REQUIRE(record.client_id.size != 0 && record.expires_at != 0);
    require_visible(record.scope);
    require_visible(record.audience);
    if (!oauth_client_id_is_valid(record.client_id)) {
        return 0; /* may be no UTF-8, which is not written as it was read */
    }
    struct buffer json = buffer_of(json_storage, sizeof json_storage);
    struct buffer text_again = buffer_of(storage_again, sizeof storage_again);
    token_record_write(&record, &json);
    FUZZ_REQUIRE(!json.overflow && token_record_read(buffer_slice(&json), &again, &text_again));
    require_equal(&record, &again);
    return 0;
}
