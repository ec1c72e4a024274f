#include "clients/apply_file.h"
#include "clients/whole_file.h"
#include "mintd/crypto.h"
#include "mintd/quantity.h"
#include "mintd/say.h"
#include "mintd/text_flaw.h"
#include <errno.h>
#include <stdlib.h>

#define EXPIRES_MAX 253402300799.0 /* the year 9999 */
#define TEXT_MAX (OAUTH_AUDIENCE_MAX + 256u)

/* One that stores a complaint and is false. */
static bool complain(struct buffer *error, const char *what) {
    buffer_append_format(error, "%s", what);
    return false;
}

/* ---- members ---- */

static bool read_string(const cJSON *item, struct slice *text, struct buffer *error) {
    *text = slice_of_string(cJSON_GetStringValue(item));
    return !slice_is_absent(*text) || complain(error, "it is a string");
}

/* A number of seconds, or a time like "15m". */
static bool read_seconds(const cJSON *item, struct apply_entry *entry, struct slice *text,
                         struct buffer *error) {
    struct slice time = slice_of_string(cJSON_GetStringValue(item));
    double number = cJSON_IsNumber(item) ? item->valuedouble : 0;
    unsigned long long seconds = number >= 1 && number <= OAUTH_TTL_MAX ? (unsigned)number : 0;
    bool is_time = quantity_seconds(time, OAUTH_TTL_MAX, &seconds);
    if (seconds == 0 || (!is_time && number != (double)seconds)) {
        return complain(error, "it is a number of seconds, 1 to 31622400, or a time like \"15m\"");
    }
    size_t start = entry->text.size;
    buffer_append_number(&entry->text, seconds);
    *text = slice_of(entry->text.data + start, entry->text.size - start);
    return true;
}

static bool is_word(struct slice text) {
    return text.size != 0 && memchr(text.data, ' ', text.size) == NULL;
}

/* An array of strings without spaces, as a list separated by spaces. */
static bool read_words(const cJSON *array, struct apply_entry *entry, struct slice *text,
                       struct buffer *error) {
    size_t start = entry->text.size;
    const cJSON *item;
    if (!cJSON_IsArray(array)) {
        return complain(error, "it is an array of strings");
    }
    cJSON_ArrayForEach(item, array) {
        struct slice word = slice_of_string(cJSON_GetStringValue(item));
        if (slice_is_absent(word) || !is_word(word)) {
            return complain(error, "it is an array of strings, none empty or with a space");
        }
        if (entry->text.size != start) {
            buffer_append_char(&entry->text, ' ');
        }
        buffer_append(&entry->text, word);
    }
    *text = slice_of(entry->text.data + start, entry->text.size - start);
    return !entry->text.overflow || complain(error, "it is too long: 1024 bytes at most");
}

/* "$sha256$...", or {"stored": "$sha256$...", "expires": 1700000000}. */
static bool read_stored(const cJSON *item, struct slice *text, uint64_t *end) {
    const cJSON *expires = cJSON_GetObjectItemCaseSensitive(item, "expires");
    *end = 0;
    if (cJSON_IsObject(item)) {
        bool is_time = cJSON_IsNumber(expires) && expires->valuedouble >= 1 &&
                       expires->valuedouble <= EXPIRES_MAX &&
                       expires->valuedouble == (double)(uint64_t)expires->valuedouble;
        if (!is_time || cJSON_GetArraySize(item) != 2) {
            return false;
        }
        *end = (uint64_t)expires->valuedouble;
        item = cJSON_GetObjectItemCaseSensitive(item, "stored");
    }
    *text = slice_of_string(cJSON_GetStringValue(item));
    return !slice_is_absent(*text) && password_kind_of(*text) != PASSWORD_MALFORMED;
}

static bool add_stored(const cJSON *item, struct apply_entry *entry, struct buffer *error) {
    struct slice text;
    uint64_t end;
    if (!read_stored(item, &text, &end)) {
        return complain(error,
                        "an item is not a stored secret ($sha256$..., $scrypt$..., or "
                        "{\"stored\": ..., \"expires\": seconds}); a secret in clear belongs "
                        "into a file of its own: secret_file");
    }
    for (unsigned i = 0; i < entry->stored_count; i++) {
        if (slice_equal(entry->stored[i], text)) {
            return complain(error, "an item stands there twice");
        }
    }
    entry->ends[entry->stored_count] = end;
    entry->stored[entry->stored_count++] = text;
    return true;
}

static bool read_secrets(const cJSON *array, struct apply_entry *entry, struct buffer *error) {
    const cJSON *item;
    int count = cJSON_GetArraySize(array);
    if (!cJSON_IsArray(array) || count < 1 || count > (int)OAUTH_SECRETS_MAX) {
        return complain(error, "it is an array of one to four stored secrets");
    }
    entry->has_secrets = true;
    cJSON_ArrayForEach(item, array) {
        if (!add_stored(item, entry, error)) {
            return false;
        }
    }
    return true;
}

static bool has_control_bytes(struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool read_secret_file(const cJSON *item, struct apply_entry *entry, struct buffer *error) {
    const char *path = cJSON_GetStringValue(item);
    if (path == NULL) {
        return complain(error, "it is the path of a file");
    }
    entry->secret = calloc(1, PASSWORD_SECRET_MAX + 3);
    if (entry->secret == NULL) {
        entry->no_memory = true;
        return false;
    }
    if (!whole_file_read(path, entry->secret, PASSWORD_SECRET_MAX + 3, &entry->secret_size)) {
        return complain(error, "the file is needed");
    }
    entry->has_secrets = true;
    if (text_flaw(slice_of(entry->secret, entry->secret_size)) == TEXT_FLAW_BLANK) {
        char name[PATH_SHOWN_MAX];
        say("warning: %s: the secret begins or ends with a blank, which is part of it",
            visible(slice_of_string(path), name, sizeof name));
    }
    return (entry->secret_size != 0 && entry->secret_size <= PASSWORD_SECRET_MAX &&
            !has_control_bytes(slice_of(entry->secret, entry->secret_size))) ||
           complain(error, "the file holds no secret: 1 to 1024 bytes without control characters");
}

static bool read_grants(const cJSON *item, struct apply_entry *entry, struct buffer *error) {
    return read_words(item, entry, &entry->grants, error) &&
           (oauth_scope_is_valid(entry->grants) ||
            complain(error, "it is an array of names of grants"));
}

static bool read_disabled(const cJSON *item, struct apply_entry *entry, struct buffer *error) {
    entry->disabled = cJSON_IsTrue(item) ? APPLY_ON : APPLY_OFF;
    return cJSON_IsBool(item) || complain(error, "it is true or false");
}

static bool read_id(const cJSON *item, struct apply_entry *entry, struct buffer *error) {
    struct slice id = slice_of_string(cJSON_GetStringValue(item));
    if (!oauth_client_id_is_valid(id)) {
        /* Nor is it repeated: it may be a secret in the wrong place. */
        return complain(error, "it is 1 to 255 of A-Z a-z 0-9 . _ ~ @ / -");
    }
    entry->id = id;
    return true;
}

static bool read_member(const cJSON *item, struct apply_entry *entry, struct buffer *error) {
    static const struct {
        const char *name;
        enum client_setting setting;
        bool (*read)(const cJSON *, struct apply_entry *, struct slice *, struct buffer *);
    } lists[] = {{"audience", CLIENT_AUDIENCE, read_words},
                 {"permissions", CLIENT_PERMISSIONS, read_words},
                 {"ttl", CLIENT_TTL, read_seconds},
                 {"max_ttl", CLIENT_MAX_TTL, read_seconds}};
    static const struct {
        const char *name;
        enum client_setting setting;
    } texts[] = {
        {"name", CLIENT_NAME}, {"scope", CLIENT_SCOPE}, {"default_scope", CLIENT_DEFAULT_SCOPE}};
    static const struct {
        const char *name;
        bool (*read)(const cJSON *, struct apply_entry *, struct buffer *);
    } others[] = {{"id", read_id},
                  {"disabled", read_disabled},
                  {"grants", read_grants},
                  {"secrets", read_secrets},
                  {"secret_file", read_secret_file}};
    struct slice *values = entry->settings.values;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (strcmp(item->string, lists[i].name) == 0) {
            return lists[i].read(item, entry, &values[lists[i].setting], error);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(item->string, texts[i].name) == 0) {
            return read_string(item, &values[texts[i].setting], error);
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(item->string, others[i].name) == 0) {
            return others[i].read(item, entry, error);
        }
    }
    return complain(error, "there is no such member");
}

/* ---- entries ---- */

static bool is_repeated(const cJSON *item, const cJSON *first) {
    for (; first != item; first = first->next) {
        if (strcmp(first->string, item->string) == 0) {
            return true;
        }
    }
    return false;
}

/* The member's name in front of what is wrong with it. */
static bool read_members(const cJSON *object, struct apply_entry *entry, struct buffer *error) {
    const cJSON *item;
    cJSON_ArrayForEach(item, object) {
        char name[40];
        size_t start = error->size;
        buffer_append_format(error,
                             "%s: ", visible(slice_of_string(item->string), name, sizeof name));
        if (is_repeated(item, object->child)) {
            return complain(error, "it stands there twice");
        }
        if (!read_member(item, entry, error)) {
            return false;
        }
        error->size = start;
    }
    return true;
}

static bool read_entry(const cJSON *object, struct apply_entry *entry, struct buffer *error) {
    char *storage = malloc(TEXT_MAX);
    if (storage == NULL) {
        entry->no_memory = true;
        return false;
    }
    entry->text = buffer_of(storage, TEXT_MAX);
    if (!cJSON_IsObject(object)) {
        return complain(error, "it is an object");
    }
    if (!read_members(object, entry, error)) {
        return false;
    }
    if (slice_is_absent(entry->id)) {
        return complain(error, "id is missing");
    }
    if (entry->stored_count != 0 && entry->secret != NULL) {
        return complain(error, "it is either secrets or secret_file");
    }
    return client_settings_check(&entry->settings, error);
}

static enum status wrong_entry(const char *path, size_t index, const struct apply_entry *entry,
                               const char *what) {
    char id[80];
    if (slice_is_absent(entry->id)) {
        say("%s: clients[%zu]: %s", path, index, what);
    } else {
        say("%s: clients[%zu] (%s): %s", path, index, visible(entry->id, id, sizeof id), what);
    }
    return STATUS_USAGE;
}

static int compare_ids(struct slice a, struct slice b) {
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The same id in the order of the file. */
static int compare_entries(const void *a, const void *b) {
    const struct apply_entry *first = *(struct apply_entry *const *)a;
    const struct apply_entry *second = *(struct apply_entry *const *)b;
    int order = compare_ids(first->id, second->id);
    return order != 0 ? order : first < second ? -1 : 1;
}

static int compare_id_with_entry(const void *id, const void *entry) {
    return compare_ids(*(const struct slice *)id, (*(struct apply_entry *const *)entry)->id);
}

const struct apply_entry *apply_file_find(const struct apply_file *file, struct slice id) {
    struct apply_entry *const *found = bsearch(&id, file->sorted, file->count,
                                               sizeof(struct apply_entry *), compare_id_with_entry);
    return found == NULL ? NULL : *found;
}

/* Each id stands there once. */
static enum status sort_entries(const char *path, struct apply_file *file) {
    for (size_t i = 0; i < file->count; i++) {
        file->sorted[i] = &file->entries[i];
    }
    qsort(file->sorted, file->count, sizeof(struct apply_entry *), compare_entries);
    for (size_t i = 1; i < file->count; i++) {
        const struct apply_entry *entry = file->sorted[i];
        if (slice_equal(entry->id, file->sorted[i - 1]->id)) {
            return wrong_entry(path, (size_t)(entry - file->entries), entry,
                               "its id stands there twice");
        }
    }
    return STATUS_DONE;
}

static enum status read_entries(const char *path, const cJSON *array, struct apply_file *file) {
    const cJSON *object;
    cJSON_ArrayForEach(object, array) {
        char storage[400];
        struct buffer error = buffer_of(storage, sizeof storage - 1);
        struct apply_entry *entry = &file->entries[file->count];
        bool good = read_entry(object, entry, &error);
        storage[error.size] = '\0';
        file->count++;
        if (entry->no_memory) {
            say_no_memory();
            return STATUS_REFUSED;
        }
        if (!good) {
            return wrong_entry(path, file->count - 1, entry, storage);
        }
    }
    return sort_entries(path, file);
}

/* ---- the file ---- */

static void say_where(const char *path, const char *text, const char *end) {
    size_t line = 1;
    for (const char *c = text; c < end; c++) {
        line += *c == '\n';
    }
    say("%s: line %zu: it is not JSON from there on", path, line);
}

/* cJSON ends a string there: "good\u0000evil" would be the client good. */
static bool has_escaped_nul(const char *text, size_t size) {
    for (size_t i = 0; i + 5 < size; i++) {
        if (text[i] == '\\') {
            i++;
            if (memcmp(text + i, "u0000", 5) == 0) {
                return true;
            }
        }
    }
    return false;
}

static cJSON *parse_text(const char *path, const char *text, size_t size, bool *no_memory) {
    const char *end = text;
    errno = 0;
    cJSON *json = cJSON_ParseWithLengthOpts(text, size, &end, false);
    while (json != NULL && end < text + size && strchr(" \t\r\n", *end) != NULL) {
        end++;
    }
    if (json == NULL && errno == ENOMEM) {
        *no_memory = true;
        return NULL;
    }
    if (json == NULL || end != text + size) {
        say_where(path, text, end);
        cJSON_Delete(json);
        return NULL;
    }
    if (has_escaped_nul(text, size)) {
        say("%s: \\u0000 has no place in a name or a setting", path);
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static cJSON *parse(const char *path, size_t most, bool *no_memory) {
    char *text = malloc(most + 1);
    size_t size;
    cJSON *json = NULL;
    if (text == NULL) {
        *no_memory = true;
        return NULL;
    }
    if (strcmp(path, "-") == 0 ? whole_input_read(text, most + 1, &size)
                               : whole_file_read(path, text, most + 1, &size)) {
        json = parse_text(path, text, size, no_memory);
        crypto_wipe(text, size); /* a secret in clear may have been put there, wrongly */
    }
    free(text);
    return json;
}

enum status apply_file_read(const char *path, size_t most, struct apply_file *file) {
    bool no_memory = false;
    *file = (struct apply_file){.json = parse(path, most, &no_memory)};
    if (no_memory) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    if (file->json == NULL) {
        return STATUS_USAGE;
    }
    const cJSON *clients = cJSON_GetObjectItemCaseSensitive(file->json, "clients");
    if (!cJSON_IsArray(clients) || cJSON_GetArraySize(file->json) != 1) {
        say("%s: it is an object with one member, clients, an array", path);
        return STATUS_USAGE;
    }
    size_t room = (size_t)cJSON_GetArraySize(clients) + 1;
    file->entries = calloc(room, sizeof *file->entries);
    file->sorted = calloc(room, sizeof(struct apply_entry *));
    if (file->entries == NULL || file->sorted == NULL) {
        say_no_memory();
        return STATUS_REFUSED;
    }
    return read_entries(path, clients, file);
}

void apply_file_fini(struct apply_file *file) {
    for (size_t i = 0; i < file->count; i++) {
        struct apply_entry *entry = &file->entries[i];
        if (entry->secret != NULL) {
            crypto_wipe(entry->secret, PASSWORD_SECRET_MAX + 3);
            free(entry->secret);
        }
        free(entry->text.data);
    }
    free(file->entries);
    free(file->sorted);
    cJSON_Delete(file->json);
    *file = (struct apply_file){.json = NULL};
}
