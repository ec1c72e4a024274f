#include "oauth/token.h"
#include "mintd/encoding.h"
#include "oauth/oauth_internal.h"
#include <cjson/cJSON.h>

#define RANDOM_CHARACTERS 43u /* log2(62) * 43 > 256 bits */
#define CHECKSUM_CHARACTERS 6u
#define NUMBER_DIGITS_MAX 19u /* of what fits into 64 bits */
#define CHECKSUM_OFFSET (OAUTH_TOKEN_SIZE - CHECKSUM_CHARACTERS)

/* Bytes from 248 up are thrown away: 248 is a multiple of 62, so all characters are as likely. */
static bool make_random_characters(struct crypto *crypto, char *out, size_t count) {
    uint8_t bytes[64];
    size_t made = 0;
    while (made < count) {
        if (!crypto_random(crypto, bytes, sizeof bytes)) {
            return false;
        }
        for (size_t i = 0; i < sizeof bytes && made < count; i++) {
            if (bytes[i] < 248) {
                out[made++] = base62_digit(bytes[i] % 62);
            }
        }
    }
    crypto_wipe(bytes, sizeof bytes);
    return true;
}

bool token_text_make(struct crypto *crypto, struct slice prefix, char text[OAUTH_TOKEN_SIZE]) {
    memcpy(text, prefix.data, prefix.size);
    if (!make_random_characters(crypto, text + prefix.size, RANDOM_CHARACTERS)) {
        return false;
    }
    base62_encode(crc32_of(slice_of(text, CHECKSUM_OFFSET)), text + CHECKSUM_OFFSET,
                  CHECKSUM_CHARACTERS);
    return true;
}

bool token_text_is_valid(struct slice prefix, struct slice text) {
    char checksum[CHECKSUM_CHARACTERS];
    if (text.size != OAUTH_TOKEN_SIZE || !slice_starts_with(text, prefix) ||
        !base62_is_text(slice_skip(text, prefix.size))) {
        return false;
    }
    base62_encode(crc32_of(slice_of(text.data, CHECKSUM_OFFSET)), checksum, sizeof checksum);
    return memcmp(checksum, text.data + CHECKSUM_OFFSET, sizeof checksum) == 0;
}

bool token_id_of(struct crypto *crypto, struct slice text, char jti[OAUTH_JTI_SIZE]) {
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    if (!crypto_sha256(crypto, text, digest)) {
        return false;
    }
    hex_encode(digest, OAUTH_JTI_SIZE / 2, jti);
    return true;
}

static void write_number(struct buffer *json, const char *name, uint64_t number) {
    buffer_append(json, slice_of_string(name));
    buffer_append_number(json, number);
}

void token_record_write(const struct token_record *record, struct buffer *json) {
    buffer_append(json, S("{\"client\":"));
    buffer_append_json(json, record->client_id);
    buffer_append(json, S(",\"scope\":"));
    buffer_append_json(json, record->scope);
    buffer_append(json, S(",\"aud\":"));
    buffer_append_json(json, record->audience);
    write_number(json, ",\"iat\":", record->issued_at);
    write_number(json, ",\"exp\":", record->expires_at);
    write_number(json, ",\"gen\":", record->generation);
    write_number(json, ",\"ggen\":", record->global_generation);
    buffer_append_char(json, '}');
}

static bool read_text(const cJSON *object, const char *name, struct buffer *text,
                      struct slice *value) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (item == NULL) {
        *value = S("");
        return true;
    }
    if (!cJSON_IsString(item)) {
        return false;
    }
    struct slice source = slice_of_string(item->valuestring);
    size_t start = text->size;
    buffer_append(text, source);
    *value = slice_of(text->data + start, source.size);
    return !text->overflow;
}

static bool read_number(const cJSON *object, const char *name, uint64_t *number) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    *number = 0;
    if (item == NULL) {
        return true;
    }
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
        item->valuedouble > (double)OAUTH_NUMBER_MAX) {
        return false;
    }
    *number = (uint64_t)item->valuedouble;
    return true;
}

/* Both lists go into header fields of /verify. */
static bool is_visible_list(struct slice list) {
    for (size_t i = 0; i < list.size; i++) {
        if (list.data[i] < ' ' || list.data[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_blank(struct slice s) {
    size_t size = 0;
    while (size < s.size && strchr(" \t\r\n", s.data[size]) != NULL && s.data[size] != '\0') {
        size++;
    }
    return size == s.size;
}

/* ---- records that we have written ourselves ---- */

static bool take(struct slice *rest, struct slice expected) {
    if (!slice_starts_with(*rest, expected)) {
        return false;
    }
    *rest = slice_skip(*rest, expected.size);
    return true;
}

/* A text without escapes, of characters that any member may have, behind its opening quote. */
static bool take_text(struct slice *rest, struct slice *value) {
    *value = slice_of(rest->data, json_plain_run(*rest));
    *rest = slice_skip(*rest, value->size);
    return take(rest, S("\""));
}

static bool take_number(struct slice *rest, uint64_t *number) {
    size_t most = rest->size < NUMBER_DIGITS_MAX ? rest->size : NUMBER_DIGITS_MAX;
    uint64_t value = 0;
    size_t digits = 0;
    for (; digits < most; digits++) {
        unsigned digit = (unsigned)(rest->data[digits] - '0');
        if (digit > 9) {
            break;
        }
        value = value * 10 + digit;
    }
    *number = value;
    *rest = slice_skip(*rest, digits);
    return digits != 0;
}

/* Exactly what token_record_write() writes, but for escapes: the slices lie in `json`. */
static bool read_own(struct slice json, struct token_record *record) {
    return take(&json, S("{\"client\":\"")) && take_text(&json, &record->client_id) &&
           take(&json, S(",\"scope\":\"")) && take_text(&json, &record->scope) &&
           take(&json, S(",\"aud\":\"")) && take_text(&json, &record->audience) &&
           take(&json, S(",\"iat\":")) && take_number(&json, &record->issued_at) &&
           take(&json, S(",\"exp\":")) && take_number(&json, &record->expires_at) &&
           take(&json, S(",\"gen\":")) && take_number(&json, &record->generation) &&
           take(&json, S(",\"ggen\":")) && take_number(&json, &record->global_generation) &&
           slice_equal(json, S("}"));
}

static struct slice keep(struct buffer *text, struct slice value) {
    size_t start = text->size;
    buffer_append(text, value);
    return slice_of(text->data + start, value.size);
}

/* ---- records of anybody ---- */

static bool read_any(struct slice json, struct token_record *record, struct buffer *text) {
    const char *end = NULL;
    /* cJSON would cut a text at an escaped NUL. */
    if (json.size == 0 || memmem(json.data, json.size, "\\u0000", 6) != NULL) {
        return false;
    }
    cJSON *object = cJSON_ParseWithLengthOpts(json.data, json.size, &end, false);
    bool ok = cJSON_IsObject(object) &&
              is_blank(slice_of(end, (size_t)(json.data + json.size - end))) &&
              read_text(object, "client", text, &record->client_id) &&
              read_text(object, "scope", text, &record->scope) &&
              read_text(object, "aud", text, &record->audience) &&
              read_number(object, "iat", &record->issued_at) &&
              read_number(object, "exp", &record->expires_at) &&
              read_number(object, "gen", &record->generation) &&
              read_number(object, "ggen", &record->global_generation) &&
              is_visible_list(record->scope) && is_visible_list(record->audience);
    cJSON_Delete(object);
    return ok;
}

bool token_record_read(struct slice json, struct token_record *record, struct buffer *text) {
    if (json.size > TOKEN_RECORD_MAX) {
        return false;
    }
    if (read_own(json, record)) {
        record->client_id = keep(text, record->client_id);
        record->scope = keep(text, record->scope);
        record->audience = keep(text, record->audience);
    } else if (!read_any(json, record, text)) {
        return false;
    }
    return !text->overflow && record->client_id.size != 0 && record->expires_at != 0 &&
           record->issued_at <= OAUTH_NUMBER_MAX && record->expires_at <= OAUTH_NUMBER_MAX &&
           record->generation <= OAUTH_NUMBER_MAX && record->global_generation <= OAUTH_NUMBER_MAX;
}
