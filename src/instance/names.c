/* names.c: what an instance is called, and its URL, where no setting says so. */
#include "mintd/encoding.h"
#include "mintd/http_server.h"
#include "mintd/instance.h"

#define HOST_IN_NAME_MAX (INSTANCE_NAME_MAX / 2 - 1)
#define PORT_IN_NAME_MAX (INSTANCE_NAME_MAX / 4)

/* Where the port begins, with its colon. */
static size_t last_colon(struct slice address) {
    size_t at = address.size;
    while (at != 0 && address.data[at - 1] != ':') {
        at--;
    }
    return at == 0 ? 0 : at - 1;
}

static char sane(char c) {
    return word_is_plain(slice_of(&c, 1)) ? c : '-';
}

void instance_write_name(const struct instance_options *options, struct slice host,
                         struct slice bound, struct buffer *name) {
    if (!slice_is_absent(options->name)) {
        buffer_append(name, options->name);
        return;
    }
    struct slice rest = bound, port = bound;
    while (slice_split(&rest, ':', &port)) {
    }
    if (port.size > PORT_IN_NAME_MAX) {
        port = slice_skip(port, port.size - PORT_IN_NAME_MAX);
    }
    host.size = host.size < HOST_IN_NAME_MAX ? host.size : HOST_IN_NAME_MAX;
    buffer_append(name, host);
    buffer_append_char(name, '-');
    buffer_append(name, port);
    for (size_t i = 0; i < name->size; i++) {
        name->data[i] = sane(name->data[i]);
    }
}

/* The first listener's host as it was given; "localhost" for a unix socket (that has none) and for
 * every interface. */
static struct slice issuer_host(struct slice address) {
    bool has_host = !slice_starts_with(address, S("unix:")) && !http_address_is_everywhere(address);
    return has_host ? slice_of(address.data, last_colon(address)) : S("localhost");
}

void instance_write_issuer(const struct instance_options *options, struct slice bound,
                           struct buffer *issuer) {
    struct slice address = options->listen[0];
    bool is_unix = slice_starts_with(address, S("unix:"));
    buffer_append(issuer, options->tls == NULL || is_unix ? S("http://") : S("https://"));
    buffer_append(issuer, issuer_host(address));
    if (!is_unix) {
        buffer_append(issuer, slice_skip(bound, last_colon(bound)));
    }
}
