/* A file that declares clients, as `mintctl client apply` and `mintd --clients-file` read it: any
 * text. What is wrong is said in lines without control bytes; what is right can be found by name.
 */
#include "clients/apply_file.h"
#include "clients/whole_file.h"
#include "fuzz/fuzz.h"
#include "mintd/say.h"

#define INPUT "the input"

static struct slice input;

/* In place of the one that opens files, which the input might name: the input, and for a secret as
 * much of it as there is room for. */
bool whole_input_read(char *storage, size_t capacity, size_t *size) {
    (void)storage, (void)capacity, (void)size;
    return false;
}

bool whole_file_read(const char *path, char *storage, size_t capacity, size_t *size) {
    bool is_input = strcmp(path, INPUT) == 0;
    if (is_input ? input.size >= capacity : path[0] == '-') {
        say("%s: it is longer than %zu bytes", is_input ? path : "a secret", capacity - 1);
        return false;
    }
    *size = input.size < capacity - 1 ? input.size : capacity - 1;
    if (*size != 0) {
        memcpy(storage, input.data, *size);
    }
    return true;
}

static void on_line(void *context, const char *line) {
    *(size_t *)context += 1;
    FUZZ_REQUIRE(line[0] != '\0' && strlen(line) < SAY_LINE_MAX);
    for (const char *c = line; *c != '\0'; c++) {
        FUZZ_REQUIRE((unsigned char)*c >= ' ' && *c != 0x7f);
        bool is_c1 = (unsigned char)c[0] == 0xc2 && (unsigned char)c[1] >= 0x80 &&
                     (unsigned char)c[1] < 0xa0;
        FUZZ_REQUIRE(!is_c1);
    }
}

static void require_entries(const struct apply_file *file) {
    for (size_t i = 0; i < file->count; i++) {
        const struct apply_entry *entry = &file->entries[i];
        FUZZ_REQUIRE(apply_file_find(file, entry->id) == entry);
        FUZZ_REQUIRE(entry->stored_count <= OAUTH_SECRETS_MAX);
        FUZZ_REQUIRE(entry->secret_size <= PASSWORD_SECRET_MAX);
    }
    FUZZ_REQUIRE(apply_file_find(file, S("")) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct apply_file file;
    size_t lines = 0;
    input = fuzz_input(data, size);
    say_to(on_line, &lines);
    if (apply_file_read(INPUT, size + 1, &file) == STATUS_DONE) {
        require_entries(&file);
    } else {
        FUZZ_REQUIRE(lines != 0);
    }
    apply_file_fini(&file);
    say_to(NULL, NULL);
    return 0;
}
