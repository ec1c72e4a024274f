#include "roff.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 256u
/* Of the release, as its version is; it has to be given. */
#define RELEASE_DATE "2026-11-29"

static bool section_starts; /* a paragraph need not be told from one before it */

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

static bool is_indented(const char *line) {
    return line[0] == ' ' && line[1] == ' ';
}

void roff_prose(const char *text) {
    bool stays = false;
    while (*text != '\0') {
        char line[LINE_SIZE];
        size_t size = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)size, text);
        text += size + (text[size] == '\n');
        if (size == 0 && !stays && !is_indented(text)) {
            puts(".PP");
            continue;
        }
        if (size != 0 && stays != is_indented(line)) {
            stays = !stays;
            puts(stays ? ".PP\n.nf" : ".fi\n.PP");
        }
        if (size != 0) {
            roff_text(stays ? line + 2 : line);
        }
    }
    if (stays) {
        puts(".fi");
    }
}

void roff_example(const char *command, const char *help) {
    if (!section_starts) {
        puts(".PP");
    }
    section_starts = false;
    roff_text(help);
    puts(".PP\n.nf\n.RS");
    roff_text(command);
    puts(".RE\n.fi");
}

void roff_item(const char *name, const char *help) {
    puts(".TP");
    fputs(".B ", stdout);
    roff_text(name);
    roff_text(help);
}

void roff_section(const char *title) {
    section_starts = true;
    printf(".SH %s\n", title);
}

void roff_start(const char *title, const char *section, const char *name, const char *summary,
                const char *synopsis) {
    printf(".TH %s %s %s \"mintd %s\"\n.SH NAME\n%s \\- ", title, section, RELEASE_DATE,
           MINTD_VERSION, name);
    roff_text(summary);
    roff_section("SYNOPSIS");
    printf(".B %s\n", name);
    roff_text(synopsis);
}

/* The flag in bold and its value in italics, as one tag. */
void roff_option(const char *flag, const char *value, const char *help) {
    char tag[160];
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
