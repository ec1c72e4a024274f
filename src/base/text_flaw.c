#include "mintd/text_flaw.h"

static bool every_second_is_nul(struct slice text, size_t first) {
    for (size_t i = first; i < text.size; i += 2) {
        if (text.data[i] != '\0') {
            return false;
        }
    }
    return text.size >= 4;
}

static bool is_utf16(struct slice text) {
    return slice_starts_with(text, S("\xff\xfe")) || slice_starts_with(text, S("\xfe\xff")) ||
           every_second_is_nul(text, 0) || every_second_is_nul(text, 1);
}

enum text_flaw text_flaw(struct slice text) {
    if (text.size == 0) {
        return TEXT_FLAWLESS;
    }
    if (is_utf16(text)) {
        return TEXT_FLAW_UTF16;
    }
    if (slice_starts_with(text, S("\xef\xbb\xbf"))) {
        return TEXT_FLAW_BOM;
    }
    if (memchr(text.data, '\0', text.size) != NULL) {
        return TEXT_FLAW_NUL;
    }
    return slice_trim(text).size != text.size ? TEXT_FLAW_BLANK : TEXT_FLAWLESS;
}

const char *text_flaw_words(enum text_flaw flaw) {
    static const char *const words[] = {
        [TEXT_FLAWLESS] = "it is text",
        [TEXT_FLAW_UTF16] = "it is UTF-16: save it as UTF-8",
        [TEXT_FLAW_BOM] = "it begins with a byte order mark (BOM): save it as UTF-8 without one",
        [TEXT_FLAW_NUL] = "it is no text: it has a NUL byte",
        [TEXT_FLAW_BLANK] = "it begins or ends with a blank",
    };
    return words[flaw];
}
