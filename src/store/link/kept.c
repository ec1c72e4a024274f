#include "store/link/kept.h"

#include <stdlib.h>

bool kept_add(struct kept *kept, struct output *bytes, unsigned end) {
    struct kept_commands *commands = malloc(sizeof *commands);
    if (commands == NULL) {
        return false;
    }
    *commands = (struct kept_commands){.bytes = *bytes, .end = end};
    *(kept->first == NULL ? &kept->first : &kept->last->next) = commands;
    kept->last = commands;
    output_init(bytes, bytes->limit);
    return true;
}

void kept_drop_first(struct kept *kept, struct output *next) {
    struct kept_commands *commands = kept->first;
    kept->first = commands->next;
    output_clear(&commands->bytes);
    if (next->capacity == 0) {
        *next = commands->bytes;
    } else {
        output_fini(&commands->bytes);
    }
    free(commands);
}
