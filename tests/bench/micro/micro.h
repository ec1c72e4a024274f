/* micro.h: one step of a request's way, run over and over, for its instructions to be counted.
 *
 *     micro [NAME...]      all scenarios, or these; under callgrind: see run.py
 *
 * What goes in is the same in every run: no clock, no random names, seeds that are given. A step
 * checks what came of it, so that a fast wrong answer ends the program. */
#ifndef MINTD_MICRO_H
#define MINTD_MICRO_H

#include "mintd/oauth.h"

struct micro_scenario {
    const char *name;
    unsigned times;        /* steps that are counted */
    void (*prepare)(void); /* NULL: nothing to prepare; not counted */
    void (*step)(unsigned i);
};

/* Each ends with a scenario without a name. */
extern const struct micro_scenario micro_http[], micro_tokens[], micro_store[], micro_flows[];

/* Says which check failed, and ends the program. */
#define MICRO_REQUIRE(condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            micro_fail(__FILE__, __LINE__, #condition);                                            \
        }                                                                                          \
    } while (0)
_Noreturn void micro_fail(const char *file, int line, const char *condition);

/* A token of our form, and a client with a generated secret: made up, and good for nothing else. */
#define MICRO_TOKEN "mtd_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3abc2ieDY0"
#define MICRO_BEARER "Bearer " MICRO_TOKEN
#define MICRO_CLIENT "svc-a"
#define MICRO_BASIC                                                                                \
    "Basic c3ZjLWE6bXRzXzBhQjFjRDJlRjNnSDRpSjVrTDZtTjdvUDhxUjlzVDB1VjF3WDJ5WjNhYmMyNGJuS2E="
/* The client as the store has it. */
#define MICRO_CLIENT_FIELDS 7u
extern const struct store_field micro_client_fields[MICRO_CLIENT_FIELDS];
/* What time it is, in epoch milliseconds. */
#define MICRO_NOW_MS UINT64_C(1795467600123)
/* The token as the store has it. */
#define MICRO_RECORD                                                                               \
    "{\"client\":\"" MICRO_CLIENT "\",\"scope\":\"read write\",\"aud\":\"\",\"iat\":1795467000,"   \
    "\"exp\":1795470600,\"gen\":1234567890123456,\"ggen\":0}"

#endif
