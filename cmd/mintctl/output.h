/* output.h: what people and programs read: colour, times, JSON. */
#ifndef MINTCTL_OUTPUT_H
#define MINTCTL_OUTPUT_H

#include "mintd/say.h"
#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>

/* A line on standard output, past the buffers of stdio. False where it could not be written. */
bool print_secret(struct slice secret);

/* Whether standard output is a pipe whose reader has gone. */
bool output_is_abandoned(void);

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED, COLOUR_BOLD };

/* Whether standard output is a terminal with colours that are wanted. */
bool output_has_colours(void);
/* The text in this colour, where standard output is a terminal; filled up to width. */
void print_coloured(enum colour colour, const char *text, int width);

#define TIME_TEXT 40u

/* "2026-11-23T21:02:37Z" from seconds since the epoch; storage is returned. */
const char *time_text(uint64_t epoch_s, char storage[TIME_TEXT]);
/* "41 s", "59 min", "23 h", "12 d": rounded down to what is easy to read. */
const char *span_text(uint64_t seconds, char storage[TIME_TEXT]);
/* "340 B", "1.2 MiB". */
const char *size_text(uint64_t bytes, char storage[TIME_TEXT]);

/* ---- JSON; a member that memory has no room for is left out ---- */

/* Notes where memory is short for JSON: a member that is missing would be a lie. For main(), ahead
 * of all JSON. */
void json_watch_memory(void);
/* The text of it on a line, cJSON_free() frees it; the JSON is deleted. NULL, said: memory was
 * short for this or another JSON. */
char *json_line(cJSON *json);
void json_add_text(cJSON *object, const char *name, struct slice text);
void json_add_number(cJSON *object, const char *name, uint64_t number);
/* That something was done: "ID: words" for people, {"id": ID, "result": result} with JSON. An ID
 * has no character that JSON escapes. */
void print_result(bool as_json, struct slice id, const char *result, const char *words);
/* The words of a list separated by spaces, as an array. */
void json_add_words(cJSON *object, const char *name, struct slice list);
/* Prints it on standard output and deletes it. False, said, where there is no memory. */
bool json_print(cJSON *json);
/* The same on one line. */
bool json_print_line(cJSON *json);

#endif
