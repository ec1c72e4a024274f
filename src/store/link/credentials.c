#include "store/link/credentials.h"

#include <stdlib.h>

void credentials_fini(struct credentials *credentials) {
    if (credentials->password != NULL) {
        explicit_bzero(credentials->password, credentials->size);
        free(credentials->password);
    }
}

bool credentials_set_password(struct credentials *credentials, struct slice password) {
    char *copy = malloc(password.size + 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, password.data, password.size);
    copy[password.size] = '\0';
    credentials_fini(credentials);
    credentials->password = copy;
    credentials->size = password.size;
    return true;
}

static struct slice password_of(const struct credentials *credentials) {
    return slice_of(credentials->password, credentials->size);
}

void credentials_put_auth(const struct credentials *credentials, struct output *out) {
    bool has_user = credentials->user[0] != '\0';
    out->secret = true;
    output_command(out, has_user ? 3 : 2);
    output_argument(out, S("AUTH"));
    if (has_user) {
        output_argument(out, slice_of_string(credentials->user));
    }
    output_argument(out, password_of(credentials));
}

void credentials_put_to_hello(const struct credentials *credentials, struct output *out) {
    bool has_user = credentials->user[0] != '\0';
    out->secret = true;
    output_argument(out, S("AUTH"));
    output_argument(out, has_user ? slice_of_string(credentials->user) : S("default"));
    output_argument(out, password_of(credentials));
}
