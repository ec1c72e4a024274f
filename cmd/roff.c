#include "roff.h"
#include <stdbool.h>
#include <stdio.h>

/* A hyphen that is to be typed and a backslash are written with one in front; a leading dot or
 * quote would be a request. */
void roff_text(const char *text) {
    bool starts_line = true;
    for (const char *c = text; *c != '\0'; c++) {
        if (starts_line && (*c == '.' || *c == '\'')) {
            fputs("\\&", stdout);
        }
        if (*c == '-' || *c == '\\') {
            putchar('\\');
        }
        putchar(*c);
        starts_line = *c == '\n';
    }
    if (!starts_line) {
        putchar('\n');
    }
}

void roff_verbatim(const char *text) {
    puts(".nf");
    roff_text(text);
    puts(".fi");
}

void roff_section(const char *title) {
    printf(".SH %s\n", title);
}

void roff_start(const char *title, const char *section, const char *name, const char *summary,
                const char *synopsis) {
    printf(".TH %s %s \"\" \"mintd %s\"\n.SH NAME\n%s \\- ", title, section, MINTD_VERSION, name);
    roff_text(summary);
    roff_section("SYNOPSIS");
    printf(".B %s\n", name);
    roff_text(synopsis);
}

/* The flag in bold and its value in italics, as one tag. */
void roff_option(const char *flag, const char *value, const char *help) {
    char tag[96];
    if (value == NULL) {
        snprintf(tag, sizeof tag, "\"%s\"", flag);
        fputs(".TP\n.B ", stdout);
    } else {
        snprintf(tag, sizeof tag, "\"%s \" \"%s\"", flag, value);
        fputs(".TP\n.BI ", stdout);
    }
    roff_text(tag);
    roff_text(help);
}
