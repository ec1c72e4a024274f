/* output.h: commands in RESP, written one behind the other into a buffer that grows up to a
 * bound.
 *
 *      data .. data + size             whole commands
 *      data + size .. data + capacity  room
 *
 * What does not fit sets `failed`; whoever writes a command asks once at its end, and takes it back
 * with output_cut(). */
#ifndef MINTD_REDIS_OUTPUT_H
#define MINTD_REDIS_OUTPUT_H

#include "mintd/slice.h"
#include <stdint.h>

struct output {
    char *data;
    size_t size, capacity, limit;
    bool failed;
    bool secret; /* holds a password: wiped as soon as it is sent, or moved */
};

void output_init(struct output *output, size_t limit); /* allocates nothing yet */
void output_fini(struct output *output);

/* Begins a command of so many arguments, its name included. */
void output_command(struct output *output, unsigned arguments);
void output_argument(struct output *output, struct slice argument);
/* Two slices as one argument: a prefix and a key. */
void output_joined(struct output *output, struct slice first, struct slice second);
void output_number(struct output *output, uint64_t number);

/* Whole commands, as they are sent. */
void output_bytes(struct output *output, struct slice bytes);

/* Takes back what was written behind `size`, and clears `failed`. */
void output_cut(struct output *output, size_t size);
/* Everything has been sent: empties it, wipes a secret, gives back room beyond the usual. */
void output_clear(struct output *output);

#endif
