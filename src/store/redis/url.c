/* Where Redis is, from one line of text. What is wrong is said without repeating the text: it may
 * hold a password. */
#include "mintd/buffer.h"
#include "mintd/redis_store.h"
#include <stdio.h>

#define REDIS_PORT 6379u
#define SENTINEL_PORT 26379u
#define DATABASE_MAX 1000000u
#define UNIX_PATH_MAX 107u /* sun_path, without its NUL */

static bool fail(struct buffer *error, const char *words) {
    buffer_append(error, slice_of_string(words));
    return false;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Into a text of REDIS_NAME_MAX bytes with its NUL; no NUL inside. */
static bool percent_decode(struct slice text, char *out) {
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.size ? hex_value(text.data[i + 1]) : -1;
            int low = i + 2 < text.size ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || size == REDIS_NAME_MAX - 1) {
            return false;
        }
        out[size++] = c;
    }
    out[size] = '\0';
    return true;
}

static bool copy(struct slice text, char *out) {
    if (text.size >= REDIS_NAME_MAX || memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

/* Cuts at the first byte that is one of `stops`; the rest begins with it, or is empty. */
static struct slice cut(struct slice *rest, const char *stops) {
    size_t size = 0;
    while (size < rest->size && memchr(stops, rest->data[size], strlen(stops)) == NULL) {
        size++;
    }
    struct slice part = slice_of(rest->data, size);
    *rest = slice_skip(*rest, size);
    return part;
}

/* "user:password", ":password", or "user", whose password comes from elsewhere. */
static bool parse_user(struct slice text, struct redis_url *url, struct buffer *error) {
    struct slice rest = text;
    struct slice user = cut(&rest, ":");
    if (rest.size == 1 || text.size == 0) {
        return fail(error, "a password is missing: write user:password@, :password@ or user@");
    }
    if (!percent_decode(user, url->user) ||
        !percent_decode(slice_skip(rest, rest.size == 0 ? 0 : 1), url->password)) {
        return fail(error, "the user or the password has a malformed %XX or is longer than 255 "
                           "bytes; write '%' as %25");
    }
    return true;
}

/* Takes "[user:password@]" off the front of an authority: up to its last '@'. */
static bool take_user(struct slice *authority, struct redis_url *url, struct buffer *error) {
    size_t end = authority->size;
    while (end != 0 && authority->data[end - 1] != '@') {
        end--;
    }
    if (end == 0) {
        return true;
    }
    struct slice user = slice_of(authority->data, end - 1);
    *authority = slice_skip(*authority, end);
    return parse_user(user, url, error);
}

static bool parse_database(struct slice text, struct redis_url *url, struct buffer *error) {
    unsigned long long number;
    if (!slice_to_number(text, DATABASE_MAX, &number)) {
        return fail(error, "the database is not a number");
    }
    url->database = (unsigned)number;
    return true;
}

static bool parse_port(struct slice text, unsigned *port, struct buffer *error) {
    unsigned long long number = 0;
    if (text.size < 2 || !slice_to_number(slice_skip(text, 1), 65535, &number) || number == 0) {
        return fail(error, "the port is not a number from 1 to 65535");
    }
    *port = (unsigned)number;
    return true;
}

/* host[:port], into a host of REDIS_NAME_MAX bytes; *port is the one that needs no word before. */
static bool parse_host(struct slice text, char *into, unsigned *port, struct buffer *error) {
    struct slice rest = text, host;
    if (text.size != 0 && text.data[0] == '[') {
        rest = slice_skip(text, 1);
        host = cut(&rest, "]");
        if (rest.size == 0) {
            return fail(error, "an IPv6 address has no closing ']'");
        }
        rest = slice_skip(rest, 1);
    } else {
        host = cut(&rest, ":");
    }
    if (host.size == 0 || !copy(host, into)) {
        return fail(error, "the host is missing or longer than 255 bytes");
    }
    if (rest.size == 0) {
        return true;
    }
    if (rest.data[0] != ':') {
        return fail(error, "behind the host comes a ':' and the port, or a '/' and the database");
    }
    return parse_port(rest, port, error);
}

/* Behind "redis://" and "rediss://". */
static bool parse_tcp(struct slice rest, struct redis_url *url, struct buffer *error) {
    struct slice authority = cut(&rest, "/?#");
    url->port = REDIS_PORT;
    if (!take_user(&authority, url, error) ||
        !parse_host(authority, url->host, &url->port, error)) {
        return false;
    }
    if (rest.size <= 1 && (rest.size == 0 || rest.data[0] == '/')) {
        return true;
    }
    if (rest.data[0] != '/') {
        return fail(error, "nothing but a '/' and the database may follow the host; a '/', '?' or "
                           "'#' in a password is written %2F, %3F or %23");
    }
    return parse_database(slice_skip(rest, 1), url, error);
}

/* "host[:port],host[:port]..." */
static bool parse_seeds(struct slice list, unsigned port, struct redis_url *url,
                        struct buffer *error) {
    do {
        struct slice one = cut(&list, ",");
        if (url->seed_count == REDIS_SEEDS_MAX) {
            return fail(error, "8 hosts at most");
        }
        struct redis_endpoint *seed = &url->seeds[url->seed_count++];
        seed->port = port;
        if (!parse_host(one, seed->host, &seed->port, error)) {
            return false;
        }
        if (list.size == 1) {
            return fail(error, "behind the last ',' comes no host");
        }
        list = slice_skip(list, list.size == 0 ? 0 : 1);
    } while (list.size != 0);
    return true;
}

/* Behind "redis+cluster://" and "rediss+cluster://". */
static bool parse_cluster_form(struct slice rest, struct redis_url *url, struct buffer *error) {
    struct slice authority = cut(&rest, "/?#");
    url->topology = REDIS_CLUSTER;
    if (!take_user(&authority, url, error) || !parse_seeds(authority, REDIS_PORT, url, error)) {
        return false;
    }
    bool is_end = rest.size == 0 || slice_equal(rest, S("/")) || slice_equal(rest, S("/0"));
    return is_end || fail(error, "nothing may follow the hosts: a cluster has no databases but 0");
}

/* Behind "redis+sentinel://" and "rediss+sentinel://". */
static bool parse_sentinel_form(struct slice rest, struct redis_url *url, struct buffer *error) {
    struct slice authority = cut(&rest, "/?#");
    url->topology = REDIS_SENTINEL;
    if (!take_user(&authority, url, error) || !parse_seeds(authority, SENTINEL_PORT, url, error)) {
        return false;
    }
    rest = slice_skip(rest, rest.size != 0 && rest.data[0] == '/' ? 1 : 0);
    struct slice name = cut(&rest, "/?#");
    if (name.size == 0 || !percent_decode(name, url->master)) {
        return fail(error, "behind the Sentinels comes a '/' and what they call the master: "
                           "redis+sentinel://h1,h2,h3/mymaster");
    }
    if (rest.size <= 1 && (rest.size == 0 || rest.data[0] == '/')) {
        return true;
    }
    return rest.data[0] == '/'
               ? parse_database(slice_skip(rest, 1), url, error)
               : fail(error, "nothing but a '/' and the database may follow the master's name");
}

/* Behind "unix://". */
static bool parse_unix(struct slice rest, struct redis_url *url, struct buffer *error) {
    struct slice authority = cut(&rest, "/");
    if (!take_user(&authority, url, error)) {
        return false;
    }
    if (authority.size != 0) {
        return fail(error, "the path of the socket must begin with '/': unix:///path");
    }
    struct slice path = cut(&rest, "?");
    url->is_unix = true;
    if (path.size < 2 || path.size > UNIX_PATH_MAX || !copy(path, url->host)) {
        return fail(error, "the path of the socket is missing or longer than 107 bytes");
    }
    if (rest.size == 0) {
        return true;
    }
    if (!slice_starts_with(rest, S("?db="))) {
        return fail(error, "behind the path nothing is known but ?db=N");
    }
    return parse_database(slice_skip(rest, 4), url, error);
}

static bool take_scheme(struct slice *text, struct slice scheme) {
    if (text->size < scheme.size ||
        !slice_equal_nocase(slice_of(text->data, scheme.size), scheme)) {
        return false;
    }
    *text = slice_skip(*text, scheme.size);
    return true;
}

bool redis_url_parse(struct slice text, struct redis_url *url, struct buffer *error) {
    memset(url, 0, sizeof *url);
    if (take_scheme(&text, S("redis://"))) {
        return parse_tcp(text, url, error);
    }
    if (take_scheme(&text, S("unix://"))) {
        return parse_unix(text, url, error);
    }
    if (take_scheme(&text, S("rediss://"))) {
        url->is_tls = true;
        return parse_tcp(text, url, error);
    }
    if (take_scheme(&text, S("redis+sentinel://"))) {
        return parse_sentinel_form(text, url, error);
    }
    if (take_scheme(&text, S("rediss+sentinel://"))) {
        url->is_tls = true;
        return parse_sentinel_form(text, url, error);
    }
    url->is_tls = take_scheme(&text, S("rediss+cluster://"));
    if (url->is_tls || take_scheme(&text, S("redis+cluster://"))) {
        return parse_cluster_form(text, url, error);
    }
    return fail(error, "it must be redis://[[user]:password@]host[:port][/db], the same with "
                       "rediss:// for TLS, unix://[[user]:password@]/path[?db=N], "
                       "redis+sentinel://[[user]:password@]host[:port],.../name[/db] or "
                       "redis+cluster://[[user]:password@]host[:port],...");
}

bool redis_url_is_same(const struct redis_url *a, const struct redis_url *b) {
    bool same = a->topology == b->topology && a->is_unix == b->is_unix && a->is_tls == b->is_tls &&
                a->port == b->port && a->database == b->database &&
                a->seed_count == b->seed_count && strcmp(a->host, b->host) == 0 &&
                strcmp(a->user, b->user) == 0 && strcmp(a->master, b->master) == 0;
    for (unsigned i = 0; i < a->seed_count && same; i++) {
        same =
            a->seeds[i].port == b->seeds[i].port && strcmp(a->seeds[i].host, b->seeds[i].host) == 0;
    }
    return same;
}

/* ---- for people ---- */

static void append_endpoint(struct buffer *text, const char *host, unsigned port) {
    bool is_v6 = strchr(host, ':') != NULL;
    buffer_append_format(text, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
}

const char *redis_url_misses_password(const struct redis_url *url, bool has_source) {
    bool has_password = url->password[0] != '\0';
    if (has_source && has_password) {
        return "it has a password, and --redis-password-file or --redis-password-command gives "
               "one too: keep one";
    }
    return url->user[0] != '\0' && !has_password && !has_source
               ? "a user stands without a password: write user:password@, or give "
                 "--redis-password-file or --redis-password-command"
               : NULL;
}

void redis_url_describe(const struct redis_url *url, char *text, size_t size) {
    struct buffer out = buffer_of(text, size - 1);
    if (url->is_unix) {
        buffer_append(&out, slice_of_string(url->host));
    } else if (url->topology == REDIS_STANDALONE) {
        append_endpoint(&out, url->host, url->port);
    } else {
        buffer_append_format(&out, "%s of ",
                             url->topology == REDIS_CLUSTER ? "cluster" : url->master);
        for (unsigned i = 0; i < url->seed_count; i++) {
            buffer_append(&out, i == 0 ? S("") : S(","));
            append_endpoint(&out, url->seeds[i].host, url->seeds[i].port);
        }
    }
    text[out.size] = '\0';
}
