#include "store/link/output.h"

#include <stdlib.h>

#define FIRST_CAPACITY (16u * 1024u)
#define KEPT_CAPACITY (256u * 1024u)

void output_init(struct output *output, size_t limit) {
    *output = (struct output){.limit = limit};
}

static void release(struct output *output) {
    if (output->secret && output->data != NULL) {
        explicit_bzero(output->data, output->capacity);
    }
    free(output->data);
    output->data = NULL;
    output->capacity = 0;
}

void output_fini(struct output *output) {
    release(output);
    output->size = 0;
}

/* Not realloc(): it would leave a copy of a password behind. */
static bool grow(struct output *output, size_t needed) {
    size_t capacity = output->capacity == 0 ? FIRST_CAPACITY : output->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *data = malloc(capacity);
    if (data == NULL) {
        return false;
    }
    if (output->size != 0) {
        memcpy(data, output->data, output->size);
    }
    release(output);
    output->data = data;
    output->capacity = capacity;
    return true;
}

/* Room for so many bytes more; NULL and `failed` where there is none. */
static char *reserve(struct output *output, size_t size) {
    if (output->failed || size > output->limit - output->size) {
        output->failed = true;
        return NULL;
    }
    if (size > output->capacity - output->size && !grow(output, output->size + size)) {
        output->failed = true;
        return NULL;
    }
    return output->data + output->size;
}

#define HEAD_MAX 24u /* a sign, 20 digits, CR LF */

static char *put_digits(char *at, uint64_t number) {
    char digits[20];
    size_t count = 0;
    if (number < 100) { /* nearly always */
        if (number >= 10) {
            *at++ = (char)('0' + number / 10);
        }
        *at++ = (char)('0' + number % 10);
        return at;
    }
    while (number != 0) {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    }
    while (count != 0) {
        *at++ = digits[--count];
    }
    return at;
}

static char *put_head(char *at, char sign, uint64_t number) {
    *at++ = sign;
    at = put_digits(at, number);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static char *put_bytes(char *at, struct slice s) {
    if (s.size != 0) {
        memcpy(at, s.data, s.size);
    }
    return at + s.size;
}

void output_command(struct output *output, unsigned arguments) {
    char *at = reserve(output, HEAD_MAX);
    if (at != NULL) {
        output->size = (size_t)(put_head(at, '*', arguments) - output->data);
    }
}

void output_joined(struct output *output, struct slice first, struct slice second) {
    char *at = reserve(output, HEAD_MAX + first.size + second.size + 2);
    if (at == NULL) {
        return;
    }
    at = put_head(at, '$', first.size + second.size);
    at = put_bytes(at, first);
    at = put_bytes(at, second);
    *at++ = '\r';
    *at++ = '\n';
    output->size = (size_t)(at - output->data);
}

void output_argument(struct output *output, struct slice argument) {
    output_joined(output, argument, SLICE_ABSENT);
}

void output_number(struct output *output, uint64_t number) {
    char text[20];
    output_argument(output, slice_of(text, (size_t)(put_digits(text, number) - text)));
}

void output_bytes(struct output *output, struct slice bytes) {
    char *at = reserve(output, bytes.size);
    if (at != NULL) {
        output->size = (size_t)(put_bytes(at, bytes) - output->data);
    }
}

void output_cut(struct output *output, size_t size) {
    output->size = size;
    output->failed = false;
}

void output_clear(struct output *output) {
    if (output->secret || output->capacity > KEPT_CAPACITY) {
        release(output);
    }
    output->size = 0;
    output->secret = false;
}
