/* settings.h: the table of mintd's settings: what each is called, what it means, how its value is
 * read. The command line, the environment, --help and the man page all come from it. */
#ifndef MINTD_CMD_SETTINGS_H
#define MINTD_CMD_SETTINGS_H

#include "options.h"

enum setting_secrecy {
    SETTING_PUBLIC,
    SETTING_PUBLIC_IN_FILE,  /* public; a file may have it, which is read again at SIGHUP */
    SETTING_MAY_HOLD_SECRET, /* a URL: it does where it has an '@' */
    SETTING_IS_SECRET,
};

/* Whether two addresses are one (port 0 is another one each time). */
bool setting_is_same_address(struct slice a, struct slice b);

struct setting {
    const char *flag, *variable;
    const char *placeholder; /* of its value; NULL: a switch, which needs none */
    const char *help;        /* lines, the default in parentheses at the end */
    /* Reads a value into the options; false with what it should be. */
    bool (*set)(struct options *options, struct slice value, struct buffer *error);
    bool repeatable;
    enum setting_secrecy secrecy; /* not PUBLIC: has a MINTD_..._FILE form; a secret: better not on
                                     the command line */
};

bool setting_has_file(const struct setting *setting);

extern const struct setting settings[];
extern const size_t settings_count;

#endif
