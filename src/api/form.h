/* form.h: a body of application/x-www-form-urlencoded (RFC 6749 3.2, appendix B). */
#ifndef MINTD_API_FORM_H
#define MINTD_API_FORM_H

#include "mintd/buffer.h"

enum form_result {
    FORM_OK,
    FORM_MALFORMED, /* an escape that is none */
    FORM_REPEATED,  /* a known parameter twice */
    FORM_TOO_LONG,  /* a known parameter longer than its storage */
};

struct form_parameter {
    struct slice name;
    bool repeatable;     /* several values are put one behind the other, a newline between them */
    bool any_length;     /* a value longer than the storage is no error: value.overflow tells */
    struct buffer value; /* the caller's storage; stays empty where there is no value */
};

/* Decodes the known parameters into their storage; unknown ones are ignored, repeated or not. One
 * without a value counts as absent. */
enum form_result form_read(struct slice body, struct form_parameter *known, size_t count);

#endif
